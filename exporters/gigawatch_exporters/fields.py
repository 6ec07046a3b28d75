"""Which NVML field fills which column, and how its raw value becomes one in the contract's base unit; pure.

A value that stands for "not known" never gets through: NVML and its callers fill blanks with the largest numbers of a
type, and such a blank in milliwatts would be four megawatts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gigawatch_exporters.snapshot import Value


class Raw(NamedTuple):
    """A field's value as NVML gave it, and the bits of its type."""

    value: int | float
    bits: int = 64


class Answer(NamedTuple):
    """What a field said; None where it said nothing."""

    field: int
    scope: int
    raw: Raw | None


@dataclass(frozen=True, slots=True)
class Field:
    """An NVML field and the column it fills. The raw value is divided by `per`, or multiplied by `times`."""

    id: int
    column: str
    per: int = 1
    times: int = 1
    counter: bool = False

    def base(self, raw: float) -> Value:
        """In the contract's unit."""
        return raw / self.per if self.per != 1 else raw * self.times


MILLI: Final = 1_000
NANO: Final = 1_000_000_000

FIELDS: Final = (
    Field(186, "power", per=MILLI),
    Field(185, "power_average", per=MILLI),
    Field(187, "power_limit_min", per=MILLI),
    Field(188, "power_limit_max", per=MILLI),
    Field(189, "power_limit_default", per=MILLI),
    Field(190, "power_limit_enforced", per=MILLI),
    Field(192, "power_limit_requested", per=MILLI),
    Field(83, "energy", per=MILLI, counter=True),
    Field(82, "memory_temperature"),
    Field(74, "throttle_software_power_cap", per=NANO, counter=True),
    Field(76, "throttle_sync_boost", per=NANO, counter=True),
    Field(269, "throttle_software_thermal", per=NANO, counter=True),
    Field(270, "throttle_hardware_thermal", per=NANO, counter=True),
    Field(271, "throttle_hardware_power_brake", per=NANO, counter=True),
    Field(197, "pcie_transmit", counter=True),
    Field(198, "pcie_receive", counter=True),
    Field(3, "ecc_corrected", counter=True),
    Field(4, "ecc_uncorrected", counter=True),
)
RECOVERY_ACTION: Final = 230
"""What the GPU asks for: 0 nothing, else a reset, drain or reboot."""

ALL_LINKS: Final = 0xFFFFFFFF
MAX_LINKS: Final = 18
LINK_FIELDS: Final = {
    138: Field(138, "nvlink_transmit", times=1024, counter=True),
    139: Field(139, "nvlink_receive", times=1024, counter=True),
    202: Field(202, "nvlink_transmit", counter=True),
    204: Field(204, "nvlink_receive", counter=True),
}
KIBIBYTES_OF_ALL_LINKS: Final = tuple((field, ALL_LINKS) for field in (138, 139))
"""NVLink 4 and before. The scope matters: 0 would be link 0 alone."""
BYTES_OF_EACH_LINK: Final = tuple((field, link) for field in (202, 204) for link in range(MAX_LINKS))
"""NVLink 5."""


def is_blank(value: float) -> bool:
    """Whether a value stands for "not known"."""
    if isinstance(value, float):
        return not math.isfinite(value)
    return value in {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF} or 0x7FFFFFFFFFFFFFF0 <= value <= 0x7FFFFFFFFFFFFFFF


def choose_links(answers: Iterable[Answer]) -> tuple[tuple[int, int], ...]:
    """How this GPU tells its NVLink traffic: the fields and links that answered, bytes before KiB; () if it does not."""
    told = [(answer.field, answer.scope) for answer in answers if answer.raw is not None]
    return tuple([each for each in told if each in BYTES_OF_EACH_LINK] or told)


class Collected:
    """The readings of one accelerator while they come in."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.counters: dict[str, Value] = {}
        self.wraps: dict[str, Value] = {}
        self.recovery_action = 0

    def gauge(self, column: str, raw: float, *, per: int = 1, times: int = 1) -> None:
        """Keep a reading, unless it is blank."""
        if not is_blank(raw):
            self.values[column] = Field(0, column, per, times).base(raw)

    def field(self, field: Field, raw: Raw | None) -> None:
        """Keep what a field said, if it said anything."""
        if raw is None or is_blank(raw.value):
            return
        if not field.counter:
            self.values[field.column] = field.base(raw.value)
            return
        self.counters[field.column] = field.base(raw.value)
        if raw.bits == 32:
            self.wraps[field.column] = field.base(2**32)

    def links(self, answers: Iterable[Answer]) -> None:
        """Keep NVLink's traffic, summed over links; a sum that lacks a link is no sum."""
        sums: dict[str, Value | None] = {}
        for answer in answers:
            field = LINK_FIELDS[answer.field]
            so_far = sums.get(field.column, 0)
            if so_far is None or answer.raw is None or is_blank(answer.raw.value):
                sums[field.column] = None
            else:
                sums[field.column] = so_far + field.base(answer.raw.value)
        self.counters.update({column: total for column, total in sums.items() if total is not None})
