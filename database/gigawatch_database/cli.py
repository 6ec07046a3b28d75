"""`gigawatch migrate` and `gigawatch database`: the schema, and the embedded server."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - settings are read from the fields' types
from typing import TYPE_CHECKING

from gigawatch_contract import command, settings
from gigawatch_contract.errors import Unavailable
from gigawatch_contract.settings import setting
from gigawatch_database import embedded, places
from gigawatch_database import migrate as migrations
from gigawatch_database.connect import connect, describe, dsn_or_embedded
from gigawatch_database.grade import TITLES, detect

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

MIGRATE = """\
Bring the database's schema up to date.

Runs the SQL files of this version that the database has not run yet, each in a transaction of its own, and makes the
views anew. Running it again changes nothing. Services never do this by themselves: they check, and stop with a word.
Without --dsn it serves the embedded server."""

DATABASE = """\
The embedded server: PostgreSQL on this machine, with TimescaleDB where it can be built, for whoever has none.

Every Gigawatch command that needs a database and is given no --dsn uses it: the first one starts it, the last one stops
it. `start` keeps it running in between, until `stop`."""

ACTIONS = {
    "start": "start it, bring its schema up to date, and keep it running",
    "stop": "stop it, whoever uses it",
    "status": "whether it runs, where, with which grade, versions and size",
    "dsn": "print its DSN, password included, for psql and GIGAWATCH_DSN",
}


@dataclass(frozen=True)
class Settings:
    """Which database."""

    dsn: str | None = setting(
        None, help="the database, postgresql://USER:PASSWORD@HOST:PORT/DATABASE", shared="GIGAWATCH_DSN"
    )
    data: Path | None = setting(None, help="the embedded server's data folder", shared="GIGAWATCH_DATA")


@dataclass(frozen=True)
class ServerSettings:
    """Which embedded server."""

    data: Path | None = setting(None, help="its data folder", shared="GIGAWATCH_DATA")
    timescale: bool = setting(True, help="build and use TimescaleDB; a data folder keeps what it was made with")


def migrate(argv: Sequence[str] | None = None, prog: str = "gigawatch migrate") -> int:
    """Bring a database's schema up to date."""
    parser = _parser(prog, MIGRATE)
    settings.add_arguments(parser, Settings, "database")
    arguments = parser.parse_args(argv)

    def action() -> None:
        chosen = settings.load(Settings, "database", arguments)
        with dsn_or_embedded(chosen.dsn, data=chosen.data) as dsn, connect(dsn, application_name=prog) as connection:
            ran = migrations.migrate(connection)
            print(f"{describe(dsn)}: {f'{len(ran)} files ran' if ran else 'up to date'} ({TITLES[detect(connection)]})")

    return command.run(prog, action)


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch database") -> int:
    """Start, stop or look at the embedded server."""
    parser = _parser(prog, DATABASE)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")
    for name, text in ACTIONS.items():
        child = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        settings.add_arguments(child, ServerSettings, "database")
    arguments = parser.parse_args(argv)
    doing = {"start": _start, "stop": _stop, "status": _status, "dsn": _dsn}[arguments.action]
    return command.run(prog, lambda: doing(settings.load(ServerSettings, "database", arguments)))


def _start(chosen: ServerSettings) -> int:
    server = embedded.start(chosen.data, timescale=chosen.timescale)
    with connect(server.dsn, application_name="gigawatch database start") as connection:
        migrations.migrate(connection)
    print(f"Running: {TITLES[server.grade]}, data in {server.data}")
    print(f"Commands that are given no --dsn use it. Its DSN: gigawatch database dsn --data '{server.data}'")
    return 0


def _stop(chosen: ServerSettings) -> int:
    print("Stopped" if embedded.stop(chosen.data) else "It was not running")
    return 0


def _status(chosen: ServerSettings) -> int:
    """Say how the server is; exit code 1 where none runs, as `systemctl status` does for scripts."""
    server = embedded.find(chosen.data)
    if not server:
        print(f"Not running. Data folder: {chosen.data or places.data()}")
        return 1
    with connect(server.dsn, application_name="gigawatch database status") as connection:
        for name, value in _facts(connection, server).items():
            print(f"{name + ':':<13} {value}")
    return 0


def _facts(connection: psycopg.Connection, server: embedded.Server) -> dict[str, str]:
    row = connection.execute(
        """
        SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
          pg_size_pretty(pg_database_size(current_database())), (now() - pg_postmaster_start_time())::interval(0)::text
        """
    ).fetchone()
    assert row is not None  # a SELECT without FROM has one row
    version, timescaledb, size, age = row
    return {
        "running for": age,
        "address": describe(server.dsn),
        "grade": TITLES[server.grade],
        **({"because": server.reason} if server.reason else {}),
        "PostgreSQL": version,
        "TimescaleDB": timescaledb or "none",
        "size": size,
        "data folder": str(server.data),
    }


def _dsn(chosen: ServerSettings) -> int:
    server = embedded.find(chosen.data)
    if not server:
        raise Unavailable(f"no server runs on {chosen.data or places.data()}: start it with `gigawatch database start`")
    print(server.dsn)
    return 0


def _parser(prog: str, text: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=prog, description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
