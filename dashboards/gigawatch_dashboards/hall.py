"""The hall of a factory: racks, nodes and accelerators as cells to colour; pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from gigawatch_dashboards import words
from gigawatch_dashboards.units import quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatch_dashboards.condition import Condition, Node
    from gigawatch_dashboards.queries.factory import Accelerator

CELLS: Final = 1024
"""With more accelerators than this a cell is a node, so that a browser stays quick."""
GRAVEST: Final = ("lost", "unresponsive", "failed", "silent", "degraded", None, "ok")
UNITS: Final = {"utilization": "1", "temperature": "Cel", "power": "W", "throttled": "1"}
SCALES: Final = {"utilization": (0.0, 1.0), "temperature": (30.0, 90.0), "throttled": (0.0, 1.0)}
"""Ends of the colours, in base units: fixed, so that a colour means the same at all times. Power has its own top."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One square: what it is, its state, and its value on the scale from 0 to 1 (None: not known)."""

    label: str
    state: str | None
    text: str
    level: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one node, or of all nodes of a rack; its label is what tells the node from others."""

    host_name: str | None
    label: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Rack:
    """A rack and its rows; None is "rack not known"."""

    name: str | None
    rows: tuple[Row, ...]


def scale(condition: Condition, colour: str) -> tuple[float, float]:
    """The values at both ends of the colours, in base units."""
    if colour in SCALES:
        return SCALES[colour]
    top = max((one.power for one in condition.accelerators if one.power is not None), default=100.0)
    return 0.0, 100.0 * -(-top // 100)  # the next full hundred watts


def hall(condition: Condition, colour: str) -> list[Rack]:
    """Every rack with its cells, coloured by a reading or by state."""
    ends = scale(condition, colour)
    cells = sum(max(len(node.accelerators), node.expected or 0) for node in condition.nodes)
    shared = len(shared_prefix([node.host_name for node in condition.nodes]))
    racks: list[Rack] = []
    for rack, members in groupby(condition.nodes, key=lambda node: node.rack):
        if cells <= CELLS:
            rows = tuple(
                Row(node.host_name, node.host_name[shared:], _accelerators(node, colour, ends)) for node in members
            )
        else:
            rows = (Row(None, None, tuple(_node(node, colour, ends) for node in members)),)
        racks.append(Rack(rack, rows))
    return racks


def shared_prefix(names: Sequence[str]) -> str:
    """What all names begin with, up to a separator: it tells no node from another."""
    if len(names) < 2:
        return ""
    first, last = min(names), max(names)  # all others lie between these two, and share what they share
    length = next((place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), 0)
    return first[: max(first.rfind(separator, 0, length) for separator in "-._") + 1]


def _accelerators(node: Node, colour: str, ends: tuple[float, float]) -> tuple[Cell, ...]:
    """A cell for each accelerator that was heard of, then one for each that was not."""
    found = [
        _cell(f"GPU {one.accelerator_index}" if one.accelerator_index is not None else one.hw_id, [one], colour, ends)
        for one in node.accelerators
    ]
    absent = [Cell("not reporting", "silent", words.STATES["silent"], None)] * node.missing
    return (*found, *absent)


def _node(node: Node, colour: str, ends: tuple[float, float]) -> Cell:
    if not node.reports:
        return Cell(node.host_name, "silent", words.STATES["silent"], None)
    return _cell(node.host_name, node.accelerators, colour, ends)


def _cell(label: str, members: Sequence[Accelerator], colour: str, ends: tuple[float, float]) -> Cell:
    state = min((one.state for one in members), key=GRAVEST.index, default=None)
    if colour == "status":
        return Cell(label, state, words.STATES[state], None)
    values = [value for one in members if (value := getattr(one, colour)) is not None]
    if not values:
        return Cell(label, state, f"{words.STATES[state]}; no reading", None)
    value = sum(values) / len(values)
    level = min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0])))
    return Cell(label, state, f"{quantity(value, UNITS[colour])}; {words.STATES[state]}", level)
