"""How the storage stands: each table's rows, sizes, lag and rate. Reads only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

from gigawatch_database.grade import detect
from gigawatch_database.rollup.levels import BY_TABLE, SAMPLES

if TYPE_CHECKING:
    from datetime import datetime

    from gigawatch_database.grade import Grade

COUNTED: Final = 32 * 2**20
"""Up to so many bytes a table's rows are counted; beyond, the server's own estimate is good enough."""
RATE: Final = timedelta(minutes=10)
"""Over which a table of samples is counted for its rate."""
KEYS: Final = frozenset(
    {"time", "bucket", "accelerator_id", "node_id", "factory_id", "series_id", "counters_since", "start_time"}
)
"""Columns that say of what and when; every other value is a point."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of samples, or one level of rollup."""

    name: str
    rows: int
    bytes: int
    index_bytes: int
    parts: int
    """Chunks or partitions; 1 where the table has none."""
    points_per_row: float
    rows_per_day: float
    kept: timedelta | None
    """None: for ever."""
    refreshed_until: datetime | None
    """A level's watermark; None for samples, and before the first of them."""
    lag: timedelta | None
    """From the watermark to now; a bucket's width and the delay are in it."""
    duration: timedelta | None
    """What the last bucket took to compute."""
    uncompressed_bytes: int | None = None
    """Community: what the columnstore's chunks took before, where there are any."""
    compressed_bytes: int | None = None

    @property
    def bytes_per_row(self) -> float | None:
        return self.bytes / self.rows if self.rows else None

    @property
    def bytes_per_point(self) -> float | None:
        return self.bytes / self.rows / self.points_per_row if self.rows and self.points_per_row else None

    @property
    def bytes_per_day(self) -> float:
        return (self.bytes_per_row or 0.0) * self.rows_per_day


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """The whole storage at one time."""

    at: datetime
    grade: Grade
    tables: tuple[Table, ...]
    database_bytes: int
    dirty: int
    """Buckets that wait to be computed again for late data."""
    chunk_interval: timedelta | None
    """What a chunk of samples spans (plain: a partition is a day)."""
    disk_free: int | None
    """Bytes; None where the server's disk is not seen from here."""


def survey(connection: psycopg.Connection, now: datetime, disk_free: int | None = None) -> Survey:
    """Look at every table that grows. `disk_free` is for a server whose disk is not this machine's."""
    grade = detect(connection)
    levels = connection.execute(
        "SELECT level, kept, refreshed_until, duration FROM storage_level ORDER BY level"
    ).fetchall()
    one = connection.execute(
        "SELECT pg_database_size(current_database()), (SELECT count(DISTINCT (level, bucket)) FROM rollup_dirty)"
    ).fetchone()
    assert one is not None  # a SELECT without FROM has one row
    return Survey(
        at=now,
        grade=grade,
        tables=tuple(_table(connection, grade, now, *level) for level in levels),
        database_bytes=one[0],
        dirty=one[1],
        chunk_interval=_chunk_interval(connection, grade),
        disk_free=disk_free if disk_free is not None else _disk_free(connection),
    )


def _table(
    connection: psycopg.Connection,
    grade: Grade,
    now: datetime,
    *level: Any,
) -> Table:
    name, kept, until, duration = level
    size, index, parts, estimate = _size(connection, grade, name)
    before, after = _columnstore(connection, grade, name)
    return Table(
        name=name,
        rows=estimate if size > COUNTED else _count(connection, name),
        bytes=size,
        index_bytes=index,
        parts=parts,
        points_per_row=_points_per_row(connection, name),
        rows_per_day=_rows_per_day(connection, name, until, now),
        kept=kept,
        refreshed_until=until,
        lag=now - until if until else None,
        duration=duration,
        uncompressed_bytes=before,
        compressed_bytes=after,
    )


def _size(connection: psycopg.Connection, grade: Grade, name: str) -> tuple[int, int, int, int]:
    """Bytes with indexes, bytes of the indexes, number of parts, estimated rows."""
    if grade != "plain":
        row = connection.execute(
            """
            SELECT coalesce(s.total_bytes, 0), coalesce(s.index_bytes, 0), (SELECT count(*) FROM show_chunks(h.rel)),
              approximate_row_count(h.rel)
            FROM (
              SELECT format('%%I', hypertable_name)::regclass AS rel
              FROM timescaledb_information.hypertables WHERE hypertable_name = %s
            ) h
            CROSS JOIN LATERAL hypertable_detailed_size(h.rel) s
            """,
            [name],
        ).fetchone()
        if row:
            return row
    row = connection.execute(
        """
        SELECT sum(pg_total_relation_size(relid)), sum(pg_indexes_size(relid)), count(*),
          sum(greatest(0, (SELECT reltuples FROM pg_class WHERE oid = relid)))::bigint
        FROM (
          SELECT relid FROM pg_partition_tree(%(name)s::regclass) WHERE isleaf
          UNION SELECT %(name)s::regclass WHERE NOT EXISTS (SELECT FROM pg_partition_tree(%(name)s::regclass))
        ) leaves
        """,
        {"name": name},
    ).fetchone()
    assert row is not None  # aggregates always have a row
    return int(row[0]), int(row[1]), row[2], row[3]


def _columnstore(connection: psycopg.Connection, grade: Grade, name: str) -> tuple[int | None, int | None]:
    """Bytes before and after compression of what is compressed; None where nothing is."""
    if grade != "community":
        return None, None
    row = connection.execute(
        """
        SELECT sum(before_compression_total_bytes)::bigint, sum(after_compression_total_bytes)::bigint
        FROM (SELECT format('%%I', hypertable_name)::regclass AS rel FROM timescaledb_information.hypertables
              WHERE hypertable_name = %s AND compression_enabled) h
        CROSS JOIN LATERAL hypertable_compression_stats(h.rel)
        """,
        [name],
    ).fetchone()
    return (row[0], row[1]) if row else (None, None)


def _count(connection: psycopg.Connection, name: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
    assert row is not None  # aggregates always have a row
    return row[0]


def _points_per_row(connection: psycopg.Connection, name: str) -> float:
    """How many values a row has that are not NULL, on the average of some rows."""
    row = connection.execute(
        sql.SQL(
            """
            SELECT avg(n.points)
            FROM (SELECT * FROM {} LIMIT 500) r
            CROSS JOIN LATERAL (
              SELECT count(*) AS points FROM jsonb_object_keys(jsonb_strip_nulls(to_jsonb(r))) AS k (name)
              WHERE k.name <> ALL (%s)
            ) n
            """
        ).format(sql.Identifier(name)),
        [sorted(KEYS)],
    ).fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0


def _rows_per_day(connection: psycopg.Connection, name: str, until: datetime | None, now: datetime) -> float:
    """At the present rate: the things of the newest bucket, or the samples of the last minutes."""
    level = BY_TABLE.get(name)
    if level is None:
        column, since, end = "time", now - RATE, now
    elif until is None:
        return 0.0
    else:
        column, since, end = "bucket", until - level.width, until
    row = connection.execute(
        sql.SQL("SELECT count(*) FROM {0} WHERE {1} >= %s AND {1} < %s").format(
            sql.Identifier(name), sql.Identifier(column)
        ),
        [since, end],
    ).fetchone()
    return row[0] * (timedelta(days=1) / (end - since)) if row else 0.0


def _chunk_interval(connection: psycopg.Connection, grade: Grade) -> timedelta | None:
    if grade == "plain":
        return None
    row = connection.execute(
        "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = %s", [SAMPLES]
    ).fetchone()
    return row[0] if row else None


def _disk_free(connection: psycopg.Connection) -> int | None:
    """Free bytes where the server keeps its data, if that is on this machine and this user may know."""
    try:
        row = connection.execute(
            "SELECT setting FROM pg_settings WHERE name = 'data_directory' "
            "AND (inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr())"
        ).fetchone()
        if not row or not row[0]:
            return None
        folder = Path(row[0])
        while not _seen(folder):  # the server's own folder is closed to others; the disk is the same
            folder = folder.parent
        found = os.statvfs(folder)
    except (psycopg.Error, OSError):
        return None
    return found.f_bavail * found.f_frsize


def _seen(folder: Path) -> bool:
    try:
        return folder.exists() or folder == folder.parent
    except PermissionError:
        return False
