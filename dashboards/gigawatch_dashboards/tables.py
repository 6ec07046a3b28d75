"""The same figures as the charts, as rows of a table; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gigawatch_dashboards.units import MISSING, digits, scale, share

if TYPE_CHECKING:
    from gigawatch_dashboards.charts import Chart
    from gigawatch_dashboards.series import Series


def chart_rows(chart: Chart, series: Series) -> tuple[str, list[str], list[list[str]]]:
    """Caption, head and body of a chart's table, the newest span first; what is not known is a dash."""
    columns = [[line.value(point) for point in series.points] for line in chart.lines]
    divisor, unit = scale([value for column in columns for value in column], chart.unit)
    head = ["From (UTC)", *(f"{line.label}, {unit}" for line in chart.lines), "of expected samples"]
    body = [
        [
            f"{point.since:%Y-%m-%d %H:%M:%S}",
            *(MISSING if value is None else digits(value / divisor) for value in values),
            MISSING if point.coverage is None else share(point.coverage, 1.0),
        ]
        for point, *values in zip(series.points, *columns, strict=True)
    ]
    return f"{chart.title}, spans of {series.spans.width.total_seconds():g} s", head, body[::-1]
