"""What is older than it is kept goes: by the chunk, by the partition, or row by row in small tables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from gigawatch_database.rollup.levels import made_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from gigawatch_database.grade import Grade

log = logging.getLogger(__name__)

# The upper bound of each daily partition, as PostgreSQL words it; the DEFAULT partition has none.
_PARTITIONS = """
SELECT c.relname, (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''(.+)''\\)'))[1]::timestamptz
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass
"""


def cutoff(table: str, kept: timedelta | None, done: Mapping[str, datetime], now: datetime) -> datetime | None:
    """Before when a table's rows are due to go, or None: never before what is made of them is computed. Pure."""
    if kept is None:
        return None
    above = [done.get(level.table) for level in made_of(table)]
    computed = [until for until in above if until is not None]
    return min([now - kept, *computed]) if len(computed) == len(above) else None


def drop(
    connection: psycopg.Connection,
    grade: Grade,
    kept: Mapping[str, timedelta | None],
    done: Mapping[str, datetime],
    now: datetime,
) -> dict[str, int]:
    """Drop what is due in every table; returns how many chunks, partitions or rows, by table."""
    hypertables = _hypertables(connection) if grade != "plain" else set[str]()
    dropped: dict[str, int] = {}
    for table, span in kept.items():
        before = cutoff(table, span, done, now)
        if before is None:
            continue
        try:
            if table in hypertables:
                count = _chunks(connection, table, before)
            elif _partitioned(connection, table):
                count = _partitions(connection, table, before)
            else:
                count = _rows(connection, table, "bucket", before)
        except psycopg.errors.LockNotAvailable:
            log.warning("%s is in use: what is due to go waits for the next round", table)
            continue
        if count:
            dropped[table] = count
    return dropped


def _hypertables(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute("SELECT hypertable_name FROM timescaledb_information.hypertables").fetchall()
    return {name for (name,) in rows}


def _partitioned(connection: psycopg.Connection, table: str) -> bool:
    return connection.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass", [table]).fetchone() == (
        True,
    )


def _chunks(connection: psycopg.Connection, table: str, before: datetime) -> int:
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '2s'")
        return len(connection.execute("SELECT drop_chunks(%s::regclass, %s::timestamptz)", [table, before]).fetchall())


def _partitions(connection: psycopg.Connection, table: str, before: datetime) -> int:
    """Whole days go; what the DEFAULT partition holds goes row by row."""
    dropped = 0
    for name, end in connection.execute(_PARTITIONS, [table]).fetchall():
        if end is None:
            dropped += _rows(connection, name, "time", before)
        elif end <= before:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '2s'")
                connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            dropped += 1
    return dropped


def _rows(connection: psycopg.Connection, table: str, column: str, before: datetime) -> int:
    return connection.execute(
        sql.SQL("DELETE FROM {} WHERE {} < %s").format(sql.Identifier(table), sql.Identifier(column)), [before]
    ).rowcount
