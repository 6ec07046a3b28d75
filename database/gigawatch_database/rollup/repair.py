"""Late data: from the samples that came late to every bucket, of every level, that they change."""

# ruff: noqa: S608 - the text is made of names in the contract and in levels.py; values are parameters
from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gigawatch_database.rollup import progress
from gigawatch_database.rollup.levels import (
    ACCELERATOR_5MIN,
    BY_TABLE,
    COUNTERS,
    LEVELS,
    NODE_1MIN,
    SAMPLES,
    made_of,
)
from gigawatch_database.rollup.refresh import compute

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from gigawatch_database.rollup.levels import Level

# The samples of late accelerators in their five minutes, and, because a counter grows from its last value on, the next
# reading of each of their counters after them (unless the next five minutes are late as well, and look for themselves).
_TOUCHED = f"""
WITH late AS (SELECT unnest(%(things)s::int[]) AS accelerator_id)
SELECT s.accelerator_id, s.node_id, s.time
FROM accelerator_sample s
WHERE s.accelerator_id = ANY (%(things)s::int[]) AND s.time >= %(since)s AND s.time < %(until)s
UNION
SELECT l.accelerator_id, s.node_id, s.time
FROM late l
CROSS JOIN LATERAL (
  {" UNION ALL ".join(f"(SELECT n.node_id, n.time FROM accelerator_sample n WHERE n.accelerator_id = l.accelerator_id AND n.time >= %(until)s AND n.{metric.column} IS NOT NULL ORDER BY n.time LIMIT 1)" for metric in COUNTERS)}
) s
WHERE NOT EXISTS (
  SELECT FROM rollup_dirty d
  WHERE d.level = '{SAMPLES}' AND d.bucket = %(until)s AND l.accelerator_id::text = ANY (d.things)
)
"""


def repair(connection: psycopg.Connection, *, oldest: datetime, seconds: float) -> int:
    """Compute dirty buckets again, oldest first within a level, for about so many seconds; returns how many.

    Buckets that begin before `oldest` stay as they are: their samples may be dropped in part.
    """
    end = time.monotonic() + seconds
    count = 0
    for table in (SAMPLES, *(level.table for level in LEVELS)):
        while bucket := _next(connection, table):
            if time.monotonic() > end:
                return count
            with connection.transaction():
                things = _take(connection, table, bucket)
                if bucket >= oldest or table != SAMPLES:
                    _again(connection, table, bucket, things)
            count += 1
    return count


def _next(connection: psycopg.Connection, table: str) -> datetime | None:
    row = connection.execute("SELECT min(bucket) FROM rollup_dirty WHERE level = %s", [table]).fetchone()
    return row[0] if row else None


def _take(connection: psycopg.Connection, table: str, bucket: datetime) -> list[str]:
    """The things of a dirty bucket. What is noted from here on stays for the next time: its rows may come after ours."""
    rows = connection.execute(
        "DELETE FROM rollup_dirty WHERE level = %s AND bucket = %s RETURNING things", [table, bucket]
    ).fetchall()
    return sorted({thing for (things,) in rows for thing in things})


def _again(connection: psycopg.Connection, table: str, bucket: datetime, things: Sequence[str]) -> None:
    """Compute things of a bucket again, in the caller's transaction, and note what rests on them."""
    if table == SAMPLES:
        _spread(connection, bucket, bucket + ACCELERATOR_5MIN.width, things)
        return
    level = BY_TABLE[table]
    compute(connection, level, bucket, things)
    done = progress.watermarks(connection)
    for above in made_of(table):
        if above.bucket(bucket) < done[above.table]:
            ids = things if above.thing == level.thing else _factories(connection, things)
            progress.note(connection, above.table, above.bucket(bucket), ids)


def _spread(connection: psycopg.Connection, since: datetime, until: datetime, things: Sequence[str]) -> None:
    """From late samples to the buckets of the levels that are made of them."""
    done = progress.watermarks(connection)
    touched = connection.execute(
        _TOUCHED.encode(), {"things": things, "since": since, "until": until}, prepare=False
    ).fetchall()
    found: dict[tuple[Level, datetime], set[int]] = {}
    for accelerator_id, node_id, at in touched:
        for level, thing in ((ACCELERATOR_5MIN, accelerator_id), (NODE_1MIN, node_id)):
            if at < done[level.table]:
                found.setdefault((level, level.bucket(at)), set()).add(thing)
    for (level, bucket), ids in found.items():
        progress.note(connection, level.table, bucket, ids)


def _factories(connection: psycopg.Connection, nodes: Sequence[str]) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT factory_id FROM node WHERE node_id = ANY (%s::int[])", [list(nodes)]
    ).fetchall()
    return [factory_id for (factory_id,) in rows]
