"""`gigawatch storage`: what a person, a program and Prometheus read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gigawatch_database.rollup.levels import LEVELS
from gigawatch_database.storage import forecast, show
from gigawatch_database.storage.cli import main, span
from gigawatch_database.storage.survey import Table

if TYPE_CHECKING:
    import psycopg

    from gigawatch_database.testing import Database

RECENT = """
INSERT INTO accelerator_sample (time, accelerator_id, node_id, counters_since, power, energy, status_ok)
SELECT now() - interval '10 minutes' + k * interval '15 seconds', accelerator_id, node_id, now() - interval '1 day', 100, k, 1
FROM generate_series(0, 39) k, accelerator
"""


@pytest.fixture
def filled(each_database: Database, fleet: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> psycopg.Connection:
    """Ten minutes of samples up to now, rolled up, in the database that commands find."""
    monkeypatch.setenv("GIGAWATCH_DSN", each_database.dsn)
    fleet.execute(RECENT)
    assert main(["maintain", "--once"]) == 0
    return fleet


def test_it_tells_a_person_of_every_level(filled: psycopg.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(f"\n{level.table} " in said for level in LEVELS)
    assert "kept for ever comes to" in said
    assert "Disk: " in said


def test_json_and_metrics_say_the_same(filled: psycopg.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert main(["show", "--metrics", "--disk-free", "1000000"]) == 0
    families = {family.name: family for family in text_string_to_metric_families(capsys.readouterr().out)}
    rows = {sample.labels["level"]: sample.value for sample in families["gigawatch_storage_rows"].samples}
    assert rows == {table["name"]: table["rows"] for table in whole["tables"]}
    assert rows["accelerator_sample"] == 160
    by_name = {table["name"]: table for table in whole["tables"]}
    # time, two ids and the start are no points; power, energy and one status are
    assert by_name["accelerator_sample"]["points_per_row"] == 3
    assert by_name["rollup_factory_1min"]["rows_per_day"] == 2 * 1440
    assert by_name["rollup_accelerator_5min"]["kept"] == 30 * 86400
    assert by_name["rollup_node_1min"]["lag"] < 240
    assert families["gigawatch_storage_disk_free_bytes"].samples[0].value == 1e6
    assert "gigawatch_storage_compressed_bytes" not in families  # no columnstore here: absent, not zero


def test_what_is_kept_is_changed_in_one_place_and_checked(
    filled: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keep", "rollup_node_1min", "20d"]) == 0
    assert main(["keep", "node_sample", "forever"]) == 0
    assert main(["window", "delay", "30s"]) == 0
    kept = dict(filled.execute("SELECT level, kept FROM storage_level").fetchall())
    assert (kept["rollup_node_1min"], kept["node_sample"]) == (timedelta(days=20), None)
    assert main(["keep", "accelerator_sample", "1h"]) == 2
    assert "kept of accelerator_sample = 60 min must be more than repair" in capsys.readouterr().err
    for words, objection in (
        (["keep", "nothing", "1h"], "there is no level 'nothing'"),
        (["keep", "node_sample", "1 week"], "not a span"),
        (["window", "nothing", "1h"], "there is no window 'nothing'"),
    ):
        assert main(words) == 2
        assert objection in capsys.readouterr().err
    assert dict(filled.execute("SELECT level, kept FROM storage_level").fetchall()) == kept


def test_the_service_goes_on_until_it_is_told_to_end(each_database: Database, fleet: psycopg.Connection) -> None:
    fleet.execute(RECENT)
    process = subprocess.Popen(
        [sys.executable, "-m", "gigawatch", "storage", "maintain", "--every", "1"],
        env={**os.environ, "GIGAWATCH_DSN": each_database.dsn},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    lines = iter(process.stderr.readline, "")
    assert any("computed" in line and "buckets" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in rest


def test_spans_are_read_as_a_person_writes_them() -> None:
    assert [span(text) for text in ("90s", "30min", "26h", "14d")] == [
        timedelta(seconds=90), timedelta(minutes=30), timedelta(hours=26), timedelta(days=14),
    ]  # fmt: skip


def table(*, size: int = 0, per_day: float = 0, kept_days: float | None = None) -> Table:
    """A table of one-byte rows."""
    return Table(
        name="t", rows=max(size, 1), bytes=max(size, 1), index_bytes=0, parts=1, points_per_row=1, rows_per_day=per_day,
        kept=None if kept_days is None else timedelta(days=kept_days),
        refreshed_until=datetime(2026, 1, 1, tzinfo=UTC), lag=None, duration=None,
    )  # fmt: skip


def test_a_table_that_is_dropped_in_time_never_fills_the_disk() -> None:
    assert forecast.lasts([table(per_day=10, kept_days=5)], free=50) is None
    assert forecast.lasts([table(per_day=10, kept_days=5)], free=40) == timedelta(days=4)
    assert forecast.lasts([table(per_day=10, kept_days=5), table(per_day=1)], free=100) == timedelta(days=51)
    assert forecast.lasts([table(size=100, per_day=10, kept_days=5)], free=1) is None
    assert forecast.lasts([], free=0) is None


@given(
    st.lists(
        st.builds(table, size=st.integers(1, 50), per_day=st.integers(0, 9), kept_days=st.none() | st.integers(1, 30)),
        max_size=4,
    ),
    st.integers(1, 2000),
)
def test_the_forecast_is_what_going_on_day_by_day_shows(tables: list[Table], free: int) -> None:
    growth = [0.0] * len(tables)
    shown = None
    for hour in range(24 * 2500):
        for index, one in enumerate(tables):
            room = float("inf") if one.kept is None else max(0.0, one.bytes_per_day * one.kept.days - one.bytes)
            growth[index] = min(room, one.bytes_per_day * (hour + 1) / 24)
        if sum(growth) >= free:
            shown = hour + 1
            break
        if hour > 24 * 31 and all(one.kept is not None or not one.rows_per_day for one in tables):
            break
    found = forecast.lasts(tables, free)
    assert (found is None) == (shown is None)
    assert found is None or shown is None or abs(found / timedelta(hours=1) - shown) <= 1.001


def test_sizes_and_spans_are_cut_to_what_a_person_reads() -> None:
    assert [show.size(n) for n in (512, 1500, 2.5e9)] == ["512 B", "1.5 kB", "2.5 GB"]
    assert [show.span(timedelta(seconds=s)) for s in (0.02, 90, 7300, 9e8)] == [
        "20 ms",
        "90.0 s",
        "2.0 h",
        "28.5 years",
    ]
