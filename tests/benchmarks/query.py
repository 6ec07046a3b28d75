"""What the rollups cost, and what reading them takes, on generated samples and rollups in an embedded TimescaleDB.

Costs are CPU seconds of PostgreSQL's one process (no parallel workers), so that a busy machine does not change them much;
times of reading are the 95th percentile of wall time, warm. The bare GROUP BY computes the same five minutes without
resets, without expected samples, and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from gigawatch_contract.metrics import STATES
from gigawatch_database import embedded
from gigawatch_database.connect import connect
from gigawatch_database.migrate import migrate
from gigawatch_database.rollup.levels import COUNTERS, GAUGES, LEVELS, Level, reading_columns
from gigawatch_database.rollup.refresh import compute
from gigawatch_database.storage.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import psycopg

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
MINUTES = 11
FACTORY_SIZE = 25_000
TICKS = os.sysconf("SC_CLK_TCK")

FLEET = """
INSERT INTO factory (factory_id, simulated) SELECT 'sim-' || f, true FROM generate_series(1, %(factories)s::int) f;
INSERT INTO node (factory_id, host_name)
  SELECT 'sim-' || (n - 1) * 8 / %(factory_size)s::int + 1, 'n' || n FROM generate_series(1, %(accelerators)s::int / 8) n;
INSERT INTO accelerator (factory_id, node_id, hw_id)
  SELECT n.factory_id, n.node_id, 'g' || n.node_id || '-' || g FROM node n, generate_series(0, 7) g ORDER BY n.node_id, g;
INSERT INTO inventory_node (factory_id, host_name, accelerators, valid_from, entered_by)
  SELECT factory_id, host_name, 8, '2026-01-01', 'benchmark' FROM node;
ANALYZE
"""
SAMPLES = """
INSERT INTO accelerator_sample
SELECT %(start)s::timestamptz + k * interval '15 s' + (a.accelerator_id %% 100) * interval '100 ms', a.accelerator_id, a.node_id,
  '2026-05-31', random(), random(), (random() * 8e10)::int8, 80000000000, 700 * random(), 700 * random(), 700, 700, 700,
  100, 700, k * 10000 + random() * 1000, 60 + 20 * random(), 70, 1500000000 + (random() * 4e8)::int8, 2000000000, k, 0, 0, 0, 0,
  k * 1000000, k * 1000000, k * 9000000, k * 9000000, 0, 0, 1, 0, 0, 0, 0, 0.1
FROM generate_series(%(from)s::int, %(to)s::int) k, accelerator a
"""


@dataclass
class Clock:
    """What a piece of work took."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@contextmanager
def measured(connection: psycopg.Connection) -> Generator[Clock]:
    """CPU seconds of the server's process for this connection, and wall seconds."""
    stat = Path(f"/proc/{connection.info.backend_pid}/stat")

    def spent() -> float:
        fields = stat.read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    clock, cpu, wall = Clock(), spent(), time.perf_counter()
    yield clock
    clock.cpu_s, clock.wall_s = spent() - cpu, time.perf_counter() - wall


def tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def fill(connection: psycopg.Connection, accelerators: int) -> None:
    """Eleven minutes of samples, every 15 s."""
    parameters = {
        "accelerators": accelerators,
        "factory_size": FACTORY_SIZE,
        "factories": -(-accelerators // FACTORY_SIZE),
    }
    for statement in FLEET.split(";"):
        connection.execute(
            statement.encode(), {key: parameters[key] for key in parameters if f"%({key})s" in statement}
        )
    for first in range(0, MINUTES * 4, 4):
        connection.execute(SAMPLES.encode(), {"start": START, "from": first, "to": first + 3})
        tell(f"samples: minute {first // 4 + 1} of {MINUTES}")
    connection.execute("VACUUM ANALYZE accelerator_sample")
    connection.execute("UPDATE storage_window SET watching_since = %s", [START])


def bare(connection: psycopg.Connection) -> Clock:
    """The GROUP BY that a person would write for five minutes."""
    gauges = (f"min({m.column}), max({m.column}), sum({m.column}::float8), count({m.column})" for m in GAUGES)
    counters = (f"max({m.column}) - min({m.column})" for m in COUNTERS)
    states = (f"sum(status_{state})" for state in STATES)
    query = f"""
        EXPLAIN (ANALYZE, TIMING OFF)
        SELECT date_bin('5 min', time, '2000-01-01+00'), accelerator_id, count(*), {", ".join((*gauges, *counters, *states))}
        FROM accelerator_sample WHERE time >= %s AND time < %s GROUP BY 1, 2
    """
    since = START + timedelta(minutes=5)
    with measured(connection) as clock:
        connection.execute(query.encode(), [since, since + timedelta(minutes=5)])
    return clock


def costs(connection: psycopg.Connection, repeats: int) -> dict[str, float]:
    """CPU seconds of one bucket of each level, the median of some, and of the bare GROUP BY."""
    found: dict[str, list[float]] = {"bare": []}
    for turn in range(repeats):
        found["bare"].append(bare(connection).cpu_s)
        for level in LEVELS:
            connection.execute(
                f"TRUNCATE {level.table}".encode()
            )  # in service a bucket is computed into an empty place
        for level in LEVELS:
            bucket = level.bucket(START + timedelta(minutes=5))
            with measured(connection) as clock, connection.transaction():
                compute(connection, level, bucket)
            found.setdefault(level.name, []).append(clock.cpu_s)
        tell(f"costs: turn {turn + 1} of {repeats}")
    return {name: sorted(values)[len(values) // 2] for name, values in found.items()}


def history(connection: psycopg.Connection, accelerators: int, days: int = 30) -> None:
    """Thirty days of hours for some accelerators, and of minutes for a factory, from the bucket that was computed."""
    names = ", ".join(column.name for column in reading_columns())
    for level, scope, step in (
        ("accelerator_1hour", f"accelerator_id <= {accelerators}", "1 hour"),
        ("factory_1min", "factory_id = 'sim-1'", "1 minute"),
        ("factory_1hour", "factory_id = 'sim-1'", "1 hour"),
    ):
        key = "accelerator_id, node_id" if level.startswith("accelerator") else "factory_id"
        connection.execute(
            f"""
            INSERT INTO rollup_{level} (bucket, {key}, {names})
            SELECT t.time, {key}, {names}
            FROM (SELECT * FROM rollup_{level} WHERE {scope} AND bucket >= %(start)s ORDER BY bucket LIMIT {accelerators}) r,
              generate_series(%(start)s::timestamptz - interval '{days} days', %(start)s::timestamptz - interval '{step}', interval '{step}') t (time)
            ORDER BY t.time
            """.encode(),
            {"start": START},
        )
        tell(f"history: {level}")
    connection.execute("VACUUM ANALYZE")


def p95_ms(read: Callable[[], object], times: int = 40) -> float:
    """The 95th percentile of wall time, warm."""
    read()
    taken: list[float] = []
    for _ in range(times):
        begun = time.perf_counter()
        read()
        taken.append(1000 * (time.perf_counter() - begun))
    return round(quantiles(taken, n=20)[-1], 1)


def readings(connection: psycopg.Connection) -> dict[str, float]:
    """What pages and KPIs ask the past of."""
    since = START - timedelta(days=30)
    mean = "utilization_sum / nullif(utilization_count, 0), power_sum / nullif(power_count, 0), energy_increase, samples_had"
    now = START + timedelta(minutes=MINUTES)

    def accelerator() -> object:
        query = f"SELECT bucket, {mean} FROM accelerator_1hour WHERE hw_id = %s AND factory_id = 'sim-1' AND bucket >= %s ORDER BY bucket"
        return connection.execute(query.encode(), ["g7-3", since]).fetchall()

    def factory_minutes() -> object:
        query = f"SELECT bucket, {mean}, samples_expected FROM factory_1min WHERE factory_id = 'sim-1' AND bucket >= %s ORDER BY bucket"
        return connection.execute(query.encode(), [since]).fetchall()

    def factory_by_hour_of_minutes() -> object:
        query = """
            SELECT date_bin('1 hour', bucket, '2000-01-01+00'), sum(utilization_sum) / sum(utilization_count), sum(energy_increase),
              sum(samples_had) / sum(samples_expected)
            FROM factory_1min WHERE factory_id = 'sim-1' AND bucket >= %s GROUP BY 1 ORDER BY 1
        """
        return connection.execute(query.encode(), [since]).fetchall()

    def fleet_now() -> object:
        query = """
            SELECT count(DISTINCT accelerator_id), avg(utilization), avg(power), count(*) FILTER (WHERE status_lost = 1)
            FROM accelerator_reading WHERE factory_id = 'sim-1' AND time >= %s AND time < %s
        """
        return connection.execute(query.encode(), [now - timedelta(minutes=1), now]).fetchall()

    found = {}
    for name, read in (
        ("accelerator_30d_p95_ms", accelerator),
        ("factory_30d_p95_ms", factory_by_hour_of_minutes),
        ("factory_30d_every_minute_p95_ms", factory_minutes),
        ("fleet_now_p95_ms", fleet_now),
    ):
        found[name] = p95_ms(read)
        tell(f"{name}: {found[name]}")
    return found


def core_percent(cost: dict[str, float]) -> float:
    """All levels together, as a share of one core: each bucket's cost over its width."""

    def share(level: Level) -> float:
        return cost[level.name] / level.width.total_seconds()

    # The hour and the day were computed from one finer bucket here; whole ones read 12 times and 24 times as many rows.
    finer = {"accelerator_1hour": 12 / 2, "accelerator_1day": 24.0, "node_1hour": 60.0, "node_1day": 24.0}
    return 100 * sum(share(level) * finer.get(level.name, 1.0) for level in LEVELS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accelerators", type=int, default=100_000, help="of the fleet (default: 100000)")
    parser.add_argument("--history", type=int, default=2_000, help="accelerators with 30 days of hours (default: 2000)")
    parser.add_argument("--repeats", type=int, default=3, help="of each refresh (default: 3)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gigawatch-") as name:
        Path(name).chmod(0o755)
        with (
            embedded.running(Path(name) / "data", report=tell) as server,
            connect(server.dsn, application_name="bench") as connection,
        ):
            migrate(connection, report=lambda _: None)
            connection.execute("SET max_parallel_workers_per_gather = 0")
            connection.execute("SET work_mem = '256MB'")
            fill(connection, chosen.accelerators)
            cost = costs(connection, chosen.repeats)
            connection.execute("ANALYZE")
            tables = {table.name: table for table in survey(connection, START).tables}
            history(connection, chosen.history)
            connection.execute("RESET work_mem")
            found = readings(connection)
    print(
        json.dumps(
            {
                "grade": server.grade,
                "accelerators": chosen.accelerators,
                "bare_group_by_cpu_s": round(cost["bare"], 2),
                "accelerator_5min_cpu_s": round(cost["accelerator_5min"], 2),
                "node_1min_cpu_s": round(cost["node_1min"], 2),
                "rollup_vs_groupby_ratio": round(cost["accelerator_5min"] / cost["bare"], 2),
                "rollup_core_percent": round(core_percent(cost), 2),
                "bytes_per_point_raw": round(tables["accelerator_sample"].bytes_per_point or 0, 2),
                "bytes_per_row_accelerator_5min": round(tables["rollup_accelerator_5min"].bytes_per_row or 0),
                **found,
            }
        )
    )


if __name__ == "__main__":
    main()
