"""The registry in the database: each import is a new version of all files, and changes none that is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from gigawatch_programme.sheets import SHEETS, Sheet

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    import psycopg

    from gigawatch_programme.registry import Registry
    from gigawatch_programme.table import Row


@dataclass(frozen=True, slots=True)
class Import:
    """One version of the registry: when it came, by whom, and the SHA-256 of each file."""

    import_id: int
    imported_at: dt.datetime
    entered_by: str
    sha256: dict[str, str]


def newest(connection: psycopg.Connection) -> Import | None:
    """The version that the views show, or None before the first import."""
    with connection.cursor(row_factory=class_row(Import)) as cursor:
        return cursor.execute("SELECT * FROM programme_newest_import").fetchone()


def save(connection: psycopg.Connection, registry: Registry, *, entered_by: str) -> Import | None:
    """Keep the registry as a new version, whole or not at all; None where the newest version holds the same files."""
    with connection.transaction():
        connection.execute("LOCK TABLE programme_import IN SHARE ROW EXCLUSIVE MODE")  # one import at a time
        before = newest(connection)
        if before is not None and before.sha256 == registry.sha256:
            return None
        with connection.cursor(row_factory=class_row(Import)) as cursor:
            made = cursor.execute(
                "INSERT INTO programme_import (entered_by, sha256) VALUES (%s, %s) RETURNING *",
                [entered_by, Jsonb(dict(registry.sha256))],
            ).fetchone()
        assert made is not None
        for sheet in SHEETS:
            _copy(connection, sheet, made.import_id, registry.rows[sheet.file])
        return made


def _copy(connection: psycopg.Connection, sheet: Sheet, import_id: int, rows: Iterable[Row]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, ("import_id", "row", *sheet.fields)))
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(sheet.table), names)
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row((import_id, row.number, *(row.values[field] for field in sheet.fields)))
