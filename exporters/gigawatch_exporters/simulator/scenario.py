"""A scenario: fictional factories, their jobs, and the faults planted in them."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 - read by get_type_hints
from dataclasses import dataclass
from typing import Final

from gigawatch_exporters.simulator.document import key, time_key
from gigawatch_exporters.simulator.faults import Fault  # noqa: TC001 - read by get_type_hints
from gigawatch_exporters.simulator.layout import Layout

USER_CLASSES: Final = ("startup", "sme", "industry", "research", "public")


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """An accelerator model: what it has, and what it cannot tell."""

    name: str
    memory: int = key(low=1 << 30)
    power_idle: float = key(low=1)
    power_min: float = key(low=1)
    power_max: float = key(low=2)
    sm_clock: int = key(low=100)
    sm_clock_idle: int = key(low=100)
    memory_clock: int = key(low=100)
    nvlink_rate: float = key(low=0)
    """Bytes per second and direction, all links; 0: it has none, and says nothing of NVLink."""
    pcie_rate: float = key(low=1e9)
    thermal_resistance: float = key(0.054, low=0.001, high=1)
    """Kelvin of the die above the coolant, per watt."""
    thermal_lag: float = time_key(8.0, low=1, high=600)
    """Time in which the die covers 63 % of a step in temperature."""
    slowdown_temperature: float = key(84.0, low=50, high=120)
    """Degrees at which the driver starts to hold clocks down."""
    limit_temperature: float = key(90.0, low=50, high=120)
    """Degrees at which the hardware halves the clock."""
    unsupported: tuple[str, ...] = ()
    """Columns of the contract that this model has no reading for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Factory:
    """A fictional factory: racks of equal nodes of one model."""

    id: str
    model: str
    racks: int = key(low=1, high=9999)
    nodes_per_rack: int = key(low=1, high=99)
    accelerators_per_node: int = key(low=1, high=16)
    coolant: float = key(26.0, low=5, high=60)
    """Degrees of the coolant (water or air) that reaches the racks."""
    nodes: int = key(0, low=0)
    """Nodes in all, when the last rack is not full; 0: every rack is full."""

    @property
    def layout(self) -> Layout:
        """Where its nodes and accelerators are, and what they are called."""
        nodes = self.nodes or self.racks * self.nodes_per_rack
        return Layout(self.id, nodes, self.nodes_per_rack, self.accelerators_per_node)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job that the scenario names: it holds its nodes from start to end, and goes on without a node that breaks."""

    name: str
    factory: str
    user_class: str
    racks: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    start: float = time_key(-math.inf)
    end: float = time_key(math.inf)
    intensity: float = key(0.92, low=0, high=1)
    """Share of the accelerator's power range that its compute phase asks for."""
    memory: float = key(0.8, low=0, high=1)
    """Share of the accelerator's memory that it holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """Jobs drawn at random, by the scenario's seed, on every node that no named job uses."""

    factory: str
    user_classes: tuple[str, ...] = USER_CLASSES
    occupancy: float = key(0.9, low=0, high=1)
    nodes: tuple[int, int] = key((1, 4), low=1, high=9999)
    length: tuple[float, float] = time_key((1200.0, 14400.0), low=60)
    intensity: tuple[float, float] = key((0.55, 0.95), low=0, high=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A whole story. Its times are seconds from its start."""

    name: str
    title: str
    seed: int
    duration: float
    models: Mapping[str, Model]
    factories: tuple[Factory, ...]
    jobs: tuple[Job, ...] = ()
    mixes: tuple[Mix, ...] = ()
    faults: tuple[Fault, ...] = ()

    def model(self, factory: Factory) -> Model:
        """The accelerator model of a factory."""
        return self.models[factory.model]
