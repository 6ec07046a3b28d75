"""Databases for every folder of tests: a real server for the session, a fresh migrated database for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gigawatch_database import testing

if TYPE_CHECKING:
    from collections.abc import Iterator


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
            (pytest.fail if "CI" in os.environ else pytest.skip)(f"{server.reason}")
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
