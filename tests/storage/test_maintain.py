"""The scheduler: one at a time, and whole, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gigawatch_contract.errors import ConfigurationError
from gigawatch_database.rollup.levels import LEVELS
from gigawatch_database.storage.maintain import SCHEDULER, maintain
from gigawatch_database.storage.retention import cutoff

if TYPE_CHECKING:
    import psycopg

    from gigawatch_database.testing import Database

START = datetime(2026, 3, 1, 10, tzinfo=UTC)

SAMPLES = """
INSERT INTO accelerator_sample (time, accelerator_id, node_id, counters_since, power, energy, status_ok)
SELECT %(start)s::timestamptz + k * interval '15 seconds', a.accelerator_id, a.node_id,
  %(start)s::timestamptz - interval '1 day', 100, k * 1500, 1
FROM generate_series(0, 4 * %(minutes)s - 1) k, accelerator a
"""

ROUND = """
import sys
from datetime import datetime
from gigawatch_database.connect import connect
from gigawatch_database.storage.maintain import maintain
connection = connect(sys.argv[1], application_name="scheduler")
print("ready", flush=True)
sys.stdin.readline()
print(maintain(connection, datetime.fromisoformat(sys.argv[2])).refreshed.get("rollup_accelerator_5min", 0), flush=True)
"""


def fill(connection: psycopg.Connection, minutes: int) -> datetime:
    """Samples of the whole fleet; returns when they are over."""
    connection.execute(SAMPLES, {"start": START, "minutes": minutes})
    return START + timedelta(minutes=minutes + 1)


def scheduler(database: Database, now: datetime) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", ROUND, database.dsn, now.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def samples_rolled(connection: psycopg.Connection) -> dict[str, int]:
    rows = {
        level.table: connection.execute(f"SELECT sum(samples) FROM {level.table}".encode()).fetchone()
        for level in LEVELS
    }
    return {table: int(row[0]) for table, row in rows.items() if row and row[0] is not None}


def test_two_schedulers_at_once_do_nothing_twice(each_database: Database, fleet: psycopg.Connection) -> None:
    now = fill(fleet, 30)
    both = [scheduler(each_database, now) for _ in range(2)]
    said = []
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        said.append(int(process.communicate(timeout=60)[0]))
        assert process.returncode == 0
    assert sum(said) == 6
    assert samples_rolled(fleet)["rollup_accelerator_5min"] == 4 * 4 * 30


def test_a_scheduler_that_is_killed_leaves_whole_buckets_and_a_true_watermark(
    each_database: Database, fleet: psycopg.Connection
) -> None:
    now = fill(fleet, 90)
    victim = scheduler(each_database, now)
    assert victim.stdin
    victim.stdin.write("go\n")
    victim.stdin.flush()
    done = 0
    while done < 3:
        row = fleet.execute("SELECT count(DISTINCT bucket) FROM rollup_accelerator_5min").fetchone()
        done = row[0] if row else 0
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate(timeout=30)
    while (
        fleet.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [SCHEDULER]).fetchone()
        is not None
    ):
        time.sleep(0.01)

    ((rolled, until),) = fleet.execute(
        "SELECT sum(r.samples)::int, max(l.refreshed_until) FROM rollup_accelerator_5min r, storage_level l WHERE l.level = 'rollup_accelerator_5min'"
    ).fetchall()
    assert rolled == 4 * 4 * ((until - START) / timedelta(minutes=1))
    maintain(fleet, now)
    assert samples_rolled(fleet)["rollup_accelerator_5min"] == 4 * 4 * 90
    assert samples_rolled(fleet)["rollup_factory_1hour"] == 4 * 4 * 60


def test_only_what_is_due_and_computed_is_dropped(each_database: Database, fleet: psycopg.Connection) -> None:
    """Whole days (on TimescaleDB: chunks) go, when all of them is older than it is kept."""
    fleet.execute(
        "UPDATE storage_window SET spool = '1 min', accept = '2 min', repair = '3 min', compress_after = '1 h'"
    )
    fleet.execute("UPDATE storage_level SET kept = '72 minutes' WHERE level = 'accelerator_sample'")
    fleet.execute("UPDATE storage_level SET kept = '80 minutes' WHERE level = 'rollup_accelerator_5min'")
    fleet.execute("UPDATE storage_level SET kept = '2 hours' WHERE level = 'rollup_node_1min'")
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    fleet.execute("SELECT ensure_partitions(%s, %s)", [midnight - timedelta(days=1), midnight])
    for start in (midnight - timedelta(minutes=5), midnight + timedelta(minutes=3)):
        fleet.execute(SAMPLES, {"start": start, "minutes": 2})

    assert "accelerator_sample" not in maintain(fleet, midnight + timedelta(minutes=70)).dropped
    assert maintain(fleet, midnight + timedelta(minutes=73)).dropped["accelerator_sample"] == 1
    assert fleet.execute("SELECT min(time) FROM accelerator_sample").fetchone() == (midnight + timedelta(minutes=3),)
    assert samples_rolled(fleet)["rollup_node_1hour"] == 4 * 4 * 4
    assert not maintain(fleet, midnight + timedelta(minutes=73)).dropped


def test_samples_that_are_not_rolled_up_are_never_dropped(fleet: psycopg.Connection) -> None:
    hour = timedelta(hours=1)
    now = START + 100 * hour
    done = {"rollup_accelerator_5min": START, "rollup_node_1min": START + hour}
    assert cutoff("accelerator_sample", hour, done, now) == START
    assert cutoff("accelerator_sample", hour, {"rollup_node_1min": now}, now) is None
    assert cutoff("accelerator_sample", None, done, now) is None
    assert cutoff("rollup_factory_1day", hour, {}, now) == now - hour


def test_windows_that_do_not_fit_stop_the_scheduler_before_it_drops_anything(fleet: psycopg.Connection) -> None:
    fleet.execute("UPDATE storage_level SET kept = '1 hour' WHERE level = 'accelerator_sample'")
    with pytest.raises(ConfigurationError, match="kept of accelerator_sample"):
        maintain(fleet, START)


def test_the_fleet_in_the_inventory_sizes_the_chunks_to_come(database: Database) -> None:
    with database.connect() as connection:
        assert maintain(connection, START).chunk_interval == timedelta(days=1)
        connection.execute("SET effective_cache_size = '1GB'")
        connection.execute(
            "INSERT INTO inventory_node (factory_id, host_name, accelerators, valid_from, entered_by) VALUES ('sim-a', 'n', 25000, '2026-01-01', 'test')"
        )
        assert maintain(connection, START).chunk_interval == timedelta(hours=1)
        assert maintain(connection, START).chunk_interval is None
