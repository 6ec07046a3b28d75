"""What the nodes of a simulated factory say: the world in the contract's columns and units, whole or node by node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gigawatch_exporters.simulator.world import SECOND_NS
from gigawatch_exporters.snapshot import AcceleratorReading, NodeIdentity, Snapshot, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from gigawatch_exporters.simulator.scenario import Model
    from gigawatch_exporters.simulator.world import Integers, World

    Column = npt.NDArray[np.floating[Any]] | npt.NDArray[np.int64]

DRIVER: Final = "580.105.08"
OK, UNRESPONSIVE, LOST = 0, 1, 2
STATES: Final[tuple[State, ...]] = ("ok", "unresponsive", "lost")


@dataclass(frozen=True, slots=True)
class Readings:
    """Some nodes at the world's tick, each at its own time; arrays are nodes by accelerators, or one value per node.

    `accelerator` maps columns to values; an accelerator whose `state` is not OK has none of them.
    """

    nodes: Integers
    time_ns: Integers
    counters_since_ns: Integers
    state: Integers
    age: npt.NDArray[np.float64]
    accelerator: Mapping[str, Column]
    node: Mapping[str, Column]


def read(world: World, nodes: Integers, time_ns: Integers, start_ns: int) -> Readings:
    """What `nodes` say at `time_ns`, all within the second after the world's tick; `start_ns` is the scenario's start."""
    state = np.where(~world.alive[nodes], LOST, np.where(world.hung[nodes], UNRESPONSIVE, OK))
    answered_ns = start_ns + world.answered[nodes] * SECOND_NS
    return Readings(
        nodes=nodes,
        time_ns=time_ns,
        counters_since_ns=start_ns - world.uptime[nodes] * SECOND_NS,
        state=state,
        age=(time_ns[:, None] - answered_ns) / 1e9,
        accelerator=accelerator_columns(world, nodes),
        node=_node_columns(world, nodes, (state == OK).sum(axis=1)),
    )


def accelerator_columns(world: World, nodes: Integers) -> dict[str, Column]:
    """The columns that the factory's model has readings for; NVML's integers become the contract's base units."""
    model, shape = world.model, (len(nodes), world.layout.accelerators_per_node)
    fixed = {name: np.full(shape, value) for name, value in _limits(model).items()}
    found: dict[str, Column] = {
        "utilization": world.utilization[nodes] / 100,
        "memory_controller_utilization": world.memory_utilization[nodes] / 100,
        "memory_used": world.memory_used[nodes],
        "memory_total": np.full(shape, model.memory),
        "power": world.power_mw[nodes] / 1000,
        "power_average": world.power_average_mw[nodes] / 1000,
        **fixed,
        "energy": world.energy_mj[nodes] / 1000,
        "temperature": np.rint(world.temperature[nodes]),
        "memory_temperature": np.rint(world.temperature[nodes] + 6),
        "sm_clock": world.sm_clock[nodes] * 1_000_000,
        "memory_clock": np.full(shape, model.memory_clock * 1_000_000),
        **{f"throttle_{reason}": total[nodes] / SECOND_NS for reason, total in world.throttle_ns.items()},
        **{f"pcie_{way}": total[nodes] for way, total in world.pcie_bytes.items()},
        **{f"nvlink_{way}": total[nodes] * 1024 for way, total in world.nvlink_kib.items() if model.nvlink_rate},
        "ecc_corrected": world.ecc_corrected[nodes],
        "ecc_uncorrected": world.ecc_uncorrected[nodes],
    }
    return {name: column for name, column in found.items() if name not in model.unsupported}


def _limits(model: Model) -> dict[str, float]:
    top = {f"power_limit_{name}": model.power_max for name in ("enforced", "requested", "default", "max")}
    return {**top, "power_limit_min": model.power_min}


def _node_columns(world: World, nodes: Integers, answering: Integers) -> dict[str, Column]:
    """What the exporter says of itself, after the figures of a real one."""
    up = (world.uptime[nodes] + world.tick).astype(np.float64)
    return {
        "accelerators": answering,
        "exporter_cpu_time": np.round(up * 0.008, 2),
        "exporter_memory": 48_000_000 + nodes % 97 * 4096,
        "read_duration": 0.004 + nodes % 13 * 0.0005,
        "reader_restarts": world.reader_restarts[nodes],
        "spool_size": np.zeros(len(nodes), np.int64),
        "spool_dropped": np.zeros(len(nodes), np.int64),
    }


def identity(world: World, node: int) -> NodeIdentity:
    """Who a node says it is."""
    layout = world.layout
    count = layout.accelerators_per_node
    return NodeIdentity(
        factory=layout.factory,
        host_name=layout.host_name(node),
        host_id=layout.host_id(node),
        rack=layout.rack(node),
        simulated=True,
        driver_version=DRIVER,
        accelerator_ids=tuple(layout.hw_id(node, accelerator) for accelerator in range(count)),
        accelerator_models=(world.model.name,) * count,
    )


def snapshot(readings: Readings, row: int, who: NodeIdentity) -> Snapshot:
    """One row of the readings as the exporter's own snapshot."""
    accelerators = tuple(
        AcceleratorReading(
            hw_id=hw_id,
            model=who.accelerator_models[index],
            state=STATES[readings.state[row, index]],
            age=readings.age[row, index].item(),
            values={name: column[row, index].item() for name, column in readings.accelerator.items()}
            if readings.state[row, index] == OK
            else {},
        )
        for index, hw_id in enumerate(who.accelerator_ids)
    )
    return Snapshot(
        time_unix_nano=int(readings.time_ns[row]),
        counters_since_unix_nano=int(readings.counters_since_ns[row]),
        accelerators=accelerators,
        node={name: column[row].item() for name, column in readings.node.items()},
    )
