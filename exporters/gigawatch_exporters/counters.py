"""Counters that only grow: what NVML starts again at zero is seen, and either carried on or said; pure.

A counter that wraps is carried on. When any other counter of an accelerator falls, its driver was loaded anew or it was
reset: all its counters then count since the answer before, and say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gigawatch_exporters.snapshot import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """The counters of one accelerator."""

    since_unix_nano: int
    last: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    """What the library said last."""
    carried: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    """What wraps have swallowed."""
    seen_unix_nano: int = 0
    """When it said so."""

    def values(self, columns: Mapping[str, Value]) -> dict[str, Value]:
        """The totals of the columns just read."""
        return {column: self.last[column] + self.carried.get(column, 0) for column in columns}


def advance(totals: Totals, read: Mapping[str, Value], wraps: Mapping[str, Value], now_unix_nano: int) -> Totals:
    """The counters after another reading. `wraps` tells at what value a counter starts again."""
    fallen = {column for column, value in read.items() if value < totals.last.get(column, value)}
    wrapped = {column for column in fallen & wraps.keys() if _wrapped(totals.last[column], read[column], wraps[column])}
    if fallen - wrapped:
        return Totals(since_unix_nano=totals.seen_unix_nano, last=dict(read), seen_unix_nano=now_unix_nano)
    carried = {column: totals.carried.get(column, 0) + wraps[column] for column in wrapped}
    return Totals(
        since_unix_nano=totals.since_unix_nano,
        last={**totals.last, **read},
        carried={**totals.carried, **carried},
        seen_unix_nano=now_unix_nano,
    )


def _wrapped(before: Value, after: Value, limit: Value) -> bool:
    """From the upper half of the range to the lower: nearer to the end and a new start than to a reset."""
    return before > limit / 2 > after
