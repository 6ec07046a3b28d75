"""The scheduler: rollups brought up to date, late data repaired, what is due dropped; one process at a time."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import psycopg

from gigawatch_database.grade import detect
from gigawatch_database.rollup import progress, windows
from gigawatch_database.rollup.levels import SAMPLES
from gigawatch_database.rollup.refresh import refresh
from gigawatch_database.rollup.repair import repair
from gigawatch_database.storage import chunks, columnstore, retention

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import timedelta

SCHEDULER: Final = 4747_0005
"""The advisory lock that one scheduler holds."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one round did."""

    elsewhere: bool = False
    """Another process is at it; this one did nothing."""
    refreshed: dict[str, int] = field(default_factory=dict[str, int])
    """Buckets computed, by table."""
    repaired: int = 0
    """Buckets computed again for late data."""
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    """Chunks or partitions dropped (tables that have none: rows deleted), by table."""
    chunk_interval: timedelta | None = None
    """The new interval of the samples' chunks, where it changed."""


def maintain(connection: psycopg.Connection, now: datetime, *, repair_seconds: float = 30) -> Work:
    """One round on an autocommit connection: rollups first, then late data for a while, then what is due to go.

    Raises:
        ConfigurationError: the windows do not fit together.
    """
    spans = windows.read(connection)
    windows.check(spans)
    with _alone(connection) as mine:
        if not mine:
            return Work(elsewhere=True)
        try:
            refreshed = refresh(connection, spans, now)
        except psycopg.errors.LockNotAvailable:
            log.warning("a transaction that stores samples takes more than 2 s: rollups wait for the next round")
            refreshed = {}
        kept = spans.kept[SAMPLES]
        oldest = now - kept if kept else datetime.min.replace(tzinfo=UTC)
        repaired = repair(connection, oldest=oldest, seconds=repair_seconds)
        grade = detect(connection)
        if grade == "community":
            columnstore.align(connection, spans)
        return Work(
            refreshed=refreshed,
            repaired=repaired,
            chunk_interval=None if grade == "plain" else chunks.adjust(connection),
            dropped=retention.drop(connection, grade, spans.kept, progress.watermarks(connection), now),
        )


def run(
    connection: psycopg.Connection,
    *,
    every: float,
    report: Callable[[Work], None],
    stopped: Callable[[float], bool],
) -> None:
    """Rounds until `stopped`, which waits so many seconds and says whether to end."""
    while True:
        started = time.monotonic()
        report(maintain(connection, datetime.now(tz=UTC)))
        if stopped(max(0.0, every - (time.monotonic() - started))):
            return


@contextmanager
def _alone(connection: psycopg.Connection) -> Generator[bool]:
    """Whether this process is the scheduler now; the lock goes with the connection, however it ends."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [SCHEDULER]).fetchone()
    mine = row == (True,)
    try:
        yield mine
    finally:
        if mine and not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", [SCHEDULER])
