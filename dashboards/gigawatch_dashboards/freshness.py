"""How fresh the data of a factory is, judged by the export interval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

State = Literal["fresh", "late", "stalled", "none"]
LATE: Final = 2
STALLED: Final = 3
"""Export intervals without a newer sample after which the pipeline is late, or stalled."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The newest sample of a factory, how old it is at a moment, and what that means."""

    newest: datetime | None
    age: timedelta | None
    interval: timedelta
    state: State


def freshness(newest: datetime | None, received: datetime | None, now: datetime, interval: timedelta) -> Freshness:
    """Judge a factory's newest sample.

    Its age is the longer of "since it was taken" and "since it was stored": a clock that runs ahead hides no stall.
    """
    if newest is None:
        return Freshness(None, None, interval, "none")
    age = max(now - newest, now - (received or newest), timedelta())
    state: State = "stalled" if age > STALLED * interval else "late" if age > LATE * interval else "fresh"
    return Freshness(newest, age, interval, state)
