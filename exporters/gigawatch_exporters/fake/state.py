"""What a fake NVML library shows at one moment: the truth that an exporter must bring to the database unchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceleratorState:
    """One accelerator, in the contract's words.

    `readings` maps columns of the contract's accelerator table (without `status_*` and `reading_age`) to values in
    the contract's base units; a column that is absent or None is one the library answers NOT_SUPPORTED for.
    """

    hw_id: str
    model: str
    pci_bus_id: str
    readings: Mapping[str, float | int | None] = field(default_factory=dict[str, "float | int | None"])
    lost: bool = False
    """Off the bus: handles give GPU_IS_LOST, the count no longer includes it after the library is initialised anew."""
    hang: bool = False
    """Calls that read this accelerator do not return while this is True."""
    recovery_action: int = 0
    """NVML_FI_DEV_GET_GPU_RECOVERY_ACTION: 0 none, 1 reset, 2 node reboot, 3 drain P2P, 4 drain and reset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class XidEvent:
    """An XID as the driver reports it: once, to whoever waits for events of that accelerator."""

    hw_id: str
    code: int
    sequence: int
    """Grows by one with each event of the node, so that a fake hands out each of them once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeState:
    """All accelerators of one node at one moment, in index order, and every XID so far."""

    accelerators: tuple[AcceleratorState, ...]
    events: tuple[XidEvent, ...] = ()
    driver_version: str = "580.105.08"


Source = Callable[[], NodeState]
"""Asked at each call of a fake library: what is true now."""
