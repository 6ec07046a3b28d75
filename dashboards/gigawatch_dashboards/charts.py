"""The charts of a factory, stated once: figure, sentence, table and CSV all derive from these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from gigawatch_contract.metrics import BY_COLUMN

if TYPE_CHECKING:
    from gigawatch_dashboards.series import Point

Value = Callable[["Point"], float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: what it is called, its column in the CSV, and where its value is."""

    label: str
    column: str
    value: Value
    style: str = "solid"
    band: bool = False
    """An edge of the shaded band between lowest and highest, not a line of its own."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: the first line is the one that its sentence is about."""

    key: str
    title: str
    subject: str
    """How its sentence begins."""
    unit: str
    lines: tuple[Line, ...]
    about: str
    """What is counted and how, for the note beside the chart and in the CSV."""
    top: float | None = None
    """Where the axis ends, if that is fixed."""
    steps: bool = False
    """Whether a value holds for its whole span (a count, a share) rather than on the way to the next."""
    zero: bool = True
    """Whether the axis begins at 0; temperature has no natural 0 to compare with."""


def _gauge(column: str) -> Value:
    read: Callable[[Any], float | None] = attrgetter(column)
    return lambda point: None if point.gauges is None else read(point.gauges)


def _rate(column: str) -> Value:
    read: Callable[[Any], float | None] = attrgetter(column)
    return lambda point: None if point.rates is None else read(point.rates)


def _unit(column: str) -> str:
    return BY_COLUMN["accelerator", column].unit


def _traffic(link: str, title: str) -> Chart:
    return Chart(
        link,
        f"{title} traffic",
        f"{title} received",
        f"{_unit(f'{link}_receive')}/s",
        (
            Line("received", f"{link}_receive", _rate(f"{link}_receive")),
            Line("transmitted", f"{link}_transmit", _rate(f"{link}_transmit"), style="dash"),
        ),
        f"Bytes per second over {title}, summed over all accelerators whose counters are known; safe over resets.",
    )


CHARTS: Final = (
    Chart(
        "utilization",
        "Utilisation",
        "Accelerators were busy",
        _unit("utilization"),
        (
            Line("mean", "utilization_mean", _gauge("utilization")),
            Line("lowest", "utilization_min", _gauge("utilization_min"), band=True),
            Line("highest", "utilization_max", _gauge("utilization_max"), band=True),
        ),
        "Mean over the accelerators that answered; the band spans their lowest and highest sample.",
        top=1.0,
    ),
    Chart(
        "power",
        "Power",
        "The accelerators drew",
        _unit("power"),
        (
            Line("drawn", "power", _gauge("power")),
            Line("limit in force", "power_limit", _gauge("power_limit"), style="dot"),
        ),
        "Accelerator power, not IT power: summed over the accelerators that answered. One that is silent adds nothing.",
    ),
    Chart(
        "temperature",
        "Temperature",
        "Dies were at",
        _unit("temperature"),
        (
            Line("mean", "temperature_mean", _gauge("temperature")),
            Line("hottest", "temperature_max", _gauge("temperature_max"), style="dash"),
        ),
        "Mean and hottest die of the accelerators that answered.",
        zero=False,
    ),
    Chart(
        "throttled",
        "Throttled by heat",
        "Held back by heat were",
        "accelerators",
        (Line("throttled", "accelerators_throttled", _rate("throttled")),),
        "Accelerators whose counters of thermal throttling grew within the span.",
        steps=True,
    ),
    _traffic("nvlink", "NVLink"),
    _traffic("pcie", "PCIe"),
    Chart(
        "coverage",
        "Coverage",
        "Samples were there for",
        "1",
        (Line("samples there", "coverage", lambda point: point.coverage),),
        "Samples stored, of those that the inventory and the export interval lead one to expect.",
        top=1.0,
        steps=True,
    ),
)
BY_KEY: Final = {chart.key: chart for chart in CHARTS}
