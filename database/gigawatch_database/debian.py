"""A Debian source package, fetched and verified by this machine's own apt, without root and without a trace in /etc.

The mirror is the machine's own: its entry for Debian is copied and pointed at the release that is wanted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUITES = {"stable", "oldstable", "testing", "unstable", "sid"}
"""What a machine's entry may be called besides its release's code name."""


class NotFetched(Exception):  # noqa: N818 - reads as what happened
    """Why the package is not here, in a clause."""


@dataclass(frozen=True)
class Mirror:
    """Where this machine gets Debian from, and the keys that it trusts there (a path, or a key's text)."""

    uri: str
    signed_by: str | None


def fetch_source(package: str, suite: str, folder: Path, etc: Path = Path("/etc")) -> None:
    """Fetch the files of a source package of a suite into the folder; apt verifies signature and hashes.

    Raises:
        NotFetched: no apt, no mirror of Debian, no network, or not what was signed.
    """
    apt = shutil.which("apt-get")
    if not apt:
        raise NotFetched("no apt-get (only Debian's source package is used)")
    found = mirror(etc)
    if not found:
        raise NotFetched("apt's sources name no Debian mirror")
    private = folder / "apt"
    for name in ("sources", "lists/partial", "cache/archives/partial", "state"):
        (private / name).mkdir(parents=True)
    (private / "sources" / "source.sources").write_text(stanza(found, suite))
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": private / "sources",
        "Dir::State": private / "state",
        "Dir::State::lists": private / "lists",
        "Dir::Cache": private / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
        "Acquire::https::Timeout": "20",
        "APT::Update::Error-Mode": "any",
    }
    words = [apt, "-q", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    for action in (["update"], ["source", "--download-only", package]):
        done = subprocess.run(
            [*words, *action],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise NotFetched(f"apt-get {action[0]} failed: {_reason(done.stderr)}")
    shutil.rmtree(private)


def mirror(etc: Path) -> Mirror | None:
    """The machine's entry for its own Debian release, or None. One whose path is Debian's usual one wins."""
    suites = SUITES | {_codename(etc)}
    entries = [
        Mirror(uri, entry.get("signed-by"))
        for entry in _entries(etc / "apt")
        if "main" in entry["components"].split() and suites & set(entry["suites"].split())
        for uri in entry["uris"].split()
        if not uri.startswith("cdrom:")
    ]
    return min(entries, key=lambda entry: not entry.uri.rstrip("/").endswith("/debian"), default=None)


def stanza(found: Mirror, suite: str) -> str:
    """The private entry, in deb822. Without Signed-By apt uses the keys that the machine trusts."""
    lines = ["Types: deb-src", f"URIs: {found.uri}", f"Suites: {suite}", "Components: main"]
    if found.signed_by:
        lines.append(f"Signed-By: {found.signed_by}")
    return "\n".join(lines) + "\n"


def _codename(etc: Path) -> str:
    try:
        text = (etc / "os-release").read_text("utf-8")
    except OSError:
        return ""
    found = re.search(r'^VERSION_CODENAME="?([\w.-]+)', text, re.MULTILINE)
    return found[1] if found else ""


def _entries(apt: Path) -> Iterator[dict[str, str]]:
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        yield from _deb822(_text(path))
    for path in (apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))):
        yield from _one_line(_text(path).splitlines())


def _deb822(text: str) -> Iterator[dict[str, str]]:
    """Stanzas of `Field: value`, a value going on in lines that start with a space; '#' lines are comments."""
    for block in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        fields = {
            match[1].lower(): match[2].strip()
            for match in re.finditer(r"^([\w-]+):(.*(?:\n[ \t].*)*)", block, re.MULTILINE)
        }
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() not in {
            "no",
            "false",
            "0",
        }:
            yield {"uris": "", "suites": "", "components": "", **fields}


def _one_line(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """`deb [options] uri suite component…`."""
    for line in lines:
        match = re.match(r"deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]*)", line.strip())
        if match:
            entry = {"uris": match[2], "suites": match[3], "components": match[4]}
            signed = re.search(r"signed-by=(\S+)", match[1] or "", re.IGNORECASE)
            yield {**entry, "signed-by": signed[1].replace(",", " ")} if signed else entry


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):  # not ours to read, or not there: another may name the mirror
        return ""


def _reason(stderr: str) -> str:
    """What apt complains of first: errors before warnings."""
    lines = stderr.splitlines() or ["it said nothing"]
    return min(lines, key=lambda line: not line.startswith(("E:", "Err:")))[:300]
