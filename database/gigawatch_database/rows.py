"""Rows put into tables one by one: for tests and small facts. Telemetry in volume takes the collector's COPY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg


def load(connection: psycopg.Connection, table: str, rows: Iterable[Mapping[str, object]]) -> int:
    """Insert rows, each by its own columns; what a row does not name takes its default. Returns how many.

    A dict becomes jsonb. Ids that the database would give out may be given.
    """
    count = 0
    for row in rows:
        values = [Jsonb(value) if isinstance(value, dict) else value for value in row.values()]
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            ),
            values,
        )
        count += 1
    return count
