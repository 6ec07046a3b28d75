"""How far each level is computed: watermarks in the database, moved in the transaction that computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gigawatch_database.rollup.levels import LEVELS, SAMPLES, made_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    import psycopg

    from gigawatch_database.rollup.levels import Level

WRITERS: Final = 4747_0006
"""The advisory lock that mark_late() shares and `claim` takes alone for a moment."""

# min(time) of the whole table has no index; the first sample of each accelerator has one.
_EARLIEST = """
SELECT min(first.time)
FROM accelerator a
CROSS JOIN LATERAL (
  SELECT s.time FROM accelerator_sample s WHERE s.accelerator_id = a.accelerator_id ORDER BY s.time LIMIT 1
) first
"""


def watermarks(connection: psycopg.Connection) -> dict[str, datetime]:
    """Until when each level (by its table) is computed. Empty before the first sample."""
    _start(connection)
    rows = connection.execute(
        "SELECT level, refreshed_until FROM storage_level WHERE refreshed_until IS NOT NULL"
    ).fetchall()
    return dict(rows)


def claim(connection: psycopg.Connection, until: dict[Level, datetime]) -> None:
    """Publish what is about to be computed from samples, when every writer that did not know it has committed.

    From here on, writers of older samples note them with mark_late().

    Raises:
        psycopg.errors.LockNotAvailable: a writer's transaction takes too long; try again later.
    """
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '2s'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS])
        for level in made_of(SAMPLES):
            connection.execute(
                "UPDATE storage_level SET claimed_until = %(until)s "
                "WHERE level = %(level)s AND (claimed_until IS NULL OR claimed_until < %(until)s)",
                {"until": until[level], "level": level.table},
            )


def advance(connection: psycopg.Connection, level: Level, until: datetime, took: timedelta) -> None:
    """Move a level's watermark, in the caller's transaction."""
    connection.execute(
        "UPDATE storage_level SET refreshed_until = %s, refreshed_at = clock_timestamp(), duration = %s WHERE level = %s",
        [until, took, level.table],
    )


def note(connection: psycopg.Connection, level: str, bucket: datetime, things: Iterable[int | str]) -> None:
    """Note that things of a computed bucket are to be computed again."""
    found = [str(thing) for thing in things]
    if found:
        connection.execute(
            "INSERT INTO rollup_dirty (level, bucket, things) VALUES (%s, %s, %s)", [level, bucket, found]
        )


def _start(connection: psycopg.Connection) -> None:
    """Begin every level at the bucket of the first sample; once."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM storage_level WHERE level = ANY (%s) AND refreshed_until IS NULL)",
        [[level.table for level in LEVELS]],
    ).fetchone()
    if row == (False,):
        return
    earliest = connection.execute(_EARLIEST).fetchone()
    if earliest is None or earliest[0] is None:
        return
    with connection.transaction():
        connection.execute(
            "UPDATE storage_window SET watching_since = coalesce(watching_since, date_trunc('minute', %s::timestamptz))",
            [earliest[0]],
        )
        for level in LEVELS:
            connection.execute(
                "UPDATE storage_level SET refreshed_until = %s WHERE level = %s AND refreshed_until IS NULL",
                [level.bucket(earliest[0]), level.table],
            )
