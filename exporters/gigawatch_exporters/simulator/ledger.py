"""Keeps the truth of a run: beside the simulation, from its state and not from what is sent.

Sums are over the seconds after the start, up to and including the last; nothing here depends on the export interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gigawatch_exporters.simulator.expected import Page, alerts, page_moments
from gigawatch_exporters.simulator.happenings import happenings
from gigawatch_exporters.simulator.moment import iso
from gigawatch_exporters.simulator.scenario import USER_CLASSES
from gigawatch_exporters.simulator.thermal import ThermalWindow
from gigawatch_exporters.simulator.truth import AcceleratorTruth, EventTruth, FactoryTruth, Minute, RackTruth, Truth
from gigawatch_exporters.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gigawatch_exporters.simulator.expected import Alert
    from gigawatch_exporters.simulator.scenario import Factory, Scenario

REASONS: Final = ("software_power_cap", "software_thermal", "hardware_thermal")


def truth(scenario: Scenario, start_ns: int, duration: int, history: int = 0) -> Truth:
    """Run the scenario's worlds for `duration` seconds and keep the books."""
    ledgers = [Ledger(scenario, factory, start_ns, duration, history) for factory in scenario.factories]
    for ledger in ledgers:
        ledger.keep()
    found = [alert for ledger in ledgers for alert in ledger.alerts()]
    pages = [page for ledger in ledgers for page in ledger.pages]
    return Truth(
        scenario=scenario.name,
        title=scenario.title,
        seed=scenario.seed,
        start=iso(start_ns, 0),
        duration_s=duration,
        factories=tuple(ledger.factory() for ledger in ledgers),
        racks=tuple(rack for ledger in ledgers for rack in ledger.racks()),
        accelerators=tuple(accelerator for ledger in ledgers for accelerator in ledger.accelerators()),
        coverage=tuple(minute for ledger in ledgers for minute in ledger.minutes),
        events=tuple(event for ledger in ledgers for event in ledger.events()),
        alerts=tuple(sorted(found, key=lambda alert: (alert.fires_at, alert.rule, sorted(alert.labels.items())))),
        pages=tuple(sorted(pages, key=lambda page: (page.at, page.factory))),
    )


class Ledger:
    """The books of one factory."""

    def __init__(self, scenario: Scenario, factory: Factory, start_ns: int, duration: int, history: int) -> None:
        self._world: Final = World(scenario, factory, -history)
        self._world.run_to(0)
        self._scenario: Final = scenario
        self._start_ns: Final = start_ns
        self._duration: Final = duration
        shape = self._world.alive.shape
        self._throttled: Final = {reason: np.zeros(shape, np.int64) for reason in REASONS}
        self._energy_mj = np.zeros(shape, np.int64)
        self._lost_s = np.zeros(shape, np.int64)
        self._delivered_s = np.zeros(len(USER_CLASSES), np.int64)
        self._reporting: Final[list[tuple[int, int]]] = []
        self._page_moments: Final = set(page_moments(scenario, factory, duration))
        self._window: Final = ThermalWindow(shape)
        self.minutes: Final[list[Minute]] = []
        self.pages: Final[list[Page]] = []

    def keep(self) -> None:
        """Run to the end. Who is there and for whom is looked up at a second's beginning; its sums are known at its end."""
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

    def events(self) -> Iterator[EventTruth]:
        """Each event of the run."""
        for event in happenings(self._scenario, self._world.factory):
            if 0 <= event.at < self._duration:
                yield EventTruth(
                    event_id=event.happened(self._start_ns).id,
                    time=iso(self._start_ns, event.at),
                    name=event.event.name,
                    factory=event.factory,
                    node=event.host_name,
                    accelerator=event.hw_id,
                    xid=event.code,
                    reported=event.reported,
                )

    def alerts(self) -> Iterator[Alert]:
        """Each alert of the run."""
        return alerts(self._scenario, self._world.factory, self._window.spells, self._start_ns, self._duration)

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
        classes = np.repeat(world.user_class(), world.layout.accelerators_per_node)[world.alive.ravel()]
        self._delivered_s += np.bincount(classes[classes >= 0], minlength=len(USER_CLASSES))
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
        self._window.add(world.thermal_held | world.thermal_cut)

    def _page(self) -> Page:
        world, layout = self._world, self._world.layout
        lost = [layout.hw_id(node, index) for node, index in np.argwhere(~world.alive).tolist()]
        hung = [layout.hw_id(node, index) for node, index in np.argwhere(world.hung & world.alive).tolist()]
        racks: dict[str, int] = {}
        for node in np.argwhere(self._window.active & world.alive)[:, 0].tolist():
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
