"""TimescaleDB for the embedded server: its source from Debian, verified by apt, built onto a copy of PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from gigawatch_database import debian

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION = "2.19.3"
SUITE = "trixie"
"""The Debian release whose source package has that version: sid's moves under one's feet."""

OPTIONS = {
    "APACHE_ONLY": "1",
    "USE_OPENSSL": "0",
    "USE_TELEMETRY": "OFF",
    "REGRESS_CHECKS": "OFF",
    "TAP_CHECKS": "OFF",
    "WARNINGS_AS_ERRORS": "OFF",
    "CMAKE_BUILD_TYPE": "Release",
}


class NotBuilt(Exception):  # noqa: N818 - reads as what happened
    """Why there is no TimescaleDB here, as the end of "TimescaleDB could not be built: …"."""


def build(pginstall: Path, work: Path, report: Callable[[str], None]) -> Path:
    """Build TimescaleDB and install it into `pginstall`; returns the verified source archive.

    Both paths must be without spaces: PostgreSQL's flags are handed to the compiler as words.

    Raises:
        NotBuilt: something that it needs is not here.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise NotBuilt("no C compiler (install gcc and libc6-dev)")
    cmake, ninja = _tools()
    _check_compiler(compiler, work)
    archive = _source(work / "source", report)
    report(f"Building TimescaleDB {VERSION} (about 20 s on 2 cores, once)")
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)  # older 3.11 has none
        tar.extractall(work / "unpacked")  # noqa: S202 - apt has verified it
    (tree,) = (work / "unpacked").iterdir()
    made = work / "build"
    choices = {
        **OPTIONS,
        "CMAKE_MAKE_PROGRAM": ninja,
        "CMAKE_C_COMPILER": compiler,
        "PG_CONFIG": pginstall / "bin" / "pg_config",
    }
    options = [f"-D{name}={value}" for name, value in choices.items()]
    _command([cmake, "-S", tree, "-B", made, "-G", "Ninja", *options], work / "configure.log")
    _command([cmake, "--build", made, "--target", "install"], work / "build.log")
    return archive


def _tools() -> tuple[Path, Path]:
    """The programs cmake and ninja, from their wheels."""
    try:
        import cmake  # noqa: PLC0415 - in the extra [embedded] only
        import ninja  # noqa: PLC0415 - as above
    except ImportError as error:
        raise NotBuilt(f"no {error.name} (install gigawatch-database[embedded])") from error
    return Path(cmake.CMAKE_BIN_DIR) / "cmake", Path(ninja.BIN_DIR) / "ninja"


def _check_compiler(compiler: str, work: Path) -> None:
    probe = work / "probe.c"
    probe.write_text("#include <stdlib.h>\nint main(void) { return 0; }\n")
    done = subprocess.run([compiler, "-o", work / "probe", probe], capture_output=True, check=False)
    if done.returncode != 0:
        raise NotBuilt(f"{compiler} cannot compile a program (install gcc and libc6-dev)")


def _source(folder: Path, report: Callable[[str], None]) -> Path:
    folder.mkdir()
    report(f"Fetching TimescaleDB {VERSION}: its source (1.3 MB) and Debian's index of sources (11 MB)")
    try:
        debian.fetch_source("timescaledb", SUITE, folder)
    except debian.NotFetched as error:
        raise NotBuilt(str(error)) from error
    archives = [path for path in folder.iterdir() if ".orig.tar." in path.name]
    if not archives or not re.match(rf"timescaledb_{re.escape(VERSION)}[+.]", archives[0].name):
        found = ", ".join(path.name for path in archives) or "nothing"
        raise NotBuilt(f"Debian {SUITE} has {found} where {VERSION} is expected")
    return archives[0]


def _command(words: Sequence[str | Path], log: Path) -> None:
    with log.open("wb") as output:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    if done.returncode != 0:
        lines = log.read_text("utf-8", "replace").splitlines()
        errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
        raise NotBuilt((errors or lines or ["the build failed without a word"])[-1][:300])
