"""CSV of a chart: plain base units, UTC, and where the figures come from in comment lines above the header."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from gigawatch_contract.resource import is_fictional
from gigawatch_dashboards import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gigawatch_dashboards.charts import Chart
    from gigawatch_dashboards.series import Series

UNIT_NAMES = {"1": "ratio", "Cel": "celsius", "By/s": "bytes_per_second", "W": "watts"}


def filename(factory_id: str, chart: Chart, series: Series) -> str:
    """A name that says what is in the file: factory, chart, and the window's end."""
    return f"{factory_id}_{chart.key}_{series.spans.until:%Y%m%dT%H%M%SZ}.csv"


def rows(factory_id: str, chart: Chart, series: Series, *, grade: str, now: datetime) -> Iterator[str]:
    """The lines of the file."""
    yield from (f"# {line}\r\n" for line in provenance(factory_id, chart, series, grade=grade, now=now))
    yield _line(
        [
            "span_start_utc",
            "span_end_utc",
            *(column_name(chart, line.column) for line in chart.lines),
            "accelerators",
            "samples",
            "samples_expected",
        ]
    )
    for point in series.points:
        values = [line.value(point) for line in chart.lines]
        seen = [point.gauges.accelerators, point.gauges.samples] if point.gauges else [0, 0]
        expected = "" if point.expected is None else f"{point.expected:g}"
        yield _line(
            [_iso(point.since), _iso(point.until), *("" if v is None else repr(v) for v in values), *seen, expected]
        )


def provenance(factory_id: str, chart: Chart, series: Series, *, grade: str, now: datetime) -> Iterator[str]:
    """What a reader must know to trust the figures, a line each."""
    yield f"Gigawatch: {chart.title} of {factory_id}"
    if is_fictional(factory_id):
        yield words.SIMULATED
    yield chart.about
    yield f"From {_iso(series.spans.since)} (left out) to {_iso(series.spans.until)}; all times are UTC"
    yield f"A row is {series.spans.width.total_seconds():g} s; an empty field is not known, never zero"
    yield words.coverage(series)
    yield f"Read from the view accelerator_reading ({grade}) at {_iso(now)}"


def column_name(chart: Chart, column: str) -> str:
    """A column with its unit: `power_watts`."""
    unit = UNIT_NAMES.get(chart.unit)
    return f"{column}_{unit}" if unit else column


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _line(cells: list[object]) -> str:
    found = io.StringIO()
    csv.writer(found).writerow(cells)
    return found.getvalue()
