"""The embedded server: PostgreSQL on this machine for whoever has none, shared by the processes that use it.

Whoever comes first starts it and whoever leaves last stops it. A user who was killed counts as gone: the next one finds
the server running, and stops it in the end. `gigawatch database start` keeps it running until `stop`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gigawatch_database import folder as folders
from gigawatch_database import locks, places, server
from gigawatch_database.installation import install

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path


@dataclass(frozen=True)
class Server:
    """A running embedded server. `reason` says in a sentence why it is plain, where TimescaleDB was wanted."""

    dsn: str
    grade: Literal["apache", "plain"]
    reason: str | None
    data: Path


@contextmanager
def running(
    data: Path | None = None,
    *,
    timescale: bool = True,
    report: Callable[[str], None] = print,
    throw_away: bool = False,
    cache: Path | None = None,
) -> Generator[Server]:
    """The server on a data folder, running while the context lasts. `throw_away` is for tests: fast, and unsafe.

    Raises:
        ConfigurationError: the folder, the cache or the installation does not serve; the message says what to do.
        Unavailable: the server does not start.
    """
    where = folders.at(data or places.data())
    with locks.opened(where.path / "users") as users:
        with locks.held(where.path / "lock"):
            found = _started(where, timescale=timescale, report=report, throw_away=throw_away, cache=cache)
            locks.share(users)
        try:
            yield found
        finally:
            with locks.held(where.path / "lock"):
                if locks.alone(users) and not _kept(where).exists():
                    server.stop(where)


def start(data: Path | None = None, *, timescale: bool = True, report: Callable[[str], None] = print) -> Server:
    """Start the server and keep it running, after this process too; raises as `running`."""
    where = folders.at(data or places.data())
    with locks.held(where.path / "lock"):
        found = _started(where, timescale=timescale, report=report, throw_away=False, cache=None)
        _kept(where).touch()
    return found


def stop(data: Path | None = None) -> bool:
    """Stop the server, whoever uses it; says whether one ran.

    Raises:
        Unavailable: it does not stop.
    """
    where = folders.at(data or places.data())
    with locks.held(where.path / "lock"):
        _kept(where).unlink(missing_ok=True)
        return server.stop(where)


def find(data: Path | None = None) -> Server | None:
    """The server that runs on the data folder, or None; starts nothing and makes nothing."""
    path = data or places.data()
    if not (path / "server.json").exists():
        return None
    where = folders.at(path)
    facts = folders.made(where)
    dsn = server.running(where) if facts else None
    return _server(where, facts, dsn) if facts and dsn else None


def _started(
    where: folders.Folder, *, timescale: bool, report: Callable[[str], None], throw_away: bool, cache: Path | None
) -> Server:
    facts = folders.made(where)
    programs = install(want_timescale=bool(facts.timescaledb) if facts else timescale, report=report, cache=cache)
    places.check_open(programs.bin, where.account)
    if facts is None:
        if programs.reason:
            report(f"{programs.reason}. Going on with plain PostgreSQL")
        facts = server.create(where, programs, throw_away=throw_away)
    folders.check(where, facts, programs)
    dsn = server.running(where) or server.start(where, facts, programs, throw_away=throw_away)
    return _server(where, facts, dsn)


def _server(where: folders.Folder, facts: folders.Made, dsn: str) -> Server:
    return Server(dsn, "apache" if facts.timescaledb else "plain", facts.reason, where.path)


def _kept(where: folders.Folder) -> Path:
    return where.path / "kept"
