"""A reading as its column keeps it: what the contract's key leads to, and how a number becomes the column's type."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gigawatch_collector.attributes import LENGTH_LIMIT
from gigawatch_contract import metrics
from gigawatch_contract.resource import HW_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gigawatch_contract.metrics import ColumnType, Metric

INTEGERS: Final[dict[ColumnType, int]] = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
_FLOAT4: Final = struct.Struct("<f")


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a point of the contract goes."""

    index: int
    """In the readings of its table."""
    type: ColumnType
    counter: bool


@dataclass(frozen=True, slots=True)
class Known:
    """A metric name of the contract: what its points must be, and the slot of each set of fixed attributes."""

    name: str
    unit: str
    kind: metrics.Kind
    table: metrics.Table
    slots: Mapping[frozenset[tuple[str, str]], Slot]

    def place(self, words: Iterable[tuple[str, str]], hw_id: str) -> Slot | str:
        """The slot of a point with these attributes beside hw.id, or why there is none."""
        slot = self.slots.get(frozenset(words))
        if slot is None:
            return "its attributes are not those of the contract"
        if bool(hw_id) != (self.table == "accelerator"):
            return f"the attribute {HW_ID} {'belongs to accelerators' if hw_id else 'is missing'}"
        if len(hw_id) > LENGTH_LIMIT:
            return f"the attribute {HW_ID} is longer than {LENGTH_LIMIT} characters"
        return slot


def fits(value: float, kind: ColumnType) -> bool:
    """Whether the column can hold the value as it is: a count has no fraction."""
    return kind not in INTEGERS or isinstance(value, int) or value.is_integer()


def stored(value: float, kind: ColumnType) -> float | int | None:
    """The finite value as the column gives it back; None when it is out of the type's range."""
    if kind == "float4":
        try:
            return _FLOAT4.unpack(_FLOAT4.pack(value))[0]
        except OverflowError:
            return None
    if kind == "float8":
        return float(value)
    limit = INTEGERS[kind]
    return int(value) if -limit <= value < limit else None


def _known() -> dict[str, Known]:
    found: dict[str, Known] = {}
    for table in metrics.TABLES:
        order = {metric.column: index for index, metric in enumerate(metrics.columns(table))}
        for name, entries in metrics.names().items():
            if entries[0].table == table:
                slots = {frozenset(metric.attributes): _slot(metric, order) for metric in entries}
                found[name] = Known(name, entries[0].unit, entries[0].kind, table, slots)
    return found


def _slot(metric: Metric, order: Mapping[str, int]) -> Slot:
    return Slot(order[metric.column], metric.type, metric.kind == "counter")


CONTRACT: Final = _known()
