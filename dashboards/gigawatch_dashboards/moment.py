"""The clock of a page: the moment it shows, and the windows around it that queries read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gigawatch_dashboards.view import Range, View

RECENT: Final = timedelta(minutes=1)
"""What has not reported for this long is not reporting now."""
AHEAD: Final = timedelta(minutes=5)
"""How far a node's clock may run ahead and its samples still be accepted: live pages read up to there."""
LOOK_BACK: Final = timedelta(days=7)
"""How far back a page searches for the last sign of something that is silent."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, its start left out and its end included, as every query reads it."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Spans(Window):
    """A window cut into spans of equal width, each a point of a chart.

    Nothing after `bound`, which may lie within the last span, belongs to it or was to be expected.
    """

    width: timedelta
    bound: datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment that a page shows: now, live, or a past one."""

    time: datetime
    live: bool

    @classmethod
    def of(cls, view: View, now: datetime) -> Moment:
        """The view's moment; one that has not come yet is now."""
        if view.at is None or view.at >= now:
            return cls(now, live=True)
        return cls(view.at, live=False)

    @property
    def end(self) -> datetime:
        """The newest time that belongs to this moment."""
        return self.time + AHEAD if self.live else self.time

    @property
    def recent(self) -> Window:
        """What counts as "now"."""
        return Window(self.time - RECENT, self.end)

    @property
    def past(self) -> Window:
        """Where to search for the last sign of what is silent."""
        return Window(self.time - LOOK_BACK, self.end)

    def spans(self, shown: Range, newest: datetime | None, interval: timedelta) -> Spans:
        """What a chart shows: up to the newest sample while data comes, up to the moment itself when it does not.

        It ends half an interval after the newest sample, so that the borders between points lie between samples: were
        they on them, jitter alone would put three samples in one point and one in the next. A point is two intervals wide
        or more: each accelerator that reports is in every point, and no gap is only jitter.
        """
        width = max(shown.width, 2 * interval)
        if newest is not None and self.time - newest <= 2 * interval:
            bound = min(newest, self.time)
            until = bound + interval / 2
        else:
            bound = until = self.time
        return Spans(until - ceil(shown.span / width) * width, until, width, bound)
