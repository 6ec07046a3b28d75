"""One snapshot of a node: what both the OTLP export and the Prometheus page are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = float | int
State = Literal["ok", "degraded", "failed", "unresponsive", "lost"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceleratorReading:
    """What one accelerator said, in the contract's columns and base units; a column it does not know is absent."""

    hw_id: str
    model: str
    state: State
    age: float
    """Seconds between the moment it answered and the snapshot."""
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    """Empty when the accelerator is unresponsive or lost: old readings are not repeated as new ones."""
    counters_since_unix_nano: int | None = None
    """Since when this accelerator's counters count; None: as the snapshot says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """All accelerators of a node, in index order, and the node's own figures, at one time."""

    time_unix_nano: int
    counters_since_unix_nano: int
    """Since when the cumulative counters count, where an accelerator does not say otherwise (it was reset later)."""
    accelerators: tuple[AcceleratorReading, ...]
    node: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeIdentity:
    """Who sends: becomes the OTLP resource."""

    factory: str
    host_name: str
    host_id: str | None = None
    rack: str | None = None
    simulated: bool = False
    driver_version: str | None = None
    accelerator_ids: tuple[str, ...] = ()
    accelerator_models: tuple[str, ...] = ()
