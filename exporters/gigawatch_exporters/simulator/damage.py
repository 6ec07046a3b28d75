"""What is broken in a factory in one second: a function of its faults and the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gigawatch_exporters.simulator.faults import Cooling, Ecc, Fault, Hang, Lost, Silent, SlowLink

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from gigawatch_exporters.simulator.layout import Layout


@dataclass(frozen=True, slots=True)
class Damage:
    """Arrays are nodes by accelerators, or one value per node."""

    alive: npt.NDArray[np.bool_]
    hung: npt.NDArray[np.bool_]
    link: npt.NDArray[np.float64]
    """Share of its NVLink rate that each accelerator has."""
    silent: npt.NDArray[np.bool_]
    reader_restarts: npt.NDArray[np.int64]
    """Hangs so far: after each, an exporter replaced the process that reads."""
    ecc_corrected: npt.NDArray[np.int64]
    """Planted memory errors of this second."""
    ecc_uncorrected: npt.NDArray[np.int64]


def damage(faults: Iterable[Fault], layout: Layout, tick: int) -> Damage:
    """What is broken in the second after `tick`."""
    shape = (layout.nodes, layout.accelerators_per_node)
    now = Damage(
        alive=np.ones(shape, bool),
        hung=np.zeros(shape, bool),
        link=np.ones(shape),
        silent=np.zeros(layout.nodes, bool),
        reader_restarts=np.zeros(layout.nodes, np.int64),
        ecc_corrected=np.zeros(shape, np.int64),
        ecc_uncorrected=np.zeros(shape, np.int64),
    )
    for fault in faults:
        start, end = fault.lasts
        if isinstance(fault, Cooling) or tick < start:
            continue
        node, active = layout.find(fault.node), tick < end
        if isinstance(fault, Silent):
            now.silent[node] |= active
        elif isinstance(fault, Lost):
            now.alive[node, fault.accelerator] = False
        elif isinstance(fault, Hang):
            now.hung[node, fault.accelerator] |= active
            now.reader_restarts[node] += 1
        elif isinstance(fault, Ecc):
            if tick < start + 1:
                now.ecc_corrected[node, fault.accelerator] += fault.corrected
                now.ecc_uncorrected[node, fault.accelerator] += fault.uncorrected
        elif isinstance(fault, SlowLink) and active:
            now.link[node, fault.accelerator] = min(fault.factor, now.link[node, fault.accelerator])
    return now
