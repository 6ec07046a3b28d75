"""When the reader process is replaced, and when not; pure.

A reader that died is started again at once, then ever more slowly. One that lives while an accelerator hangs, fails or is
lost is worth another try, because a new process sees the bus anew: but it is only let go when the new one has done as
well as it does, and never when earlier ones are still stuck in the driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from gigawatch_exporters.watchdog import ANSWERING

if TYPE_CHECKING:
    from collections.abc import Collection

    from gigawatch_exporters.watchdog import Watch

Cause = Literal["hung", "rescan"]

FIRST_AFTER_DEATH: Final = 0.5
LONGEST_AFTER_DEATH: Final = 60.0
LIVED: Final = 60.0
"""Seconds after which a death counts as the first again."""
FIRST_AFTER_TROUBLE: Final = 30.0
LONGEST_AFTER_TROUBLE: Final = 3600.0
STUCK_READERS: Final = 3
"""With so many killed readers that do not die, no other is risked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often replacing was tried in vain, and when it may be tried again (monotonic)."""

    tries: int = 0
    not_before: float = 0.0

    def tried(self, now: float, first: float, longest: float) -> Patience:
        """After another try."""
        return Patience(tries=self.tries + 1, not_before=now + min(longest, first * 2**self.tries))


def after_death(patience: Patience, now: float, lived: float) -> Patience:
    """When to start the next reader after one that lived for so many seconds."""
    fresh = Patience() if lived > LIVED else patience
    return fresh.tried(now, FIRST_AFTER_DEATH, LONGEST_AFTER_DEATH)


def after_try(patience: Patience, now: float) -> Patience:
    """When to try again to better a reader that lives."""
    return patience.tried(now, FIRST_AFTER_TROUBLE, LONGEST_AFTER_TROUBLE)


def cause(watch: Watch, patience: Patience, now: float, *, reader_age: float, hang: float, stuck: int) -> Cause | None:
    """Why a reader that lives should be replaced now. `hang` is after how many seconds of silence."""
    if now < patience.not_before or stuck >= STUCK_READERS:
        return None
    known = watch.accelerators.values()
    if not watch.complete and reader_age > hang:
        return "hung"
    if any(each.state == "unresponsive" and now - each.heard_at > hang for each in known):
        return "hung"
    if any(each.state in {"lost", "failed"} for each in known):
        return "rescan"
    return None


def healthy(watch: Watch) -> bool:
    """Whether there is nothing to better."""
    return all(each.state in ANSWERING for each in watch.accelerators.values())


def does_as_well(watch: Watch, answered: Collection[str], counted: bool) -> bool:
    """Whether a new reader has heard of all that the old one hears of."""
    return counted and all(each.hw_id in answered for each in watch.accelerators.values() if each.state in ANSWERING)
