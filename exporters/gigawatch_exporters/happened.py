"""Something that happened to an accelerator: what becomes an OTLP log record."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from gigawatch_contract.events import event_id

if TYPE_CHECKING:
    from gigawatch_contract.events import Event


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by both clocks: one for how long ago, one for what to tell others."""

    monotonic: float
    unix_nano: int

    @classmethod
    def now(cls) -> Self:
        """The moment of the call."""
        return cls(time.monotonic(), time.time_ns())


@dataclass(frozen=True, kw_only=True, slots=True)
class Happened:
    """One event of one accelerator. Its id is made of what it says, so a repeat of it is the same event."""

    event: Event
    hw_id: str
    time_unix_nano: int
    body: str
    """A sentence for a person."""
    xid: int | None = None

    @property
    def id(self) -> str:
        """The same wherever the event is spoken of."""
        return event_id(self.event.name, self.hw_id, self.time_unix_nano, "" if self.xid is None else str(self.xid))
