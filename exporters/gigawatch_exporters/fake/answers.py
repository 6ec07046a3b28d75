"""From the truth of a scenario to what NVML would answer: field by field, call by call, in NVML's own units.

Both fakes, the compiled one and the one in Python, show these answers and know nothing of metrics. The numbers are
those of nvml.h and are stated here a second time on purpose: the daemon's own table is what they check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from gigawatch_exporters.fake.state import AcceleratorState

UINT, ULONGLONG, SIGNED = 1, 3, 5
"""nvmlValueType_t."""
EVERY_LINK: Final = 0xFFFFFFFF
UNKNOWN_UINT: Final = 0xFFFFFFFF
UNKNOWN_ULONGLONG: Final = 0xFFFFFFFFFFFFFFFF
NVLINKS: Final = 18
NVLINK_5: Final = re.compile(r"\b(?:G?B)[123]00")
"""Models that count NVLink traffic in bytes for each link; those before count KiB over all of them."""


class FieldAnswer(NamedTuple):
    """What nvmlDeviceGetFieldValues gives for a field and scope."""

    id: int
    scope: int
    type: int
    raw: int


@dataclass(frozen=True, slots=True)
class CallAnswers:
    """What the calls with one or two numbers give; None is NOT_SUPPORTED."""

    gpu_percent: int | None
    memory_percent: int | None
    memory_total: int | None
    memory_used: int | None
    temperature: int | None
    sm_megahertz: int | None
    memory_megahertz: int | None


_MILLIWATTS: Final = {
    "power": 186,
    "power_average": 185,
    "power_limit_min": 187,
    "power_limit_max": 188,
    "power_limit_default": 189,
    "power_limit_enforced": 190,
    "power_limit_requested": 192,
}
_NANOSECONDS: Final = {
    "throttle_software_power_cap": 74,
    "throttle_sync_boost": 76,
    "throttle_software_thermal": 269,
    "throttle_hardware_thermal": 270,
    "throttle_hardware_power_brake": 271,
}
_COUNTS: Final = {"pcie_transmit": 197, "pcie_receive": 198, "ecc_corrected": 3, "ecc_uncorrected": 4}
_LINK_KIBIBYTES: Final = {"nvlink_transmit": 138, "nvlink_receive": 139}
_LINK_BYTES: Final = {"nvlink_transmit": 202, "nvlink_receive": 204}


def fields(state: AcceleratorState) -> list[FieldAnswer]:
    """The fields that this accelerator supports; for all others NVML says NOT_SUPPORTED."""
    found = [FieldAnswer(230, 0, UINT, state.recovery_action)]
    for column, value in state.readings.items():
        if value is None:
            continue
        if column in _MILLIWATTS:
            found.append(FieldAnswer(_MILLIWATTS[column], 0, UINT, round(value * 1_000)))
        elif column in _NANOSECONDS:
            found.append(FieldAnswer(_NANOSECONDS[column], 0, ULONGLONG, round(value * 1_000_000_000)))
        elif column in _COUNTS:
            found.append(FieldAnswer(_COUNTS[column], 0, ULONGLONG, int(value)))
        elif column == "energy":
            found.append(FieldAnswer(83, 0, ULONGLONG, round(value * 1_000)))
        elif column == "memory_temperature":
            found.append(FieldAnswer(82, 0, UINT, round(value)))
        elif column in _LINK_BYTES:
            found.extend(_links(column, int(value), state.model))
    return found


def calls(state: AcceleratorState) -> CallAnswers:
    """What the single calls give."""
    told = state.readings
    gpu, memory = _whole(told.get("utilization"), 100), _whole(told.get("memory_controller_utilization"), 100)
    total, used = _whole(told.get("memory_total")), _whole(told.get("memory_used"))
    return CallAnswers(
        gpu_percent=_or_unknown(gpu, memory, UNKNOWN_UINT),
        memory_percent=_or_unknown(memory, gpu, UNKNOWN_UINT),
        memory_total=_or_unknown(total, used, UNKNOWN_ULONGLONG),
        memory_used=_or_unknown(used, total, UNKNOWN_ULONGLONG),
        temperature=_whole(told.get("temperature")),
        sm_megahertz=_whole(told.get("sm_clock"), 1e-6),
        memory_megahertz=_whole(told.get("memory_clock"), 1e-6),
    )


def _links(column: str, total: int, model: str) -> list[FieldAnswer]:
    if not NVLINK_5.search(model):
        return [FieldAnswer(_LINK_KIBIBYTES[column], EVERY_LINK, ULONGLONG, total // 1024)]
    share, rest = divmod(total, NVLINKS)
    return [FieldAnswer(_LINK_BYTES[column], link, ULONGLONG, share + (link < rest)) for link in range(NVLINKS)]


def _whole(value: float | None, factor: float = 1) -> int | None:
    return None if value is None else round(value * factor)


def _or_unknown(value: int | None, partner: int | None, unknown: int) -> int | None:
    """A call that gives two numbers is there when one of them is; the other is then blank."""
    return unknown if value is None and partner is not None else value
