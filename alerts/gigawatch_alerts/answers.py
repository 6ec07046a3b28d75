"""What an attempt's end means: delivered, to be tried again and when, given up, or the receiver wants no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import random

FIRST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(hours=1)
LONGEST_WISH: Final = timedelta(days=1)
"""The most that a receiver's Retry-After is heeded."""
GONE: Final = 410

Verdict = Literal["delivered", "again", "dead", "gone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """How an attempt ended: with a status, or without one and why. Never what the receiver wrote."""

    status: int | None = None
    error: str | None = None
    retry_after: str | None = None

    @property
    def delivered(self) -> bool:
        """Only 2xx is success: a redirect is none, and is not followed."""
        return self.status is not None and 200 <= self.status < 300


def judge(answer: Answer, *, age: timedelta, give_up_after: timedelta) -> Verdict:
    """What to do after an attempt for a message of this age."""
    if answer.delivered:
        return "delivered"
    if answer.status == GONE:
        return "gone"
    return "dead" if age >= give_up_after else "again"


def pause(answer: Answer, attempts: int, now: datetime, chance: random.Random) -> timedelta:
    """How long to wait after so many attempts failed: 5 s doubling to an hour, or longer if the receiver asks for it.

    Up to half of it is taken off by chance, so that a receiver that comes back is not met by all groups at once.
    """
    most = min(LONGEST, FIRST * 2 ** min(attempts - 1, 20))
    return max(most * chance.uniform(0.5, 1), min(_wish(answer.retry_after, now), LONGEST_WISH))


def _wish(header: str | None, now: datetime) -> timedelta:
    """What Retry-After asks for: seconds or a date; nothing where it is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:12]), LONGEST_WISH.total_seconds()))
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=date.tzinfo or UTC) - now
    except (ValueError, OverflowError):
        return timedelta()
