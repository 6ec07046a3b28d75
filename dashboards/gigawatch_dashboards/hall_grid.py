"""The hall as a grid of cells in HTML, its legend, and the same as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dash import html

from gigawatch_dashboards import words
from gigawatch_dashboards.components import aria, table
from gigawatch_dashboards.hall import UNITS, hall, scale
from gigawatch_dashboards.units import MISSING, count, quantity
from gigawatch_dashboards.view import COLOURS

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from gigawatch_dashboards.condition import Condition, Node
    from gigawatch_dashboards.hall import Cell, Rack, Row

STEPS: Final = 9
"""Colours between the ends of a scale, as assets/gigawatch.css has them."""
ORDER: Final = ("ok", "degraded", "failed", "unresponsive", "lost", "silent")


def grid(condition: Condition, colour: str, marked: str | None) -> list[Component]:
    """The hall with its legend. To a screen reader it is one picture with a sentence; the table has the rest."""
    racks = [_rack(rack, marked) for rack in hall(condition, colour)]
    return [
        _legend(condition, colour),
        html.Div(racks, className="hall", role="img", **aria(label=words.hall(condition, COLOURS[colour]))),
    ]


def node_table(condition: Condition) -> Component:
    """Every node in words."""
    head = ["Rack", "Node", "Answer", "Expected", "Mean utilisation", "Hottest", "Power"]
    return table("Nodes", head, [_node_row(node) for node in condition.nodes])


def _node_row(node: Node) -> list[str]:
    answering = [one for one in node.accelerators if one.state not in {"lost", "unresponsive"}]
    busy = [one.utilization for one in answering if one.utilization is not None]
    heat = [one.temperature for one in answering if one.temperature is not None]
    power = [one.power for one in answering if one.power is not None]
    return [
        node.rack or MISSING,
        node.host_name,
        count(len(answering)) if node.reports else "silent",
        count(node.expected),
        quantity(sum(busy) / len(busy) if busy else None, "1"),
        quantity(max(heat, default=None), "Cel"),
        quantity(sum(power) if power else None, "W"),
    ]


def _rack(rack: Rack, marked: str | None) -> Component:
    rows = [_row(row, here=marked is not None and row.host_name == marked) for row in rack.rows]
    return html.Div([html.Div(rack.name or "rack not known", className="rack-name"), *rows], className="rack")


def _row(row: Row, *, here: bool) -> Component:
    label = [html.Span(row.label, className="node-name", title=row.host_name)] if row.host_name else []
    cells = html.Span([_cell(cell) for cell in row.cells], className="cells" if row.host_name else "cells many")
    return html.Div([*label, cells], className="node marked" if here else "node")


def _cell(cell: Cell) -> Component:
    step = "" if cell.level is None else f" level-{round(cell.level * (STEPS - 1))}"
    return html.Span(className=f"cell {cell.state or 'unknown'}{step}", title=f"{cell.label}: {cell.text}")


def _legend(condition: Condition, colour: str) -> Component:
    states = {**condition.states, "silent": condition.missing}
    shown = ORDER if colour == "status" else ORDER[1:]  # a colour of the scale is "OK"
    present = [
        html.Span(
            [html.Span(className=f"cell {state}"), f"{words.STATES[state]} {count(states[state])}"], className="key"
        )
        for state in shown
        if states.get(state)
    ]
    if colour == "status":
        return html.Div(present, className="legend")
    low, high = scale(condition, colour)
    ramp = html.Span(
        [quantity(low, UNITS[colour]), html.Span(className="ramp"), quantity(high, UNITS[colour])], className="key"
    )
    return html.Div([ramp, *present], className="legend")
