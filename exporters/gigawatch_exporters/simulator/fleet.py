"""What a simulated fleet sends, in order of time: each node at its own moment of the interval."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from gigawatch_exporters.simulator.happenings import happenings, log_body
from gigawatch_exporters.simulator.library import load
from gigawatch_exporters.simulator.otlp import Encoder
from gigawatch_exporters.simulator.readings import read
from gigawatch_exporters.simulator.world import SECOND_NS, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gigawatch_exporters.simulator.scenario import Factory, Scenario
    from gigawatch_exporters.simulator.world import Integers

Kind = Literal["metrics", "logs"]


@dataclass(frozen=True, slots=True)
class Export:
    """One OTLP request of one node."""

    time_unix_nano: int
    kind: Kind
    host_name: str
    body: bytes
    points: int
    """Number points, or log records."""


class Fleet:
    """All factories of a scenario that starts at `start_ns`, with `history` seconds of normal life before."""

    def __init__(self, scenario: Scenario, start_ns: int, interval: float = 15.0, history: int = 0) -> None:
        self.tick: int = -history
        self._sites: Final = [_Site(scenario, factory, start_ns, interval, history) for factory in scenario.factories]

    def second(self) -> list[Export]:
        """What is sent in the second after the fleet's tick; then the tick moves on."""
        found = [export for site in self._sites for export in site.second(self.tick)]
        self.tick += 1
        return sorted(found, key=lambda export: export.time_unix_nano)


class _Site:
    def __init__(self, scenario: Scenario, factory: Factory, start_ns: int, interval: float, history: int) -> None:
        self._world: Final = World(scenario, factory, -history)
        self._encoder: Final = Encoder(self._world)
        self._start_ns: Final = start_ns
        self._interval_ns: Final = round(interval * SECOND_NS)
        random = np.random.default_rng([scenario.seed, zlib.crc32(factory.id.encode()), 4])
        self._phase_ns: Final[Integers] = (
            random.uniform(0, interval, factory.layout.nodes) * SECOND_NS // 1_000_000 * 1_000_000
        ).astype(np.int64)
        self._happenings: Final = [event for event in happenings(scenario, factory) if event.reported]

    def second(self, tick: int) -> list[Export]:
        world, encoder = self._world, self._encoder
        world.run_to(tick)
        nodes, time_ns = self._due(tick)
        readings = read(world, nodes, time_ns, self._start_ns)
        points = encoder.points(readings).tolist()
        bodies = encoder.encode(readings)
        found = [
            Export(time, "metrics", encoder.who(node).host_name, body, count)
            for node, time, body, count in zip(nodes.tolist(), time_ns.tolist(), bodies, points, strict=True)
        ]
        for event in self._happenings:
            if tick <= event.at < tick + 1:
                body = log_body(event.happened(self._start_ns), encoder.who(event.node))
                found.append(Export(event.time_unix_nano(self._start_ns), "logs", event.host_name, body, 1))
        return found

    def _due(self, tick: int) -> tuple[Integers, Integers]:
        """The nodes that send in the second after `tick`, and when."""
        since_start = tick * SECOND_NS
        late = -(-(since_start - self._phase_ns) // self._interval_ns)
        time = self._phase_ns + late * self._interval_ns
        due = np.flatnonzero((time < since_start + SECOND_NS) & ~self._world.silent)
        return due, self._start_ns + time[due]


def bodies(
    scenario: str | Scenario, start: float, duration: float, interval: float = 15.0
) -> Iterator[tuple[int, Kind, str, bytes]]:
    """Everything that a fleet sends in `duration` seconds from `start` (Unix time): (time in ns, kind, host, body)."""
    fleet = Fleet(load(scenario) if isinstance(scenario, str) else scenario, round(start * 1e9), interval)
    while fleet.tick < duration:
        for export in fleet.second():
            yield export.time_unix_nano, export.kind, export.host_name, export.body
