from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from gigawatch_database import debian
from gigawatch_database.debian import Mirror

if TYPE_CHECKING:
    from pathlib import Path

DEB822 = """\
# the vendor's
Types: deb
URIs: https://vendor.example/apt
Suites: bookworm
Components: stable

Types: deb
# a snapshot
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
KEY = """\
Types: deb deb-src
URIs: https://mirror.example/debian/
Suites: stable
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGP
 -----END PGP PUBLIC KEY BLOCK-----
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "apt" / "sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "sources.list.d/debian.sources",
            DEB822,
            Mirror("https://mirror.example/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"),
        ),
        (
            "sources.list",
            "deb http://mirror.example/debian bookworm main # ours\n",
            Mirror("http://mirror.example/debian", None),
        ),
        (
            "sources.list",
            "deb [arch=amd64 signed-by=/keys/a.gpg,/keys/b.gpg] http://m.example/debian bookworm contrib main\n",
            Mirror("http://m.example/debian", "/keys/a.gpg /keys/b.gpg"),
        ),
        (
            "sources.list",
            "deb http://vendor.example/tool bookworm main\ndeb http://mirror.example/debian/ bookworm main\n",
            Mirror("http://mirror.example/debian/", None),
        ),
        ("sources.list.d/off.sources", "Enabled: no\n" + DEB822.split("\n\n")[1], None),
        (
            "sources.list",
            "deb-src http://mirror.example/debian bookworm main\n# deb http://x.example/debian bookworm main\n",
            None,
        ),
        ("sources.list", "deb cdrom:[Debian]/ bookworm main\n", None),
        ("sources.list", "deb http://ubuntu.example/ubuntu jammy main\n", None),
    ],
)
def test_the_mirror_is_the_machines_own_entry_for_its_release(
    etc: Path, name: str, text: str, expected: Mirror | None
) -> None:
    (etc / "apt" / name).write_text(text)
    assert debian.mirror(etc) == expected


def test_a_key_in_the_entry_itself_goes_along_line_by_line(etc: Path) -> None:
    (etc / "apt" / "sources.list.d" / "debian.sources").write_text(KEY)
    found = debian.mirror(etc)
    assert found
    assert debian.stanza(found, "trixie") == (
        "Types: deb-src\nURIs: https://mirror.example/debian/\nSuites: trixie\nComponents: main\n"
        "Signed-By: -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBGP\n -----END PGP PUBLIC KEY BLOCK-----\n"
    )


def test_without_apt_there_is_no_source(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(debian.NotFetched, match="no apt-get"):
        debian.fetch_source("hello", "trixie", tmp_path, etc)


def test_without_a_debian_mirror_there_is_no_source(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt(tmp_path, monkeypatch, "exit 0")
    with pytest.raises(debian.NotFetched, match="name no Debian mirror"):
        debian.fetch_source("hello", "trixie", tmp_path, etc)


def test_what_apt_complains_of_is_said(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (etc / "apt" / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    apt(tmp_path, monkeypatch, "echo 'W: slow' >&2; echo 'E: The repository is not signed.' >&2; exit 100")
    with pytest.raises(debian.NotFetched, match=r"^apt-get update failed: E: The repository is not signed\.$"):
        debian.fetch_source("hello", "trixie", tmp_path, etc)


def apt(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program apt-get that only does this."""
    path = folder / "bin" / "apt-get"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


def test_the_machines_own_apt_refuses_a_mirror_that_is_not_signed(etc: Path, tmp_path: Path) -> None:
    """Real apt: a mirror with an index and no signature is no mirror."""
    if not shutil.which("apt-get"):
        pytest.skip("apt-get (this machine is not Debian)")
    release = tmp_path / "debian" / "dists" / "trixie" / "Release"
    release.parent.mkdir(parents=True)
    release.write_text("Suite: trixie\nCodename: trixie\nComponents: main\nArchitectures: source\n")
    (etc / "apt" / "sources.list").write_text(f"deb file:{tmp_path / 'debian'} bookworm main\n")
    with pytest.raises(debian.NotFetched, match="not signed"):
        debian.fetch_source("hello", "trixie", tmp_path, etc)
