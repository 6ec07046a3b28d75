"""A factory over time as charts need it: every span of the window, with None where nothing was seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gigawatch_dashboards.moment import Window
from gigawatch_dashboards.queries.series import TICK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatch_dashboards.moment import Spans
    from gigawatch_dashboards.queries.series import Expected, Gauges, Rates


@dataclass(frozen=True, slots=True)
class Point:
    """One span: from when to when, what was seen in it, and how many samples there should be (None: not known)."""

    since: datetime
    until: datetime
    expected: float | None
    gauges: Gauges | None
    rates: Rates | None

    @property
    def time(self) -> datetime:
        """The middle of the span: where a chart draws it."""
        return self.since + (self.until - self.since) / 2

    @property
    def coverage(self) -> float | None:
        """Share of the expected samples that are there, at most 1; None where nothing was expected."""
        if not self.expected:
            return None
        return min(1.0, (self.gauges.samples if self.gauges else 0) / self.expected)


@dataclass(frozen=True, slots=True)
class Series:
    """Every span of a window, in order."""

    spans: Spans
    interval: timedelta
    points: tuple[Point, ...]

    @property
    def coverage(self) -> float | None:
        """Share of all samples that were expected; None where there was no inventory."""
        expected = [(point.expected, point.coverage) for point in self.points if point.expected]
        if not expected:
            return None
        return sum(count * (share or 0.0) for count, share in expected) / sum(count for count, _ in expected)

    @property
    def gaps(self) -> list[Window]:
        """The spans without any sample between two with samples, or after the last one: where telemetry is missing.

        Before the first sample of the window nothing is a gap unless something was expected.
        """
        found: list[Window] = []
        begun = False
        for point in self.points:
            begun = begun or point.gauges is not None
            if point.gauges is None and (begun or point.expected):
                if found and found[-1].until == point.since:
                    found[-1] = Window(found[-1].since, point.until)
                else:
                    found.append(Window(point.since, point.until))
        return found if begun else []


def series(
    spans: Spans,
    interval: timedelta,
    *,
    gauges: Sequence[Gauges],
    rates: Sequence[Rates],
    inventory: Sequence[Expected],
) -> Series:
    """Lay rows out on every span of a window."""
    by_start = {row.start: row for row in gauges}
    rates_by_start = {row.start: row for row in rates}
    points: list[Point] = []
    for number in range(round((spans.until - spans.since) / spans.width), 0, -1):
        end = spans.until - (number - 1) * spans.width
        start = end - spans.width
        told = min(end, spans.bound)
        expected = _expected(start, told, inventory)
        samples = None if expected is None else expected * ((told - start) / interval)
        points.append(Point(start, end, samples, by_start.get(start + TICK), rates_by_start.get(start + TICK)))
    return Series(spans, interval, tuple(points))


def _expected(since: datetime, until: datetime, inventory: Sequence[Expected]) -> float | None:
    """Accelerators that should be there through a span: the time-weighted mean of the inventory's versions."""
    found = 0.0
    for version in inventory:
        overlap = min(until, version.valid_to or until) - max(since, version.valid_from)
        found += version.accelerators * max(timedelta(), overlap) / (until - since)
    return found or None
