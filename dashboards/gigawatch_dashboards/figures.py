"""From data to figures, pure. A gap is a gap: nothing is drawn where nothing was seen, and nothing joins over it.

Figures carry no colours of text, grid or ground: assets/charts.css sets those for the light and the dark theme, so that
one figure serves both. The colours of lines are chosen to stand out on both grounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go

from gigawatch_contract.events import RECOVERED
from gigawatch_dashboards.units import scale

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gigawatch_dashboards.charts import Chart, Line
    from gigawatch_dashboards.queries.factory import Happened
    from gigawatch_dashboards.series import Series

COLOURS: Final = ("#3b82d6", "#d9730d", "#0f9488")
"""Each has 3:1 against the ground of both themes; lines differ in their dashes as well."""
BAND: Final = "rgba(59, 130, 214, 0.16)"
GAP: Final = "rgba(128, 136, 150, 0.18)"
HEIGHT: Final = 230
"""Of a chart, in CSS pixels."""
EVENT: Final = "#d64562"
MARKED_EVENTS: Final = 20
"""At most so many events are marked in a chart: more would hide it."""


def figure(chart: Chart, series: Series, events: Sequence[Happened] = ()) -> go.Figure:
    """A chart of a factory over time, with its gaps shaded and its events marked."""
    times = [_utc(point.time) for point in series.points]
    columns = [[line.value(point) for point in series.points] for line in chart.lines]
    divisor, unit = scale([value for column in columns for value in column], chart.unit)
    scaled = [[None if value is None else value / divisor for value in column] for column in columns]
    drawn = list(zip(chart.lines, scaled, strict=True))
    band = [values for line, values in drawn if line.band]
    lines = [(line, values) for line, values in drawn if not line.band]
    found = go.Figure(layout=_layout(series, unit, None if chart.top is None else chart.top / divisor))
    if len(band) == 2:
        found.add_traces(_band(times, *band))
    found.add_traces(
        [
            _line(times, line, values, unit, COLOURS[number], steps=chart.steps)
            for number, (line, values) in enumerate(lines)
        ]
    )
    found.update_yaxes(rangemode="tozero" if chart.zero else "normal")
    room = (series.spans.until - series.spans.since) / 12
    for gap in series.gaps:
        found.add_vrect(
            x0=_utc(gap.since),
            x1=_utc(gap.until),
            fillcolor=GAP,
            line_width=0,
            layer="below",
            annotation={"text": "no data" if gap.until - gap.since >= room else "", "showarrow": False},
            annotation_position="top left",
        )
    if chart.key != "coverage":
        _mark(found, events, series)
    return found


def _layout(series: Series, unit: str, top: float | None) -> dict[str, Any]:
    start, end = _utc(series.spans.since), _utc(series.spans.until)
    return {
        "template": "none",
        "height": HEIGHT,
        "margin": {"l": 56, "r": 12, "t": 26, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12},
        "hovermode": "x unified",
        "dragmode": False,
        "uirevision": "kept",
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "xaxis": {
            "range": [start, end],
            "title": {"text": "time, UTC", "standoff": 4},
            "hoverformat": "%Y-%m-%d %H:%M:%S UTC",
            "showgrid": False,
            "ticks": "outside",
            "nticks": 6,
        },
        "yaxis": {
            "title": {"text": unit, "standoff": 6},
            "range": None if top is None else [0, top * 1.04],
            "zeroline": False,
            "nticks": 5,
            "separatethousands": True,
        },
    }


def _line(
    times: list[str], line: Line, values: list[float | None], unit: str, colour: str, *, steps: bool
) -> go.Scatter:
    return go.Scatter(
        x=times,
        y=values,
        name=line.label,
        mode="lines+markers" if _lonely(values) else "lines",
        connectgaps=False,
        line={"color": colour, "width": 2, "dash": line.style, "shape": "hvh" if steps else "linear"},
        marker={"size": 4, "color": colour},
        hovertemplate=f"%{{y:,.4~g}} {unit}",
    )


def _band(times: list[str], low: list[float | None], high: list[float | None]) -> list[go.Scatter]:
    """The shaded span between lowest and highest, one pair of traces for each stretch without a gap."""
    found: list[go.Scatter] = []
    for start, end in _stretches(low):
        span = slice(start, end)
        shared: dict[str, Any] = {"x": times[span], "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        found.append(go.Scatter(y=low[span], showlegend=False, **shared))
        found.append(
            go.Scatter(
                y=high[span],
                fill="tonexty",
                fillcolor=BAND,
                name="lowest to highest",
                legendgroup="band",
                showlegend=not start or not found[:-1],
                **shared,
            )
        )
    return found


def _stretches(values: Sequence[float | None]) -> list[tuple[int, int]]:
    """Where values are without a gap, as [start, end) pairs."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for number, value in enumerate([*values, None]):
        if value is not None and start is None:
            start = number
        elif value is None and start is not None:
            found.append((start, number))
            start = None
    return found


def _lonely(values: Sequence[float | None]) -> bool:
    """Whether some value has a gap on both sides: a line alone would not show it."""
    return any(end - start == 1 for start, end in _stretches(values))


def _mark(found: go.Figure, events: Sequence[Happened], series: Series) -> None:
    """A line at each event, with XID codes in words where there is room; recoveries are left to the list."""
    start, end = series.spans.since, series.spans.until
    worth = [event for event in events if event.name != RECOVERED.name and start < event.time <= end]
    room = (end - start) / 12
    named: datetime | None = None
    for event in sorted(worth[:MARKED_EVENTS], key=lambda one: one.time):
        found.add_vline(x=_utc(event.time), line={"color": EVENT, "width": 1.5, "dash": "dot"})
        if event.xid_code is not None and (named is None or event.time - named > room):
            named = event.time
            right = end - event.time < room
            found.add_annotation(
                x=_utc(event.time),
                y=0.02,
                yref="paper",
                yanchor="bottom",
                text=f"XID {event.xid_code}",
                showarrow=False,
                xanchor="right" if right else "left",
                xshift=-3 if right else 3,
            )


def _utc(moment: datetime) -> str:
    """A moment as plotly reads it: without a zone, so that every browser shows UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"
