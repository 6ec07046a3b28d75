from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gigawatch_contract import metrics
from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.fake.state import XidEvent
from gigawatch_exporters.simulator import node_source
from gigawatch_exporters.simulator.readings import identity, read, snapshot
from gigawatch_exporters.simulator.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from gigawatch_exporters.simulator.scenario import Scenario

START = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def test_a_fake_library_shows_what_the_fleet_sends(tiny: Scenario, tiny_file: Path) -> None:
    clock, world = Clock(), World(tiny, tiny.factories[0])
    source = node_source(str(tiny_file), "tiny-r01n02", START, clock)
    for tick in (0, 45, 100):
        world.run_to(tick)
        clock.now = START + tick + 0.5
        readings = read(world, np.array([1]), np.array([int(clock.now * 1e9)]), int(START) * 10**9)
        sent = snapshot(readings, 0, identity(world, 1))
        shown = source()
        assert [dict(each.readings) for each in shown.accelerators] == [dict(each.values) for each in sent.accelerators]
        assert [each.hw_id for each in shown.accelerators] == [each.hw_id for each in sent.accelerators]


def test_readings_are_whole_in_the_units_of_nvml(tiny_file: Path) -> None:
    """A fake hands out mW, mJ, MHz, KiB, ns and percent: nothing may be lost on the way there and back."""
    clock = Clock()
    source = node_source(str(tiny_file), "tiny-r01n01", START, clock)
    clock.now += 50
    scale = {"W": 1e3, "J": 1e3, "s": 1e9, "1": 100, "Cel": 1, "Hz": 1e-6, "By": 1, "{error}": 1}
    for each in source().accelerators:
        for column, value in each.readings.items():
            assert value is not None
            there = value * scale[metrics.BY_COLUMN["accelerator", column].unit]
            assert there == pytest.approx(round(there), abs=1e-4), column
        assert (each.readings["nvlink_receive"] or 0) % 1024 == 0


def test_faults_are_shown_at_their_time(tiny_file: Path) -> None:
    clock = Clock()
    source, hung = (node_source(str(tiny_file), f"tiny-{node}", START, clock) for node in ("r01n01", "r02n01"))
    assert not source().events
    clock.now = START + 59.9
    assert not source().events
    clock.now = START + 60
    (xid,) = source().events
    assert xid == XidEvent(hw_id=source().accelerators[1].hw_id, code=79, sequence=1)
    assert not source().accelerators[1].lost
    clock.now = START + 61
    assert [each.lost for each in source().accelerators] == [False, True]
    clock.now = START + 110
    assert [each.hang for each in hung().accelerators] == [True, False]
    clock.now = START + 131
    assert [each.hang for each in hung().accelerators] == [False, False]


def test_before_its_start_the_first_second_is_shown(tiny_file: Path) -> None:
    clock = Clock()
    source = node_source(str(tiny_file), "tiny-r01n01", START, clock)
    first = source()
    clock.now -= 1000
    assert source() == first


def test_pci_addresses_differ(tiny_file: Path) -> None:
    source = node_source("demo", "aurora-r01n01", START, Clock())
    assert len({each.pci_bus_id for each in source().accelerators}) == 8


def test_an_unknown_node_is_refused_with_how_nodes_are_called() -> None:
    with pytest.raises(ConfigurationError, match="has no node 'nowhere'; its nodes are called like aurora-r01n01"):
        node_source("demo", "nowhere", START)
