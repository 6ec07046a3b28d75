"""Databases for tests: each one fresh, cloned from a migrated template on a throw-away server."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from gigawatch_database import embedded, rows
from gigawatch_database.connect import connect
from gigawatch_database.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from gigawatch_database.grade import Grade

TEMPLATE = "gigawatch_template"


@dataclass(frozen=True)
class Database:
    """One database: where it is, of which grade, and whether it can prepare statements."""

    dsn: str
    grade: Grade
    prepares: bool = True

    def connect(self) -> psycopg.Connection:
        """An autocommit connection, in UTC."""
        connection = connect(self.dsn, application_name="gigawatch tests")
        if not self.prepares:
            connection.prepare_threshold = None
        return connection


@dataclass(frozen=True)
class Server:
    """A throw-away server with a migrated template."""

    dsn: str
    grade: Grade
    reason: str | None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def database(self, *, template: str | None = TEMPLATE) -> Generator[Database]:
        """A fresh migrated database (or, without a template, an empty one), dropped at the end whoever uses it."""
        name = f"test_{next(self._numbers)}"
        with self.admin() as admin:
            if template:
                admin.execute(_sql("CREATE DATABASE {} TEMPLATE {}", name, template))
            else:
                admin.execute(_sql("CREATE DATABASE {}", name))
        try:
            yield Database(on(self.dsn, name), self.grade)
        finally:
            with self.admin() as admin:
                admin.execute(_sql("DROP DATABASE {} WITH (FORCE)", name))

    def admin(self) -> psycopg.Connection:
        """A connection to a database that no test uses."""
        return psycopg.connect(on(self.dsn, "postgres"), autocommit=True)


@contextmanager
def server(folder: Path, *, timescale: bool) -> Generator[Server]:
    """A server on a folder. It is plain, and says why, where TimescaleDB is wanted and cannot be built."""
    with embedded.running(folder, timescale=timescale, throw_away=True) as running:
        found = Server(running.dsn, running.grade, running.reason)
        with found.admin() as admin:
            admin.execute(_sql("CREATE DATABASE {}", TEMPLATE))
        with connect(on(running.dsn, TEMPLATE), application_name="gigawatch tests") as connection:
            migrate(connection, report=lambda _: None)
        yield found


def on(dsn: str, database: str) -> str:
    """The same server's DSN for another database."""
    parts = conninfo_to_dict(dsn)
    return (
        f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{database}?sslmode=disable"
    )


def _sql(text: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


def copy_tables(source: psycopg.Connection, target: psycopg.Connection) -> None:
    """Put every row of one database into another, in the order in which the tables were made, row by row.

    What a migration puts in is in both.
    """
    tables = source.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
        "AND relname <> 'schema_migration' ORDER BY oid"
    ).fetchall()
    for (table,) in tables:
        if target.execute(_sql("SELECT FROM {} LIMIT 1", table)).rowcount == 0:
            with source.cursor(row_factory=dict_row) as cursor:
                rows.load(target, table, cursor.execute(_sql("SELECT * FROM {}", table)))


def answers(connection: psycopg.Connection, view: str, *, without: Sequence[str] = ()) -> list[str]:
    """All that a view says, as text, the exact digits of each number too; `without` some of its columns."""
    said = connection.execute(
        _sql("SELECT (to_jsonb(v) - %s::text[])::text FROM {} v", view), [list(without)]
    ).fetchall()
    return sorted(row for (row,) in said)
