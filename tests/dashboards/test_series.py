from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_dashboards import export, words
from gigawatch_dashboards.charts import BY_KEY, CHARTS
from gigawatch_dashboards.figures import figure
from gigawatch_dashboards.moment import Spans
from gigawatch_dashboards.queries.factory import Happened
from gigawatch_dashboards.queries.series import TICK, Expected, Gauges, Rates
from gigawatch_dashboards.series import Series, series
from gigawatch_dashboards.tables import chart_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

END = datetime(2026, 11, 23, 12, tzinfo=UTC)
WIDTH, INTERVAL = timedelta(seconds=30), timedelta(seconds=15)
SPANS = Spans(END - 10 * WIDTH, END, WIDTH, END)
ALWAYS = [Expected(END - timedelta(days=9), None, 4)]
PRESENT = (0, 1, 2, 5, 6, 8)
"""The spans of ten that have samples: two gaps, and one span alone between them."""


def start(number: int) -> datetime:
    return SPANS.since + number * WIDTH + TICK


def gauges(number: int) -> Gauges:
    busy = 0.5 + number / 100
    return Gauges(start(number), 8, 4, busy, busy - 0.1, busy + 0.1, 1000.0 + number, 2800.0, 60.0, 70.0 + number)


def rates(number: int) -> Rates:
    return Rates(start(number), 4, 1e9, 2e9, 3e12, 4e12, number % 2)


def drawn_of(key: str, found: Series, happened: Sequence[Happened] = ()) -> dict[str, Any]:
    """A figure as the browser gets it, without typed arrays."""
    return json.loads(json.dumps(figure(BY_KEY[key], found, happened).to_plotly_json(), default=str))


@pytest.fixture
def found() -> Series:
    rows, moved = [gauges(number) for number in PRESENT], [rates(number) for number in PRESENT]
    return series(SPANS, INTERVAL, gauges=rows, rates=moved, inventory=ALWAYS)


def test_every_span_is_there_and_the_missing_ones_hold_nothing(found: Series) -> None:
    assert len(found.points) == 10
    assert [number for number, point in enumerate(found.points) if point.gauges] == list(PRESENT)
    assert (found.points[0].since, found.points[-1].until) == (SPANS.since, END)


def test_coverage_is_what_came_of_what_was_expected_and_a_gap_counts_as_nothing(found: Series) -> None:
    assert [point.coverage for point in found.points] == [1, 1, 1, 0, 0, 1, 1, 0, 1, 0]
    assert found.coverage == 0.6
    assert words.coverage(found).replace("\u00a0", " ") == (
        "60 % of the expected samples are there. 3 gaps without any sample, the longest 60 s from 11:56:30 UTC."
    )


def test_nothing_is_expected_of_the_part_of_the_last_span_that_has_not_come() -> None:
    half = Spans(SPANS.since, END, WIDTH, END - WIDTH / 2)
    rows = [gauges(number) for number in range(9)]
    rows.append(Gauges(start(9), 4, 4, None, None, None, None, None, None, None))
    found = series(half, INTERVAL, gauges=rows, rates=[], inventory=ALWAYS)
    assert (found.points[-1].expected, found.coverage) == (4, 1.0)


def test_more_samples_than_expected_never_make_up_for_missing_ones() -> None:
    twice = [Gauges(start(0), 100, 4, None, None, None, None, None, None, None)]
    assert series(SPANS, INTERVAL, gauges=twice, rates=[], inventory=ALWAYS).coverage == 0.1


def test_coverage_is_not_known_without_an_inventory_and_counts_only_while_something_was_expected() -> None:
    rows = [gauges(number) for number in range(10)]
    assert series(SPANS, INTERVAL, gauges=rows, rates=[], inventory=[]).coverage is None
    half = [Expected(END - 5 * WIDTH, None, 4)]
    partly = series(SPANS, INTERVAL, gauges=rows[5:], rates=[], inventory=half)
    assert (partly.coverage, [point.coverage for point in partly.points[:5]]) == (1.0, [None] * 5)


def test_a_gap_stays_a_gap_in_the_figure(found: Series) -> None:
    for chart in CHARTS:
        drawn = drawn_of(chart.key, found)
        for trace in drawn["data"]:
            assert trace.get("connectgaps", False) is False
            if trace.get("fill") != "tonexty" and trace.get("hoverinfo") != "skip" and chart.key != "coverage":
                assert [value is not None for value in trace["y"]] == [number in PRESENT for number in range(10)]
        shaded = [shape for shape in drawn["layout"]["shapes"] if shape["type"] == "rect"]
        assert [shape["x0"] for shape in shaded] == [f"{gap.since:%Y-%m-%d %H:%M:%S.%f}" for gap in found.gaps]
    assert [(gap.since, gap.until) for gap in found.gaps] == [
        (start(3) - TICK, start(5) - TICK),
        (start(7) - TICK, start(8) - TICK),
        (start(9) - TICK, END),
    ]


def test_the_band_never_joins_over_a_gap(found: Series) -> None:
    band = [trace for trace in drawn_of("utilization", found)["data"] if trace.get("fill") == "tonexty"]
    assert [len(trace["x"]) for trace in band] == [3, 2, 1]
    assert sum(trace["showlegend"] for trace in band) == 1


def test_a_value_alone_between_two_gaps_is_seen(found: Series) -> None:
    assert [trace["mode"] for trace in drawn_of("power", found)["data"]] == ["lines+markers"] * 2


def test_every_axis_has_its_unit_and_says_utc(found: Series) -> None:
    units = {"utilization": "%", "power": "kW", "temperature": "°C", "throttled": "accelerators", "nvlink": "TB/s"}
    units |= {"pcie": "GB/s", "coverage": "%"}
    for chart in CHARTS:
        layout = drawn_of(chart.key, found)["layout"]
        assert layout["yaxis"]["title"]["text"] == units[chart.key]
        assert layout["xaxis"]["title"]["text"] == "time, UTC"


def test_events_are_marked_where_they_were_and_named_by_their_code(found: Series) -> None:
    event = Happened("id", END - timedelta(minutes=2), "n1", None, None, "gigawatch.accelerator.xid", 17, 79, None)
    old = Happened("old", END - timedelta(days=2), "n1", None, None, "gigawatch.accelerator.xid", 17, 48, None)
    layout = drawn_of("power", found, [event, old])["layout"]
    assert [shape["x0"] for shape in layout["shapes"] if shape["type"] == "line"] == ["2026-11-23 11:58:00.000000"]
    assert [note["text"] for note in layout["annotations"] if note["text"] != "no data"] == ["XID 79"]


def test_a_sentence_tells_mean_extremes_times_and_what_is_not_known(found: Series) -> None:
    text = words.chart(BY_KEY["power"], found).replace("\u00a0", " ")
    assert text == (
        "The accelerators drew 1 kW on average, from 1 kW at 11:55 to 1.01 kW at 11:59 UTC. Not known for 2 min of 5 min."
    )
    empty = series(SPANS, INTERVAL, gauges=[], rates=[], inventory=ALWAYS)
    assert words.chart(BY_KEY["power"], empty) == "There is no reading in this window."


def test_the_table_has_the_figures_of_the_chart_and_a_dash_where_there_is_none(found: Series) -> None:
    caption, head, body = chart_rows(BY_KEY["utilization"], found)
    assert caption == "Utilisation, spans of 30 s"
    assert head == ["From (UTC)", "mean, %", "lowest, %", "highest, %", "of expected samples"]
    assert body[0] == ["2026-11-23 11:59:30", "\u2013", "\u2013", "\u2013", "0\u00a0%"]
    assert body[1] == ["2026-11-23 11:59:00", "58", "48", "68", "100\u00a0%"]


def test_the_csv_has_exact_values_units_utc_and_provenance(found: Series) -> None:
    text = "".join(export.rows("sim-aurora", BY_KEY["power"], found, grade="TimescaleDB", now=END))
    notes = [line for line in text.splitlines() if line.startswith("#")]
    assert any("Simulated data" in line for line in notes)
    assert any("UTC" in line for line in notes)
    assert any("TimescaleDB" in line for line in notes)
    rows = list(csv.DictReader(io.StringIO("".join(line for line in text.splitlines(keepends=True) if line[0] != "#"))))
    assert len(rows) == 10
    assert rows[8]["power_watts"] == "1008.0"
    assert (rows[8]["span_start_utc"], rows[8]["samples"], rows[8]["samples_expected"]) == (
        "2026-11-23T11:59:00.000000Z",
        "8",
        "8",
    )
    assert (rows[9]["power_watts"], rows[9]["samples"]) == ("", "0")
