"""What a scenario must lead to, kept beside the simulation and apart from what is sent: the answers to check against.

Sums are over the seconds after the start, up to and including the last; nothing here depends on the export interval.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gigawatch_exporters.simulator.expected import Alert, Page, page_moments
from gigawatch_exporters.simulator.expected import alerts as alerts_of
from gigawatch_exporters.simulator.happenings import happenings
from gigawatch_exporters.simulator.moment import iso
from gigawatch_exporters.simulator.scenario import USER_CLASSES
from gigawatch_exporters.simulator.thermal import ThermalWindow
from gigawatch_exporters.simulator.world import World

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.scenario import Factory, Scenario

THERMAL: Final = ("software_thermal", "hardware_thermal")
REASONS: Final = ("software_power_cap", *THERMAL)


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
    factories: list[FactoryTruth]
    racks: list[RackTruth]
    accelerators: list[AcceleratorTruth]
    coverage: list[Minute]
    events: list[EventTruth]
    alerts: list[Alert]
    pages: list[Page]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)


def truth(scenario: Scenario, start_ns: int, duration: int, history: int = 0) -> Truth:
    """Run the scenario's worlds for `duration` seconds and keep the books."""
    found = Truth(
        scenario=scenario.name,
        title=scenario.title,
        seed=scenario.seed,
        start=iso(start_ns, 0),
        duration_s=duration,
        factories=[],
        racks=[],
        accelerators=[],
        coverage=[],
        events=[],
        alerts=[],
        pages=[],
    )
    for factory in scenario.factories:
        ledger = Ledger(scenario, factory, start_ns, duration, history)
        ledger.keep()
        found.factories.append(ledger.factory())
        found.racks.extend(ledger.racks())
        found.accelerators.extend(ledger.accelerators())
        found.coverage.extend(ledger.minutes)
        found.pages.extend(ledger.pages)
        found.alerts.extend(alerts_of(scenario, factory, ledger.window.spells, start_ns, duration))
        for event in happenings(scenario, factory):
            if 0 <= event.at < duration:
                found.events.append(
                    EventTruth(
                        event_id=event.event_id(start_ns),
                        time=iso(start_ns, event.at),
                        name=event.event.name,
                        factory=event.factory,
                        node=event.host_name,
                        accelerator=event.hw_id,
                        xid=event.code,
                        reported=event.reported,
                    )
                )
    found.alerts.sort(key=lambda alert: (alert.fires_at, alert.rule, sorted(alert.labels.items())))
    found.pages.sort(key=lambda page: (page.at, page.factory))
    return found


class Ledger:
    """The books of one factory."""

    def __init__(self, scenario: Scenario, factory: Factory, start_ns: int, duration: int, history: int) -> None:
        self._world: Final = World(scenario, factory, -history)
        self._world.run_to(0)
        self._start_ns: Final = start_ns
        self._duration: Final = duration
        shape = self._world.alive.shape
        self._throttled: Final = {reason: np.zeros(shape, np.int64) for reason in REASONS}
        self._energy_mj = np.zeros(shape, np.int64)
        self._lost_s = np.zeros(shape, np.int64)
        self._delivered_s = np.zeros(len(USER_CLASSES), np.int64)
        self._reporting: Final[list[tuple[int, int]]] = []
        self._page_moments: Final = set(page_moments(scenario, factory, duration))
        self.window: Final = ThermalWindow(shape)
        self.minutes: Final[list[Minute]] = []
        self.pages: Final[list[Page]] = []

    def keep(self) -> None:
        """Run to the end. A second's coverage is who reports at its beginning; its sums are known at its end."""
        for tick in range(self._duration):
            self._cover(tick)
            self._world.step()
            self._sum()
            if tick + 1 in self._page_moments:
                self.pages.append(self._page())

    def factory(self) -> FactoryTruth:
        """The factory's sums."""
        world = self._world
        return FactoryTruth(
            factory=world.factory.id,
            nodes=world.layout.nodes,
            accelerators=world.layout.accelerators,
            model=world.model.name,
            energy_j=self._energy_mj.sum().item() / 1000,
            lost_accelerator_hours=self._lost_s.sum().item() / 3600,
            delivered_hours={
                name: seconds / 3600
                for name, seconds in zip(USER_CLASSES, self._delivered_s.tolist(), strict=True)
                if seconds
            },
        )

    def racks(self) -> list[RackTruth]:
        """Each rack's sums."""
        layout = self._world.layout
        found: list[RackTruth] = []
        for first in range(0, layout.nodes, layout.nodes_per_rack):
            nodes = slice(first, first + layout.nodes_per_rack)
            found.append(
                RackTruth(
                    factory=layout.factory,
                    rack=layout.rack(first),
                    throttled_s={reason: total[nodes].sum().item() for reason, total in self._throttled.items()},
                    energy_j=self._energy_mj[nodes].sum().item() / 1000,
                )
            )
        return found

    def accelerators(self) -> list[AcceleratorTruth]:
        """Each accelerator's sums."""
        layout = self._world.layout
        return [
            AcceleratorTruth(
                factory=layout.factory,
                rack=layout.rack(node),
                node=layout.host_name(node),
                index=index,
                accelerator=layout.hw_id(node, index),
                throttled_s={reason: total[node, index].item() for reason, total in self._throttled.items()},
                energy_j=self._energy_mj[node, index].item() / 1000,
                lost_at=iso(self._start_ns, self._duration - lost)
                if (lost := self._lost_s[node, index].item())
                else None,
                lost_hours=lost / 3600,
            )
            for node in range(layout.nodes)
            for index in range(layout.accelerators_per_node)
        ]

    def _cover(self, tick: int) -> None:
        world = self._world
        nodes = ~world.silent
        self._lost_s += ~world.alive
        self._reporting.append((int(nodes.sum()), int((world.answering & nodes[:, None]).sum())))
        if (tick + 1) % 60 == 0 or tick + 1 == self._duration:
            by_node, by_accelerator = zip(*self._reporting, strict=True)
            self.minutes.append(
                Minute(
                    factory=world.factory.id,
                    minute=iso(self._start_ns, tick // 60 * 60),
                    nodes_expected=world.layout.nodes,
                    nodes_reporting=sum(by_node) / len(by_node),
                    accelerators_expected=world.layout.accelerators,
                    accelerators_reporting=sum(by_accelerator) / len(by_accelerator),
                )
            )
            self._reporting.clear()

    def _sum(self) -> None:
        world = self._world
        for reason, now in zip(REASONS, (world.power_held, world.thermal_held, world.thermal_cut), strict=True):
            self._throttled[reason] += now
        self._energy_mj += world.power_mw
        self.window.add(world.thermal_held | world.thermal_cut)
        classes = np.repeat(world.user_class(), world.layout.accelerators_per_node)[world.alive.ravel()]
        self._delivered_s += np.bincount(classes[classes >= 0], minlength=len(USER_CLASSES))

    def _page(self) -> Page:
        world, layout = self._world, self._world.layout
        lost = [layout.hw_id(node, index) for node, index in np.argwhere(~world.alive).tolist()]
        hung = [layout.hw_id(node, index) for node, index in np.argwhere(world.hung & world.alive).tolist()]
        racks: dict[str, int] = {}
        for node in np.argwhere(self.window.active & world.alive)[:, 0].tolist():
            racks[layout.rack(node)] = racks.get(layout.rack(node), 0) + 1
        return Page(
            at=iso(self._start_ns, world.tick),
            factory=world.factory.id,
            nodes_expected=layout.nodes,
            nodes_reporting=int((~world.silent).sum()),
            nodes_silent=[layout.host_name(node) for node in np.flatnonzero(world.silent).tolist()],
            accelerators_expected=layout.accelerators,
            accelerators_reporting=int((world.answering & ~world.silent[:, None]).sum()),
            accelerators_lost=lost,
            accelerators_unresponsive=hung,
            throttling_by_rack=racks,
        )
