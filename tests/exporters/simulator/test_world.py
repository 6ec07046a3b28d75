from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatch_exporters.simulator import physics
from gigawatch_exporters.simulator.library import load
from gigawatch_exporters.simulator.scale import only
from gigawatch_exporters.simulator.world import World

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.scenario import Scenario

COUNTERS = ("energy_mj", "ecc_corrected", "ecc_uncorrected")
GROUPS = ("throttle_ns", "nvlink_kib", "pcie_bytes")


def counters(world: World) -> dict[str, np.ndarray]:
    found = {name: getattr(world, name).copy() for name in COUNTERS}
    for group in GROUPS:
        found.update({f"{group} {way}": total.copy() for way, total in getattr(world, group).items()})
    return found


def everything(world: World) -> dict[str, np.ndarray]:
    state = {name: getattr(world, name).copy() for name in ("power_mw", "temperature", "sm_clock", "memory_used")}
    return {**counters(world), **state}


def test_energy_is_the_integral_of_power(world: World) -> None:
    before, drawn = world.energy_mj.copy(), 0
    for _ in range(240):
        world.step()
        drawn = drawn + world.power_mw
    assert np.array_equal(world.energy_mj - before, drawn)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), rise=st.floats(10, 200), lag=st.floats(1, 60), coolant=st.floats(10, 45))
def test_counters_never_fall_and_heat_stays_in_bounds(
    incident: Scenario, seed: int, rise: float, lag: float, coolant: float
) -> None:
    factory = dataclasses.replace(incident.factories[0], coolant=coolant)
    faults = tuple(
        dataclasses.replace(fault, rise=rise, lag=lag, start=20, end=90) if hasattr(fault, "rise") else fault
        for fault in incident.faults
    )
    world = World(dataclasses.replace(incident, seed=seed, factories=(factory,), faults=faults), factory)
    model, before = world.model, counters(world)
    for _ in range(120):
        world.step()
        now = counters(world)
        assert all((now[name] >= before[name]).all() for name in now)
        before = now
        assert world.temperature.min() >= coolant - 1e-9
        assert world.temperature.max() <= coolant + rise + world.model.thermal_resistance * 1.15 * model.power_max
        assert world.power_mw.max() <= model.power_max * 1000
        assert world.power_mw[world.alive].min() >= model.power_idle * 1000
        assert world.sm_clock.max() <= model.sm_clock
        assert world.sm_clock.min() >= min(model.sm_clock_idle, physics.SLOWEST * model.sm_clock - physics.CLOCK_STEP)


def test_clocks_are_held_for_temperature_only_where_it_is_hot(incident: Scenario) -> None:
    world = World(incident, incident.factories[0])
    soft, hard = world.model.slowdown_temperature, world.model.limit_temperature
    seen = 0
    for _ in range(1500):
        world.step()
        seen += int(world.thermal_held.sum())
        assert (world.temperature[world.thermal_held] >= soft - physics.SOFT_RELEASE).all()
        assert (world.temperature[world.thermal_cut] >= hard - physics.HARD_RELEASE).all()
        assert not (world.thermal_held & world.thermal_cut).any()
        assert (world.thermal_held | world.thermal_cut)[(world.temperature >= soft) & world.alive].all()
    assert seen > 1000


def test_cooling_that_fails_slows_the_whole_job_and_comes_back(incident: Scenario) -> None:
    world = World(incident, incident.factories[0])
    rack = world.layout.rack_nodes("r02")

    def rates(start: int, end: int) -> tuple[float, float, float]:
        """NVLink KiB/s, watts and MHz of the rack, as means over a time."""
        world.run_to(start)
        links = world.nvlink_kib["receive"][rack].sum()
        energy, clocks = world.energy_mj[rack].sum(), 0.0
        for _ in range(end - start):
            world.step()
            clocks += float(world.sm_clock[rack][world.alive[rack]].mean())
        seconds = end - start
        moved = world.nvlink_kib["receive"][rack].sum() - links
        return moved / seconds, (world.energy_mj[rack].sum() - energy) / 1000 / seconds, clocks / seconds

    normal, hot, after = rates(0, 300), rates(420, 720), rates(1380, 1800)
    assert all(during < 0.85 * before for during, before in zip(hot, normal, strict=True))
    assert all(later > 0.95 * before for later, before in zip(after[1:], normal[1:], strict=True))
    assert after[0] > 0.9 * normal[0]


def test_the_rest_of_the_factory_stays_cool(incident: Scenario) -> None:
    world = World(incident, incident.factories[0])
    others = np.setdiff1d(np.arange(world.layout.nodes), np.array(world.layout.rack_nodes("r02")))
    for _ in range(900):
        world.step()
        assert not (world.thermal_held | world.thermal_cut)[others].any()


def test_a_lost_accelerator_draws_nothing_and_stands_still(world: World) -> None:
    world.run_to(61)
    assert not world.alive[0, 1]
    assert world.alive.sum() == world.alive.size - 1
    before = counters(world)
    world.run_to(200)
    assert not world.alive[0, 1]
    assert world.power_mw[0, 1] == 0
    assert all(now[0, 1] == before[name][0, 1] for name, now in counters(world).items() if now.ndim == 2)


def test_memory_errors_are_counted_at_their_moment(world: World) -> None:
    world.run_to(119)
    corrected, uncorrected = world.ecc_corrected[3, 1], world.ecc_uncorrected[3, 1]
    world.run_to(121)
    assert world.ecc_corrected[3, 1] - corrected == 5
    assert world.ecc_uncorrected[3, 1] - uncorrected == 1


def test_a_slow_link_slows_its_job(tiny: Scenario) -> None:
    healthy = dataclasses.replace(tiny, faults=())
    slow = dataclasses.replace(tiny, faults=tuple(fault for fault in tiny.faults if type(fault).__name__ == "SlowLink"))
    moved: list[float] = []
    for scenario in (healthy, slow):
        world = World(scenario, scenario.factories[0])
        world.run_to(180)
        before = world.nvlink_kib["receive"][:2].sum()
        world.run_to(240)
        moved.append(world.nvlink_kib["receive"][:2].sum() - before)
    assert moved[1] < 0.7 * moved[0]


def test_jobs_start_and_end_on_their_nodes(world: World) -> None:
    node = world.layout.find("r02n01")
    world.run_to(29)
    assert world.user_class()[node] == -1
    assert (world.utilization[node] == 0).all()
    assert (world.memory_used[node] == 0).all()
    assert (world.sm_clock[node] == world.model.sm_clock_idle).all()
    world.run_to(40)
    assert world.user_class()[node] == 4
    assert (world.utilization[node] > 0).all()
    assert (world.memory_used[node] > 0).all()
    world.run_to(90)
    assert world.user_class()[node] == 0


def test_the_same_scenario_gives_the_same_world(tiny: Scenario) -> None:
    first, second = (World(tiny, tiny.factories[0]) for _ in range(2))
    first.run_to(200)
    for tick in (3, 50, 51, 200):
        second.run_to(tick)
    mine, others = everything(first), everything(second)
    assert all(np.array_equal(mine[name], others[name]) for name in mine)


def test_another_seed_gives_another_world(tiny: Scenario) -> None:
    other = dataclasses.replace(tiny, seed=8)
    worlds = [World(scenario, scenario.factories[0]) for scenario in (tiny, other)]
    for world in worlds:
        world.run_to(10)
    assert not np.array_equal(worlds[0].power_mw, worlds[1].power_mw)


@pytest.mark.parametrize("name", ["demo", "incident"])
def test_a_factory_is_the_same_alone_and_among_others(name: str) -> None:
    together, alone = load(name), only(load(name), "sim-borealis")
    worlds = [World(together, together.factories[1]), World(alone, alone.factories[0])]
    for world in worlds:
        world.run_to(60)
    assert np.array_equal(worlds[0].energy_mj, worlds[1].energy_mj)


def test_a_model_without_nvlink_has_no_nvlink_traffic(incident: Scenario) -> None:
    world = World(incident, incident.factories[2])
    world.run_to(30)
    assert all((total == 0).all() for total in world.nvlink_kib.values())
    assert (world.pcie_bytes["receive"] > 0).all()


def test_readings_do_not_jump_at_a_start_in_the_past(incident: Scenario) -> None:
    world = World(incident, incident.factories[0], origin=-600)
    before = counters(world)
    world.run_to(0)
    now = counters(world)
    assert all((now[name] >= before[name]).all() for name in now)
    assert (now["energy_mj"] - before["energy_mj"]).max() <= 600 * world.model.power_max * 1000
