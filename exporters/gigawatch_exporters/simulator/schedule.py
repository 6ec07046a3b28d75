"""Which job runs on which nodes of a factory, second by second."""

from __future__ import annotations

import heapq
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gigawatch_exporters.simulator.checks import job_nodes
from gigawatch_exporters.simulator.scenario import USER_CLASSES, Factory, Mix, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

HISTORY: Final = 90_000.0
"""Seconds before the start of a scenario from which on random jobs are drawn."""


@dataclass(frozen=True, slots=True)
class Run:
    """One job on its nodes, from start to end."""

    start: float
    end: float
    user_class: int
    """Index into USER_CLASSES."""
    intensity: float
    memory: float
    iteration: float
    """Seconds that one step of the training takes at full speed."""


class Schedule:
    """The jobs of a factory. A slot is a set of nodes on which one job at a time runs; the last slot is idle."""

    def __init__(self, scenario: Scenario, factory: Factory) -> None:
        layout = factory.layout
        entropy = [scenario.seed, zlib.crc32(factory.id.encode())]
        self._nodes: list[npt.NDArray[np.int64]] = []
        self._runs: list[Iterator[Run]] = []
        for number, job in enumerate(job for job in scenario.jobs if job.factory == factory.id):
            self._nodes.append(np.array(job_nodes(job, layout, scenario.name)))
            iteration = np.random.default_rng([*entropy, 1, number]).uniform(6.0, 12.0)
            user_class = USER_CLASSES.index(job.user_class)
            run = Run(job.start, job.end, user_class, job.intensity, job.memory, iteration)
            self._runs.append(iter((run,)))
        free = np.setdiff1d(np.arange(layout.nodes), np.concatenate([*self._nodes, np.array([], np.int64)]))
        for mix in scenario.mixes:
            if mix.factory == factory.id:
                for number, block in enumerate(_blocks(free, mix, np.random.default_rng([*entropy, 2]))):
                    self._nodes.append(block)
                    self._runs.append(_random_runs(mix, np.random.default_rng([*entropy, 3, number])))
        self.idle: Final = len(self._runs)
        slots = self.idle + 1
        self.slot_of_node: Final = np.full(layout.nodes, self.idle)
        self.start: Final = np.zeros(slots)
        self.user_class: Final = np.full(slots, -1)
        self.intensity: Final = np.zeros(slots)
        self.memory: Final = np.zeros(slots)
        self.iteration: Final = np.ones(slots)
        self._due: list[tuple[float, bool, int, Run]] = []
        for slot in range(self.idle):
            self._next(slot)

    def advance(self, now: float) -> list[int]:
        """Bring the schedule to `now` (it never goes back); the slots on which a job began."""
        begun: dict[int, None] = {}
        while self._due and self._due[0][0] <= now:
            _, begins, slot, run = heapq.heappop(self._due)  # of one moment, ends come before beginnings
            if begins:
                self._begin(slot, run)
                begun[slot] = None
                heapq.heappush(self._due, (run.end, False, slot, run))
            else:
                self._end(slot)
                begun.pop(slot, None)
                self._next(slot)
        return list(begun)

    def _next(self, slot: int) -> None:
        run = next(self._runs[slot], None)
        if run is not None:
            heapq.heappush(self._due, (run.start, True, slot, run))

    def _begin(self, slot: int, run: Run) -> None:
        self.slot_of_node[self._nodes[slot]] = slot
        self.start[slot] = max(run.start, -HISTORY)
        self.user_class[slot] = run.user_class
        self.intensity[slot] = run.intensity
        self.memory[slot] = run.memory
        self.iteration[slot] = run.iteration

    def _end(self, slot: int) -> None:
        self.slot_of_node[self._nodes[slot]] = self.idle


def _blocks(free: npt.NDArray[np.int64], mix: Mix, random: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """The free nodes, cut into neighbours that take jobs together."""
    first = 0
    while first < len(free):
        size = int(random.integers(mix.nodes[0], mix.nodes[1], endpoint=True))
        yield free[first : first + size]
        first += size


def _random_runs(mix: Mix, random: np.random.Generator) -> Iterator[Run]:
    """One job after the other, for ever; the share of time without a job is 1 - occupancy."""
    if mix.occupancy == 0:
        return
    low, high = mix.length
    now = -HISTORY - float(random.uniform(0, high))
    while True:
        length = float(random.uniform(low, high))
        idle = float(random.uniform(0, 2)) * length * (1 - mix.occupancy) / mix.occupancy
        start = float(np.ceil(now + idle))
        now = float(np.ceil(start + length))
        yield Run(
            start=start,
            end=now,
            user_class=USER_CLASSES.index(mix.user_classes[int(random.integers(len(mix.user_classes)))]),
            intensity=float(random.uniform(*mix.intensity)),
            memory=float(random.uniform(0.4, 0.95)),
            iteration=float(random.uniform(5.0, 15.0)),
        )
