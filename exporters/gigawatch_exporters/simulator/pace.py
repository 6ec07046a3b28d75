"""When the story starts and ends, and when each of its exports is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.simulator import span

LONGEST_HISTORY = 86_400.0
"""A collector takes 26 hours of the past."""
EARLIEST, LATEST = 1e8, 4e9
"""Unix times between 1973 and 2096: what is beside them is a slip of the keyboard, or milliseconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A run of a scenario against the clock."""

    start: float
    """Unix time at which the story starts."""
    history: int
    """Seconds before the start that are sent first: what of them is past, as fast as possible."""
    end: float | None
    """Seconds from the start at which the run ends; None: never."""
    speed: float
    began: float
    """Unix time at which the run begins."""

    @property
    def start_ns(self) -> int:
        """The start in nanoseconds."""
        return round(self.start * 1e6) * 1000

    def due(self, time_unix_nano: int) -> float:
        """The Unix time at which an export is to be sent; what is past is due at once."""
        into = (time_unix_nano - self.start_ns) / 1e9
        if self.speed == 0:
            return self.began
        return max(self.began, self.start) + into / self.speed


def plan(*, now: float, start: str | None, duration: str | None, backfill: str, speed: float, story: float) -> Pace:
    """The pace that the flags ask for; `story` is the scenario's own duration.

    Raises:
        ConfigurationError: a flag is not a time or a span; names it.
    """
    length = _span(duration, "duration") if duration is not None else None
    if length is None and speed != 1:
        length = story
    history = _span(backfill, "backfill")
    if not 0 <= history <= LONGEST_HISTORY:
        raise ConfigurationError(f"backfill = {backfill!r}: between 0s and 24h; a collector takes no older times")
    if length is not None and length <= 0:
        raise ConfigurationError(f"duration = {duration!r}: more than 0s")
    before = 0.0 if speed == 1 or length is None else length
    begin = now - before if start is None else _moment(start, now)
    return Pace(begin, round(history), length, speed, now)


def _span(text: str, key: str) -> float:
    try:
        found = span.seconds(text)
    except ValueError:
        raise ConfigurationError(f"{key} = {text!r} is not a span of time such as 90s, 10m or 1h30m") from None
    if not abs(found) < float("inf"):
        raise ConfigurationError(f"{key} = {text!r} is not a span of time such as 90s, 10m or 1h30m")
    return found


def _moment(text: str, now: float) -> float:
    """A time: ISO 8601 (UTC unless it says otherwise), Unix seconds, or a span from now with its sign."""
    if text == "now":
        return now
    if text[:1] in {"-", "+"}:
        return now + _span(text, "start")
    try:
        found = float(text) if text.replace(".", "", 1).isdecimal() else _iso(text)
    except ValueError:
        found = -1.0
    if not EARLIEST <= found <= LATEST:
        raise ConfigurationError(
            f"start = {text!r} is not a time such as 2026-11-23T12:00:00Z, nor a span from now such as -30m"
        )
    return found


def _iso(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
