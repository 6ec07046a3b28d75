"""The levels brought up to date, one bucket in one transaction: a crash leaves whole buckets and a true watermark."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from gigawatch_database.rollup import progress, schedule, statements
from gigawatch_database.rollup.levels import BY_TABLE, LEVELS, SAMPLES, made_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from gigawatch_database.rollup.levels import Level
    from gigawatch_database.rollup.windows import Windows

MEMORY = "256MB"
"""work_mem while a bucket is computed: groups of 100,000 accelerators stay in memory."""


def refresh(connection: psycopg.Connection, windows: Windows, now: datetime) -> dict[str, int]:
    """Compute every bucket that is due; returns how many, by table.

    Raises:
        psycopg.errors.LockNotAvailable: a writer's transaction takes too long; nothing was computed.
    """
    complete = {
        level: schedule.complete_until(level, source_until=None, now=now, delay=windows.delay)
        for level in made_of(SAMPLES)
    }
    progress.claim(connection, complete)
    done = progress.watermarks(connection)
    if not done:
        return {}
    counts: dict[str, int] = {}
    for level in LEVELS:
        source_until = done[level.source] if level.source in BY_TABLE else None
        until = schedule.complete_until(level, source_until=source_until, now=now, delay=windows.delay)
        for bucket in schedule.due(level, done_until=done[level.table], complete=until):
            _bucket(connection, level, bucket)
            done[level.table] = bucket + level.width
            counts[level.table] = counts.get(level.table, 0) + 1
    return counts


def _bucket(connection: psycopg.Connection, level: Level, bucket: datetime) -> None:
    with connection.transaction():
        took = compute(connection, level, bucket)
        progress.advance(connection, level, bucket + level.width, took)


def compute(
    connection: psycopg.Connection, level: Level, bucket: datetime, things: Sequence[str] | None = None
) -> timedelta:
    """Compute a bucket anew, whole or for some things, in the caller's transaction; returns how long it took."""
    started = time.monotonic()
    connection.execute(f"SET LOCAL work_mem = '{MEMORY}'")  # pyright: ignore[reportArgumentType] - a constant of ours
    connection.execute("SET LOCAL jit = off")  # compiling 60 aggregates takes longer than running them
    # How many rows a WITH gives is only guessed, and guessed too low: for a fleet, hashing costs least.
    connection.execute("SET LOCAL enable_mergejoin = off")
    connection.execute("SET LOCAL enable_sort = off")
    parameters = {"since": bucket, "until": bucket + level.width, "things": things}
    part = things is not None
    for statement in (statements.clear(level, part=part), statements.compute(level, part=part)):
        # Unprepared: a plan made for any bucket looks into every chunk.
        connection.execute(statement.encode(), parameters, prepare=False)
    return timedelta(seconds=time.monotonic() - started)
