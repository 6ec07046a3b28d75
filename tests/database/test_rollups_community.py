"""The Community grade holds the same rollups as Apache, and what its continuous aggregates can say agrees with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

from gigawatch_contract.metrics import columns
from gigawatch_database.rollup.levels import GAUGES, LEVELS
from gigawatch_database.rows import load
from gigawatch_database.storage.maintain import maintain
from gigawatch_database.storage.survey import survey

if TYPE_CHECKING:
    from gigawatch_database.testing import Database

START = datetime(2026, 2, 28, 23, 57, tzinfo=UTC)
END = START + timedelta(minutes=12)

AGGREGATE = f"""
CREATE MATERIALIZED VIEW gauge_5min WITH (timescaledb.continuous) AS
SELECT time_bucket('5 minutes', time) AS bucket, accelerator_id,
  {", ".join(f"min({m.column}) {m.column}_min, max({m.column}) {m.column}_max, sum({m.column}::float8) {m.column}_sum, count({m.column}) {m.column}_count" for m in GAUGES)}
FROM accelerator_sample GROUP BY 1, 2 WITH NO DATA
"""
INCREASES = """
CREATE MATERIALIZED VIEW increase WITH (timescaledb.continuous) AS
SELECT time_bucket('5 minutes', time) AS bucket, node_id, sum(grew)
FROM (SELECT time, node_id, energy - lag(energy) OVER (PARTITION BY accelerator_id ORDER BY time) AS grew FROM accelerator_sample) s
GROUP BY 1, 2 WITH NO DATA
"""


def fleet() -> list[dict[str, Any]]:
    """Ten minutes of three accelerators: resets, silences and readings that are missing."""
    random = np.random.default_rng(7)
    rows: list[dict[str, Any]] = []
    for accelerator in (1, 2, 3):
        since, count = START - timedelta(days=1), 1000
        for tick in range(40):
            time = START + timedelta(seconds=15 * tick)
            count += int(random.integers(1, 999))
            if random.random() < 0.05:
                since, count = time - timedelta(seconds=3), int(random.integers(1, 99))
            if random.random() < 0.1:
                continue
            row: dict[str, Any] = {
                metric.column: count if metric.kind == "counter" else int(random.integers(0, 500))
                for metric in columns("accelerator")
                if random.random() < 0.9 and not metric.column.startswith("status_")
            }
            rows.append(
                {
                    **row,
                    "status_ok": 1,
                    "time": time,
                    "accelerator_id": accelerator,
                    "node_id": 1,
                    "counters_since": since,
                }
            )
    return rows


def roll_up(connection: psycopg.Connection, rows: list[dict[str, Any]]) -> None:
    """The fleet's rows, a fifth of them late."""
    load(connection, "factory", [{"factory_id": "sim-a", "simulated": True}])
    load(connection, "node", [{"node_id": 1, "factory_id": "sim-a", "host_name": "n"}])
    load(
        connection,
        "accelerator",
        [{"accelerator_id": one, "factory_id": "sim-a", "node_id": 1, "hw_id": f"g{one}"} for one in (1, 2, 3)],
    )
    listed = {"factory_id": "sim-a", "host_name": "n", "accelerators": 3, "valid_from": START, "entered_by": "test"}
    load(connection, "inventory_node", [listed])
    load(connection, "accelerator_sample", [row for index, row in enumerate(rows) if index % 5])
    maintain(connection, END)
    late = rows[::5]
    with connection.transaction():
        load(connection, "accelerator_sample", late)
        connection.execute("SELECT mark_late(%s, %s)", [[r["accelerator_id"] for r in late], [r["time"] for r in late]])
    assert maintain(connection, END).repaired


@pytest.mark.timeout(300)
def test_community_holds_the_same_rollups_as_apache(database: Database, community_database: Database) -> None:
    rows = fleet()
    with database.connect() as apache, community_database.connect() as community:
        for connection in (apache, community):
            roll_up(connection, rows)
        for level in LEVELS:
            query = f"SELECT * FROM {level.table} ORDER BY bucket, {level.key}".encode()
            want = apache.execute(query).fetchall()
            assert want, level.table
            assert community.execute(query).fetchall() == want, level.table

        community.execute(AGGREGATE.encode())
        community.execute("CALL refresh_continuous_aggregate('gauge_5min', NULL, NULL)")
        ours = ", ".join(f"{m.column}_min, {m.column}_max, {m.column}_sum, {m.column}_count" for m in GAUGES)
        agreed = community.execute(
            f"SELECT bucket, accelerator_id, {ours} FROM rollup_accelerator_5min ORDER BY 1, 2".encode()
        ).fetchall()
        theirs = community.execute(
            "SELECT * FROM gauge_5min WHERE bucket < '2026-03-01 00:05+00' ORDER BY 1, 2"
        ).fetchall()
        assert agreed == theirs
        assert len(agreed) == 6

        with pytest.raises(
            psycopg.errors.FeatureNotSupported
        ):  # what a factory's counters grew by is more than one can say
            community.execute(INCREASES)


@pytest.mark.timeout(300)
def test_old_chunks_go_into_the_columnstore_and_late_samples_still_merge(community_database: Database) -> None:
    with community_database.connect() as connection:
        roll_up(connection, fleet())
        spans = connection.execute(
            "SELECT hypertable_name, (config ->> 'compress_after')::interval FROM timescaledb_information.jobs "
            "WHERE proc_name LIKE 'policy_comp%' OR proc_name LIKE 'policy_col%'"
        ).fetchall()
        assert dict(spans)["accelerator_sample"] == timedelta(hours=28)
        assert dict(spans)["rollup_node_1min"] == timedelta(days=7, hours=28)
        connection.execute("SELECT compress_chunk(c) FROM show_chunks('accelerator_sample') c")
        tables = {table.name: table for table in survey(connection, END).tables}
        assert tables["accelerator_sample"].compressed_bytes
        before = connection.execute("SELECT sum(samples) FROM rollup_factory_1min").fetchone()
        late = {"time": START + timedelta(seconds=1), "accelerator_id": 1, "node_id": 1, "power": 1.0}
        with connection.transaction():
            load(connection, "accelerator_sample", [late])
            connection.execute("SELECT mark_late(%s, %s)", [[1], [late["time"]]])
        maintain(connection, END)
        after = connection.execute("SELECT sum(samples) FROM rollup_factory_1min").fetchone()
        assert before
        assert after == (before[0] + 1,)
