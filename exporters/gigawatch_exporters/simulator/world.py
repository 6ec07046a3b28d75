"""One simulated factory: the state of all its accelerators, a second at a time.

What NVML would show is kept as NVML shows it (mW, mJ, MHz, ns, KiB, whole degrees and percent), so that a fake NVML
library and the fleet agree to the last bit. The world depends on scenario, seed and origin only: not on how often
somebody looks.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

from gigawatch_exporters.simulator import physics
from gigawatch_exporters.simulator.damage import damage
from gigawatch_exporters.simulator.faults import Cooling
from gigawatch_exporters.simulator.schedule import Schedule

if TYPE_CHECKING:
    import numpy.typing as npt

    from gigawatch_exporters.simulator.scenario import Factory, Scenario

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

SECOND_NS: Final = 1_000_000_000
KIB: Final = 1024
MEMORY_STEP: Final = 2 * 1024 * KIB
ECC_CORRECTED_PER_HOUR: Final = 0.02
_REASONS: Final = ("software_power_cap", "software_thermal", "hardware_thermal", "hardware_power_brake", "sync_boost")


class World:
    """A factory at `tick` (whole seconds from the scenario's start). Arrays are nodes by accelerators."""

    def __init__(self, scenario: Scenario, factory: Factory, origin: int = 0) -> None:
        """Start in thermal balance at `origin` (0 or before: history to send before the story begins)."""
        self.factory: Final = factory
        self.layout: Final = factory.layout
        self.model: Final = scenario.model(factory)
        self.tick: int = origin
        self._faults: Final = [fault for fault in scenario.faults if fault.factory == factory.id]
        self._key: Final = np.array([scenario.seed, zlib.crc32(factory.id.encode())], np.uint64)
        self.schedule: Final = Schedule(scenario, factory)

        shape = (self.layout.nodes, self.layout.accelerators_per_node)
        random = np.random.default_rng([scenario.seed, zlib.crc32(factory.id.encode()), 0])
        self.uptime: Final[Integers] = random.integers(2 * 86_400, 20 * 86_400, self.layout.nodes)
        """Seconds that each node has been up at the scenario's start: its counters count since then."""
        self._leakage: Final = np.clip(random.normal(1.0, 0.03, shape), 0.9, 1.1)
        self._resistance: Final = self.model.thermal_resistance * np.clip(random.normal(1.0, 0.04, shape), 0.85, 1.15)
        self._memory_share: Final = random.uniform(0.97, 1.0, shape)
        up = self.uptime[:, None] + origin
        lived = random.uniform(0.5, 0.7, shape) * up

        self._rack_first: Final = np.arange(0, self.layout.nodes, self.layout.nodes_per_rack)
        self._rack_of_node: Final = np.arange(self.layout.nodes) // self.layout.nodes_per_rack
        racks = len(self._rack_first)
        self.coolant: Floats = np.full(racks, self.factory.coolant)
        self._coolant_lag: Final = np.full(racks, 60.0)
        self.alive: Bools = np.ones(shape, bool)
        self.hung: Bools = np.zeros(shape, bool)
        self.silent: Bools = np.zeros(self.layout.nodes, bool)
        self.answered: Integers = np.full(shape, origin)
        """The tick at which each accelerator last answered."""
        self.reader_restarts: Integers = np.zeros(self.layout.nodes, np.int64)
        self._link: Floats = np.ones(shape)

        self._thermal_clock: Floats = np.ones(shape)
        self.thermal_held: Bools = np.zeros(shape, bool)
        """The driver holds clocks down for temperature in this second."""
        self.thermal_cut: Bools = np.zeros(shape, bool)
        """The hardware cuts clocks for temperature in this second; never together with `thermal_held`."""
        self.power_held: Bools = np.zeros(shape, bool)
        self._clock: Floats = np.ones(shape)
        self._progress: Floats = np.zeros(len(self.schedule.start))

        self.utilization: Integers = np.zeros(shape, np.int64)
        self.memory_utilization: Integers = np.zeros(shape, np.int64)
        self.memory_used: Integers = np.zeros(shape, np.int64)
        self.sm_clock: Integers = np.zeros(shape, np.int64)
        self.power_mw: Integers = np.full(shape, int(self.model.power_idle * 1000))
        self.power_average_mw: Integers = self.power_mw
        self.energy_mj: Integers = (lived * self.model.power_max * 1000).astype(np.int64)
        self.throttle_ns: dict[str, Integers] = {
            reason: (lived * share).astype(np.int64) * SECOND_NS
            for reason, share in zip(_REASONS, (0.01, 0.0005, 0, 0, 0), strict=True)
        }
        self.nvlink_kib: dict[str, Integers] = {
            way: (lived * self.model.nvlink_rate * 0.2 / KIB).astype(np.int64) for way in ("receive", "transmit")
        }
        self.pcie_bytes: dict[str, Integers] = {
            way: (lived * self.model.pcie_rate * 0.01).astype(np.int64) for way in ("receive", "transmit")
        }
        self.ecc_corrected: Integers = random.poisson(lived / 3600 * ECC_CORRECTED_PER_HOUR)
        self.ecc_uncorrected: Integers = np.zeros(shape, np.int64)

        self._look_at_jobs()
        self._apply_faults()
        self._draw_power(np.zeros(shape))
        mean = np.repeat(self.coolant, self.layout.nodes_per_rack)[: self.layout.nodes, None]
        self.temperature: Floats = mean + self._resistance * self.power_mw / 1000 * 0.85

    def run_to(self, tick: int) -> None:
        """Step until `tick`; a world never goes back."""
        while self.tick < tick:
            self.step()

    def step(self) -> None:
        """One second further."""
        self.tick += 1
        noise, errors = self._noise()
        slowest = self._slowest_of_job()
        self._look_at_jobs(slowest)
        self._apply_faults()
        self._heat()
        self._control()
        before = self.power_mw
        now = self._draw_power(noise)
        self.power_average_mw = (before + self.power_mw) // 2
        self._count(noise, now, slowest)
        self.ecc_corrected += errors & self.alive

    def user_class(self) -> Integers:
        """Index of the user class that each node works for; -1 where it is idle."""
        return self.schedule.user_class[self.schedule.slot_of_node]

    def _noise(self) -> tuple[Floats, Bools]:
        """This second's noise: a function of seed, factory and tick, whatever was drawn before."""
        random = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, self.tick + (1 << 40), 0]))
        noise = random.standard_normal(self.alive.shape)
        errors = np.zeros(self.alive.shape, bool)
        count = random.poisson(self.alive.size * ECC_CORRECTED_PER_HOUR / 3600)
        errors.flat[random.integers(0, self.alive.size, count)] = True
        return noise, errors

    def _look_at_jobs(self, slowest: tuple[Floats, Floats] | None = None) -> None:
        """Advance the jobs: their compute at the pace of the slowest accelerator, their exchange at the slowest link."""
        schedule = self.schedule
        if slowest is not None:
            now = self._phase()
            pace = np.where(now.exchange, slowest[1], np.where(now.compute, slowest[0], 1.0))
            self._progress += pace / schedule.iteration
        for slot in schedule.advance(self.tick):
            self._progress[slot] = (self.tick - schedule.start[slot]) / schedule.iteration[slot]
        slots = schedule.slot_of_node
        share = self._memory_share * schedule.memory[slots][:, None]
        self.memory_used = (share * self.model.memory / MEMORY_STEP).astype(np.int64) * MEMORY_STEP

    def _phase(self) -> physics.Phase:
        return physics.phase(self._progress, self.schedule.intensity > 0)

    def _slowest_of_job(self) -> tuple[Floats, Floats]:
        """Per job: the lowest clock, and the lowest link rate, among its accelerators that are there (shares)."""
        found: list[Floats] = []
        for share in (self._clock, self._link):
            lowest = np.ones(len(self._progress))
            np.minimum.at(lowest, self.schedule.slot_of_node, np.where(self.alive, share, 1.0).min(axis=1))
            found.append(lowest)
        return found[0], found[1]

    def _apply_faults(self) -> None:
        """Set what is broken in this second."""
        now = damage(self._faults, self.layout, self.tick)
        self.alive, self.hung, self.silent, self._link = now.alive, now.hung, now.silent, now.link
        self.reader_restarts = now.reader_restarts
        self.ecc_corrected += now.ecc_corrected
        self.ecc_uncorrected += now.ecc_uncorrected
        self.answered[self.answering] = self.tick

    @property
    def answering(self) -> Bools:
        """The accelerators that the exporter of their node can read."""
        return self.alive & ~self.hung

    def _heat(self) -> None:
        """Coolant and dies follow the power of the second before."""
        model = self.model
        per_node = self.power_mw.sum(axis=1) / 1000
        full = np.add.reduceat(
            np.full(self.layout.nodes, self.layout.accelerators_per_node * model.power_max), self._rack_first
        )
        load = np.add.reduceat(per_node, self._rack_first) / full
        target = np.full(len(self.coolant), self.factory.coolant)
        for fault in self._faults:
            if isinstance(fault, Cooling):
                rack = self.layout.rack_nodes(fault.rack).start // self.layout.nodes_per_rack
                self._coolant_lag[rack] = fault.lag
                if fault.start <= self.tick < fault.end:
                    target[rack] += fault.rise * load[rack]
        self.coolant = physics.approach(self.coolant, target, self._coolant_lag)
        settled = self.coolant[self._rack_of_node][:, None] + self._resistance * self.power_mw / 1000
        self.temperature = physics.approach(self.temperature, settled, model.thermal_lag)

    def _control(self) -> None:
        """Thermal throttling, by driver and by hardware, with hysteresis."""
        model = self.model
        soft, hard = model.slowdown_temperature, model.limit_temperature
        cut = physics.latch(self.thermal_cut, self.temperature, hard, hard - physics.HARD_RELEASE) & self.alive
        held = physics.latch(self.thermal_held | self.thermal_cut, self.temperature, soft, soft - physics.SOFT_RELEASE)
        self.thermal_cut = cut
        self.thermal_held = held & ~cut & self.alive
        self._thermal_clock = physics.thermal_clock(model, self._thermal_clock, self.temperature, held)

    def _draw_power(self, noise: Floats) -> physics.Phase:
        """Clock and power of this second, from load, thermal control and power limit."""
        model, slots = self.model, self.schedule.slot_of_node
        now = self._phase()
        active = physics.activity(now, self.schedule.intensity)[slots][:, None]
        wanted = active * self._leakage * (1 + 0.015 * noise) * self.alive
        cap = physics.power_cap(wanted)
        thermal = np.where(self.thermal_cut, np.minimum(self._thermal_clock, 0.5), self._thermal_clock)
        self.power_held = (cap < thermal) & self.alive
        clock = physics.quantised(model, np.minimum(cap, thermal))
        busy = (slots != self.schedule.idle)[:, None] & self.alive
        self.sm_clock = np.where(busy, clock, model.sm_clock_idle)
        self._clock = np.where(busy, clock / model.sm_clock, 1.0)
        drawn = np.where(self.alive, physics.power(model, wanted, self._clock), 0.0)
        self.power_mw = np.rint(np.minimum(drawn, model.power_max) * 1000).astype(np.int64)
        return now

    def _count(self, noise: Floats, now: physics.Phase, slowest: tuple[Floats, Floats]) -> None:
        """Counters and load of this second."""
        model, slots = self.model, self.schedule.slot_of_node
        self.energy_mj = self.energy_mj + self.power_mw
        for reason, on in zip(_REASONS, (self.power_held, self.thermal_held, self.thermal_cut), strict=False):
            self.throttle_ns[reason] = self.throttle_ns[reason] + on * SECOND_NS
        compute, exchange, checkpoint = now.compute * slowest[0], now.exchange * slowest[1], now.checkpoint
        nvlink = (0.12 * compute + 0.65 * exchange + 0.02 * checkpoint) * model.nvlink_rate / KIB
        reading = (0.015 * compute + (0.0 if model.nvlink_rate else 0.5) * exchange) * model.pcie_rate
        writing = (
            0.004 * compute + (0.0 if model.nvlink_rate else 0.5) * exchange + 0.35 * checkpoint
        ) * model.pcie_rate
        for way, sign in (("receive", 1), ("transmit", -1)):
            varied = (1 + sign * 0.02 * np.clip(noise, -3, 3)) * self.alive
            self.nvlink_kib[way] = self.nvlink_kib[way] + (nvlink[slots][:, None] * varied).astype(np.int64)
            moved = (reading if way == "receive" else writing)[slots][:, None] * varied
            self.pcie_bytes[way] = self.pcie_bytes[way] + moved.astype(np.int64)
        busy = now.compute * 98.0 + now.exchange * 100.0 + now.checkpoint * 35.0
        self.utilization = _percent(busy[slots][:, None], noise)
        bandwidth = now.compute * 62.0 + now.exchange * 25.0 + now.checkpoint * 15.0
        self.memory_utilization = _percent(bandwidth[slots][:, None] * self._clock, noise)


def _percent(mean: Floats, noise: Floats) -> Integers:
    """Whole percent around a mean; zero stays zero."""
    return np.clip(np.rint(mean + 1.5 * noise * (mean > 0)), 0, 100).astype(np.int64)
