"""Which times are accepted: a sample from long ago or from the future is refused before it reaches the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SECOND: Final = 1_000_000_000
AHEAD: Final = 5 * 60 * SECOND
"""How far a node's clock may run ahead."""


@dataclass(frozen=True, slots=True)
class Window:
    """Times from `earliest` to `latest`, both included, in nanoseconds since 1970."""

    earliest: int
    latest: int

    @classmethod
    def around(cls, now: int, accept: float) -> Window:
        """What is accepted at `now` (ns): up to `accept` seconds old, up to 5 minutes ahead."""
        return cls(now - int(accept * SECOND), now + AHEAD)

    def objection(self, time: int) -> str | None:
        """Why a point of this time is rejected: a key of rejects.REASONS, or None."""
        if self.earliest <= time <= self.latest:
            return None
        if time == 0:
            return "no_time"
        return "too_old" if time < self.earliest else "in_future"
