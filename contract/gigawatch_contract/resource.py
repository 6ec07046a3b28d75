"""The attributes of the resource that sends: whose telemetry it is, from where, and whether it is real."""

from __future__ import annotations

import re
from typing import Final

FACTORY: Final = "gigawatch.factory.id"
"""The factory, as in the programme's registry (`jaif`), or `sim-…` for a fictional one. Required."""
SIMULATED: Final = "gigawatch.simulated"
"""true when the readings come from a simulator. Then, and only then, the factory is a `sim-…` one."""
RACK: Final = "gigawatch.rack.id"
HOST_NAME: Final = "host.name"
"""The node. Required: it is the node's identity within its factory."""
HOST_ID: Final = "host.id"
VENDOR: Final = "hw.vendor"
DRIVER_VERSION: Final = "hw.driver_version"
ACCELERATOR_IDS: Final = "gigawatch.accelerator.ids"
"""Array: the `hw.id` (UUID) of each accelerator of the node, in index order, lost ones included."""
ACCELERATOR_MODELS: Final = "gigawatch.accelerator.models"
"""Array beside ACCELERATOR_IDS: the model name that the library gives."""

HW_ID: Final = "hw.id"
"""The accelerator, on each of its points and events."""

SIMULATED_PREFIX: Final = "sim-"
FACTORY_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def is_fictional(factory_id: str) -> bool:
    """Whether the id names a fictional factory: no country, not on the map, all of its telemetry simulated."""
    return factory_id.startswith(SIMULATED_PREFIX)


def objection(factory_id: str, *, simulated: bool) -> str | None:
    """Why telemetry under this id must be refused, or None.

    Simulated data never passes for a real factory's, and a fictional factory never carries real data.
    """
    if not FACTORY_ID.fullmatch(factory_id):
        return f"{FACTORY} {factory_id[:80]!r} is not a factory id: up to 63 of a-z, 0-9 and '-'"
    if simulated and not is_fictional(factory_id):
        return f"simulated telemetry for the real factory {factory_id!r} is refused: use an id that starts with 'sim-'"
    if is_fictional(factory_id) and not simulated:
        return f"telemetry for the fictional factory {factory_id!r} must say so: set {SIMULATED} = true"
    return None
