"""How long the disk will last at the present rate. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gigawatch_database.storage.survey import Table


def lasts(tables: Iterable[Table], free: int) -> timedelta | None:
    """When the disk is full, if what is kept goes on growing as now; None: never, because all of it is dropped in time.

    A table grows until it holds as much as it is kept, and no further. Write-ahead log, and what others put on the
    disk, are not in it.
    """
    growing = [(table.bytes_per_day, _room(table)) for table in tables if table.bytes_per_day > 0]
    growing = [(rate, room) for rate, room in growing if room is None or room > 0]
    passed = 0.0
    left = float(free)
    while growing:
        rate = sum(part for part, _ in growing)
        until_next = min((room / part for part, room in growing if room is not None), default=float("inf"))
        if left <= rate * until_next:
            days = passed + left / rate
            return timedelta(days=days) if days < timedelta.max.days else None
        passed += until_next
        left -= rate * until_next
        growing = [
            (part, None if room is None else room - part * until_next)
            for part, room in growing
            if room is None or room / part > until_next
        ]
    return None


def plateau(tables: Iterable[Table]) -> float:
    """Bytes that the tables which are dropped in time come to hold at the present rate."""
    return sum(
        max(float(table.bytes), table.bytes + (_room(table) or 0.0)) for table in tables if table.kept is not None
    )


def _room(table: Table) -> float | None:
    """How many bytes a table still grows by before it drops as much as it takes in; None: without end."""
    if table.kept is None:
        return None
    return table.bytes_per_day * (table.kept / timedelta(days=1)) - table.bytes
