"""Connections to the database that a person names, or to the embedded server where none is named."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_database import embedded
from gigawatch_database.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

TIMEOUT_S = 10

# libpq gives no code for a refused connection, only its words; these are not cured by trying again.
_WRONG_SETTING = (
    "authentication failed",
    "does not exist",
    "no password supplied",
    "no pg_hba.conf entry",
    "invalid port number",
)


def connect(dsn: str, *, application_name: str, connect_timeout: int | None = None) -> psycopg.Connection:
    """A connection in UTC that commits each statement; several that belong together go in `connection.transaction()`.

    Autocommit, because an idle service in an open transaction keeps PostgreSQL from cleaning up behind it.

    Raises:
        ConfigurationError: GIGAWATCH_DSN (--dsn) is no DSN, or names what the server does not have.
        Unavailable: the server does not answer.
    """
    where = describe(dsn)
    timeout = connect_timeout or int(conninfo_to_dict(dsn).get("connect_timeout") or TIMEOUT_S)
    try:
        connection = psycopg.connect(dsn, autocommit=True, application_name=application_name, connect_timeout=timeout)
    except psycopg.Error as error:
        reason = str(error).partition("\n")[0].rpartition("failed: ")[2].removeprefix("FATAL:").strip()
        if any(words in reason for words in _WRONG_SETTING):
            raise ConfigurationError(f"GIGAWATCH_DSN (--dsn) names {where}: {reason}") from error
        raise Unavailable(f"the database does not answer: {where}: {reason}") from error
    connection.execute("SET timezone = 'UTC'")
    return connection


def describe(dsn: str) -> str:
    """Where a DSN points, without its password.

    Raises:
        ConfigurationError: it is no DSN. The message does not repeat it: it may hold a password.
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            "GIGAWATCH_DSN (--dsn) cannot be read; it has the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from error
    host, port = parts.get("host") or "the local socket", parts.get("port") or 5432
    return f"database {parts.get('dbname') or parts.get('user')} at {host}:{port} as user {parts.get('user')}"


@contextmanager
def dsn_or_embedded(
    dsn: str | None, *, data: Path | None = None, report: Callable[[str], None] = print
) -> Generator[str]:
    """The DSN that was given; without one, the embedded server's, started and migrated: it is ours, so nobody else would.

    Raises:
        GigawatchError: the embedded server cannot be had.
    """
    if dsn:
        yield dsn
        return
    with embedded.running(data, report=report) as server:
        with connect(server.dsn, application_name="gigawatch migrate") as connection:
            migrate(connection, report=lambda _: None)
        yield server.dsn
