"""One reading of all accelerators as a table for a person: figures in the units people use, and said which; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gigawatch_contract.metrics import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatch_exporters.device import Reading
    from gigawatch_exporters.snapshot import Value

FOR_PEOPLE: Final = {
    "1": (100.0, "%"),
    "By": (2**-30, "GiB"),
    "J": (1 / 3.6e6, "kWh"),
    "Hz": (1e-6, "MHz"),
    "Cel": (1.0, "°C"),
}
"""By what a base unit is multiplied to be read."""
ABSENT: Final = "-"


def table(readings: Sequence[tuple[str, str, Reading]]) -> str:
    """A column for each accelerator, a row for each thing it can say."""
    if not readings:
        return "There is no accelerator on this node."
    rows = [
        ["", *(f"#{index}" for index in range(len(readings)))],
        ["id", *(hw_id for hw_id, _, _ in readings)],
        ["model", *(model for _, model, _ in readings)],
        ["state", *(reading.condition for _, _, reading in readings)],
    ]
    for metric in columns("accelerator"):
        if metric.column == "reading_age" or metric.column.startswith("status_"):
            continue
        factor, unit = FOR_PEOPLE.get(metric.unit, (1.0, metric.unit.strip("{}")))
        told = [({**reading.values, **reading.counters}).get(metric.column) for _, _, reading in readings]
        rows.append([f"{metric.column.replace('_', ' ')}, {unit}", *(_figure(value, factor) for value in told)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + f"\n\n{ABSENT}: not supported by this accelerator or driver, or not permitted"


def _figure(value: Value | None, factor: float) -> str:
    return ABSENT if value is None else f"{value * factor:,.6g}"
