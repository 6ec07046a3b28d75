"""What a request says, decoded: the seam between every decoder and the writer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

Value = float | int | None
DETAILS: Final = 3
"""Sentences that a sender is told at most."""
Time = int
"""Microseconds since 1970, as the database keeps it."""


@dataclass(slots=True)
class Row:
    """What one thing said at one time: values in the order of its table's readings, None where it said nothing."""

    values: list[Value]
    since: Time | None = None
    """Start of the counters among the values; the newest, where they differ."""
    blanks: int = 0
    """Points that came and said "no value", so that every point is accounted for."""

    @property
    def points(self) -> int:
        """Points that made this row."""
        return len(self.values) - self.values.count(None) + self.blanks


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An accelerator as its node's resource lists it."""

    hw_id: str
    index: int | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the resource, as far as the schema knows it. Without a host name there is no node."""

    factory: str
    simulated: bool
    host_name: str | None = None
    host_id: str | None = None
    rack: str | None = None
    vendor: str | None = None
    driver_version: str | None = None
    accelerators: tuple[Accelerator, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A series that the contract does not know; `identity` is a hash of all that tells it from others."""

    identity: bytes
    name: str
    unit: str
    kind: str
    temporality: str
    attributes: str
    """JSON."""
    scope: str
    """JSON: name, version, schema_url."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A point of a histogram, exponential histogram or summary, as JSON."""

    series: Series
    time: Time
    since: Time | None
    body: str


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a sender."""

    event_id: str
    time: Time
    name: str
    severity_number: int | None
    body: str | None
    attributes: str
    """JSON."""
    hw_id: str | None


@dataclass(slots=True)
class Telemetry:
    """Everything that one sender says in one request."""

    sender: Sender
    accelerators: dict[tuple[str, Time], Row] = field(default_factory=dict[tuple[str, Time], Row])
    nodes: dict[Time, Row] = field(default_factory=dict[Time, Row])
    others: dict[tuple[Series, Time], Row] = field(default_factory=dict[tuple[Series, Time], Row])
    distributions: list[Distribution] = field(default_factory=list[Distribution])
    events: list[Happening] = field(default_factory=list[Happening])

    def newest(self) -> Time | None:
        """The newest time of its samples."""
        return max((*(time for _, time in self.accelerators), *self.nodes), default=None)

    @property
    def points(self) -> int:
        """Data points and log records that it holds."""
        rows = (*self.accelerators.values(), *self.nodes.values(), *self.others.values())
        return sum(row.points for row in rows) + len(self.distributions) + len(self.events)


@dataclass(slots=True)
class Batch:
    """One request, decoded. Every point of it is in `telemetry`, or counted in `rejected`, `duplicate` or `conflict`."""

    telemetry: list[Telemetry] = field(default_factory=list[Telemetry])
    points: int = 0
    """Data points or log records that came."""
    rejected: Counter[str] = field(default_factory=Counter[str])
    """By reason: a key of rejects.REASONS."""
    details: list[str] = field(default_factory=list[str])
    """Sentences for the sender about what was rejected or stored elsewhere."""
    duplicate: int = 0
    """Points that repeat another one of the same request."""
    conflict: int = 0
    """Points that contradict another one of the same request; the first stays."""
    nulled: Counter[str] = field(default_factory=Counter[str])
    """Values stored as NULL: not_finite, out_of_range."""
    mismatched: int = 0
    """Points with a name of the contract and another unit, kind, type or attributes: stored as other points."""
    exemplars: int = 0
    """Exemplars dropped."""

    def note(self, detail: str) -> None:
        """Tell the sender something; of many such sentences, a few."""
        if len(self.details) < DETAILS and detail not in self.details:
            self.details.append(detail)

    def reject(self, reason: str, points: int = 1, detail: str | None = None) -> None:
        """Count points as rejected, with a sentence where the reason alone does not say enough."""
        self.rejected[reason] += points
        if detail is not None:
            self.note(detail)


def combine(row: Row, more: Row) -> tuple[int, int]:
    """Add to a row what it lacks; returns how many points were duplicates and how many conflicts (the first stays)."""
    duplicate = conflict = 0
    for index, value in enumerate(more.values):
        if value is None:
            continue
        held = row.values[index]
        if held is None:
            row.values[index] = value
        elif held == value:
            duplicate += 1
        else:
            conflict += 1
    row.blanks += more.blanks
    if more.since is not None:
        row.since = more.since if row.since is None else max(row.since, more.since)
    return duplicate, conflict
