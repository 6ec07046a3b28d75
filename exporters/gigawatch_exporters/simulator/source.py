"""One simulated node as the fake NVML libraries show it: the fleet and the fakes tell one story."""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.fake.state import AcceleratorState, NodeState, XidEvent
from gigawatch_exporters.simulator.happenings import Happening, happenings
from gigawatch_exporters.simulator.library import load
from gigawatch_exporters.simulator.readings import DRIVER, accelerator_columns
from gigawatch_exporters.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gigawatch_exporters.fake.state import Source
    from gigawatch_exporters.simulator.scenario import Factory, Scenario


def node_source(scenario: str, host_name: str, start: float, clock: Callable[[], float] = time.time) -> Source:
    """What is true now of one node of a scenario that starts at `start` (Unix time); before that, its first second.

    Raises:
        ConfigurationError: the scenario has no such node; names the ones it has.
    """
    story = load(scenario)
    factory, node = _find(story, host_name)
    world = World(story, factory)
    xids = [event for event in happenings(story, factory) if event.node == node and event.code is not None]
    lock = threading.Lock()

    @lru_cache(maxsize=1)  # a library asks many times a second, in which nothing changes
    def shown(_tick: int, events: int) -> NodeState:
        return state(world, node, xids[:events])

    def now() -> NodeState:
        with lock:
            into = clock() - start
            world.run_to(int(into))
            return shown(world.tick, sum(event.at <= into for event in xids))

    return now


def state(world: World, node: int, xids: Sequence[Happening]) -> NodeState:
    """One node of a world, and its XIDs so far."""
    columns = accelerator_columns(world, np.array([node]))
    return NodeState(
        accelerators=tuple(
            AcceleratorState(
                hw_id=world.layout.hw_id(node, index),
                model=world.model.name,
                pci_bus_id=f"00000000:{0x1A + 0x10 * index & 0xFF:02X}:00.0",
                readings={name: column[0, index].item() for name, column in columns.items()},
                lost=not world.alive[node, index],
                hang=bool(world.hung[node, index]),
                recovery_action=0,
            )
            for index in range(world.layout.accelerators_per_node)
        ),
        events=tuple(
            XidEvent(hw_id=event.hw_id, code=event.code or 0, sequence=number)
            for number, event in enumerate(xids, start=1)
        ),
        driver_version=DRIVER,
    )


def _find(scenario: Scenario, host_name: str) -> tuple[Factory, int]:
    for factory in scenario.factories:
        node = factory.layout.find(host_name)
        if node is not None and factory.layout.host_name(node) == host_name:
            return factory, node
    examples = ", ".join(factory.layout.host_name(0) for factory in scenario.factories)
    raise ConfigurationError(
        f"scenario {scenario.name} has no node {host_name!r}; its nodes are called like {examples}"
    )
