"""What a scenario must lead to: the answers that a database, a page or a webhook is checked against."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.expected import Alert, Page


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceleratorTruth:
    """One accelerator over the whole run."""

    factory: str
    rack: str
    node: str
    index: int
    accelerator: str
    """Its `hw.id`."""
    throttled_s: dict[str, int]
    energy_j: float
    lost_at: str | None
    lost_hours: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RackTruth:
    """One rack over the whole run: accelerator-seconds throttled, joules of its accelerators."""

    factory: str
    rack: str
    throttled_s: dict[str, int]
    energy_j: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FactoryTruth:
    """One factory over the whole run."""

    factory: str
    nodes: int
    accelerators: int
    model: str
    energy_j: float
    lost_accelerator_hours: float
    delivered_hours: dict[str, float]
    """Accelerator-hours by user class: held by a job, and there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Minute:
    """Who reported in one minute: means over its seconds."""

    factory: str
    minute: str
    nodes_expected: int
    nodes_reporting: float
    accelerators_expected: int
    accelerators_reporting: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EventTruth:
    """One event, by the id under which it must be found everywhere."""

    event_id: str
    time: str
    name: str
    factory: str
    node: str
    accelerator: str
    xid: int | None
    reported: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """All of it."""

    scenario: str
    title: str
    seed: int
    start: str
    duration_s: int
    factories: tuple[FactoryTruth, ...]
    racks: tuple[RackTruth, ...]
    accelerators: tuple[AcceleratorTruth, ...]
    coverage: tuple[Minute, ...]
    events: tuple[EventTruth, ...]
    alerts: tuple[Alert, ...]
    pages: tuple[Page, ...]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)
