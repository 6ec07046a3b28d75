"""Which buckets are due. Pure: what is known comes in, a list goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from gigawatch_database.rollup.levels import Level


def complete_until(level: Level, *, source_until: datetime | None, now: datetime, delay: timedelta) -> datetime:
    """The end of the newest bucket that can be computed: it is over, `delay` has passed, and its source is there.

    `source_until` is the watermark of the level that it is made of; None for samples.
    """
    over = level.bucket(now - delay)
    return over if source_until is None else min(over, level.bucket(source_until))


def due(level: Level, *, done_until: datetime, complete: datetime) -> Iterator[datetime]:
    """The buckets to compute, oldest first."""
    bucket = level.bucket(done_until)
    while bucket < complete:
        yield bucket
        bucket += level.width
