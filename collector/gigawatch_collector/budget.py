"""Bytes in flight: what the collector holds in memory for requests that are not answered yet."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gigawatch_collector import refusal

if TYPE_CHECKING:
    from collections.abc import Generator


@dataclass(slots=True)
class Budget:
    """A number of bytes that all requests in flight share."""

    limit: int
    used: int = 0

    def check(self, more: int) -> None:
        """Refuse now what would not fit when it has arrived."""
        if self.used + more > self.limit:
            raise refusal.overload(self.limit)

    @contextmanager
    def claim(self) -> Generator[Claim]:
        """What one request holds until it is answered."""
        claim = Claim(self)
        try:
            yield claim
        finally:
            self.used -= claim.held


@dataclass(slots=True)
class Claim:
    """The part of a budget that one request holds."""

    budget: Budget
    held: int = 0

    def add(self, more: int) -> None:
        """Hold more bytes, or refuse the request."""
        self.budget.check(more)
        self.budget.used += more
        self.held += more
