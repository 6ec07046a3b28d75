"""The rollups equal an independent computation with NumPy on the raw samples, whatever befell them on their way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gigawatch_contract.metrics import STATES, columns
from gigawatch_database.rollup.levels import COUNTERS, GAUGES, LEVELS, Level, reading_columns
from gigawatch_database.storage.maintain import maintain

if TYPE_CHECKING:
    import psycopg

    from gigawatch_database.testing import Database

DAYLIGHT_SAVING_ENDS = datetime(2026, 10, 25, tzinfo=UTC)
"""Central Europe's hour from 2 to 3 comes twice on this day: it begins at 00:00 UTC."""
START = DAYLIGHT_SAVING_ENDS - timedelta(minutes=4)
TICK_S = 15.0
NODE_OF = {1: 1, 2: 1, 3: 2, 4: 3}
FACTORY_OF = {1: "sim-a", 2: "sim-a", 3: "sim-b"}
LISTED = {  # node: accelerators and since when, as conftest.py has it
    1: (2, datetime(2026, 1, 1, tzinfo=UTC)),
    2: (1, datetime(2026, 1, 1, tzinfo=UTC)),
    3: (1, datetime(2026, 10, 25, 0, 7, 30, tzinfo=UTC)),
}
NEVER_SEEN = 4


@dataclass(frozen=True)
class Sample:
    time: datetime
    accelerator: int
    since: datetime | None
    readings: dict[str, float | int | None]


@dataclass(frozen=True)
class Weather:
    """What befalls the samples on their way."""

    seed: int
    gaps: bool = False
    silent_readings: bool = False
    resets: bool = False
    no_start: bool = False
    clock_jump: bool = False
    joined_late: bool = False


def samples(weather: Weather, ticks: int = 64) -> list[Sample]:
    """Sixteen minutes of four accelerators, every 15 s."""
    random = np.random.default_rng(weather.seed)
    found: list[Sample] = []
    for accelerator in NODE_OF:
        since: datetime | None = START - timedelta(days=3)
        if weather.no_start and accelerator in {2, 3}:
            since = None
        counts = {metric.column: int(random.integers(0, 10**9)) for metric in COUNTERS}
        dark = 0
        for tick in range(ticks):
            time = START + timedelta(seconds=TICK_S * tick, milliseconds=100 * accelerator)
            if weather.joined_late and accelerator == 4 and tick < 40:
                continue
            if weather.clock_jump and accelerator == 1 and 20 <= tick < 30:
                time += timedelta(minutes=4, milliseconds=1)
            if weather.resets and random.random() < 0.06:
                counts = dict.fromkeys(counts, 0)
                if since is not None:
                    since = time - timedelta(seconds=float(random.uniform(0.1, 14.0)))
            counts = {name: value + int(random.integers(0, 5000)) for name, value in counts.items()}
            if weather.gaps and random.random() < 0.08:
                dark = int(random.integers(1, 16))
            dark = max(0, dark - 1)
            if dark:
                continue
            readings: dict[str, float | int | None] = dict.fromkeys(metric.column for metric in columns("accelerator"))
            state = str(random.choice(list(STATES), p=(0.8, 0.05, 0.05, 0.05, 0.05)))
            readings |= {f"status_{name}": int(name == state) for name in STATES}
            readings |= {metric.column: _number(metric.type, random.uniform(0, 900)) for metric in GAUGES}
            readings |= {metric.column: _number(metric.type, counts[metric.column]) for metric in COUNTERS}
            if weather.silent_readings:
                readings = {
                    name: None if not name.startswith("status") and random.random() < 0.3 else value
                    for name, value in readings.items()
                }
            found.append(Sample(time, accelerator, since, readings))
    return found


def _number(kind: str, value: float) -> float | int:
    return float(np.float32(value)) if kind == "float4" else value if kind == "float8" else int(value)


def expected(level: Level, raw: list[Sample], end: datetime) -> dict[tuple[datetime, Any], dict[str, Any]]:
    """The level's rows, straight from all samples; no level rests on another here."""
    origin = min(sample.time for sample in raw)
    found: dict[tuple[datetime, Any], dict[str, Any]] = {}
    bucket = level.bucket(origin)
    while bucket < end:
        until = bucket + level.width
        here = [sample for sample in raw if bucket <= sample.time < until]
        for thing in {"accelerator": NODE_OF, "node": FACTORY_OF, "factory": dict.fromkeys(FACTORY_OF.values())}[
            level.thing
        ]:
            mine = [sample for sample in here if _thing(level, sample.accelerator) == thing]
            asked = _samples_expected(level, thing, bucket, until)
            if mine or (asked and level.thing != "accelerator"):
                row = _row(level, raw, mine, asked)
                found[bucket, thing] = row
        bucket = until
    return found


def _thing(level: Level, accelerator: int) -> Any:
    node = NODE_OF[accelerator]
    return {"accelerator": accelerator, "node": node, "factory": FACTORY_OF[node]}[level.thing]


def _samples_expected(level: Level, thing: Any, since: datetime, until: datetime) -> float | None:
    def of_node(node: int, accelerators: int | None = None) -> float:
        listed, begin = LISTED[node]
        return max(0.0, (until - max(begin, since, START)).total_seconds()) * (accelerators or listed) / TICK_S

    if level.thing == "accelerator":
        return of_node(NODE_OF[thing], 1) or None
    if level.thing == "node":
        return of_node(thing) or None
    found = sum(of_node(node) for node, factory in FACTORY_OF.items() if factory == thing)
    return (
        found + (NEVER_SEEN * (until - max(since, START)).total_seconds() / TICK_S if thing == "sim-a" else 0) or None
    )


def _row(level: Level, raw: list[Sample], mine: list[Sample], asked: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {"samples": len(mine), "samples_expected": asked, "samples_had": len(mine) if asked else None}
    # Hours and days say what came while their finer buckets were listed.
    if asked and level.width > timedelta(minutes=5):
        finer = 5 if level.thing == "accelerator" else 1
        row["samples_had"] = sum(_listed(sample, timedelta(minutes=finer)) for sample in mine)
    for state in STATES:
        row[f"status_{state}_seconds"] = TICK_S * sum(sample.readings[f"status_{state}"] or 0 for sample in mine)
    for metric in GAUGES:
        values = np.array(
            [sample.readings[metric.column] for sample in mine if sample.readings[metric.column] is not None]
        )
        some = bool(len(values))
        row[f"{metric.column}_count"] = len(values)
        row[f"{metric.column}_min"] = values.min() if some else None
        row[f"{metric.column}_max"] = values.max() if some else None
        row[f"{metric.column}_sum"] = values.astype(np.float64).sum() if some else None
    for metric in COUNTERS:
        parts = [
            part
            for accelerator in {sample.accelerator for sample in mine}
            for part in _increases(raw, mine, accelerator, metric.column)
        ]
        row[f"{metric.column}_increase"] = sum(parts) if parts else None
    return row


def _listed(sample: Sample, width: timedelta) -> bool:
    _, begin = LISTED[NODE_OF[sample.accelerator]]
    fine = replace(LEVELS[0], width=width)
    return begin < fine.bucket(sample.time) + width


def _increases(raw: list[Sample], mine: list[Sample], accelerator: int, column: str) -> list[float]:
    """What a counter grew by at each reading of the bucket, by the rule of docs/storage.md."""
    history = sorted((s for s in raw if s.accelerator == accelerator), key=lambda s: s.time)
    inside = {id(s) for s in mine}
    found: list[float] = []
    highest: dict[datetime | None, float] = {}
    for index, sample in enumerate(history):
        value = sample.readings[column]
        if value is None:
            continue
        since = sample.since
        if since is None:
            before = highest.get(None)
            grew = 0 if before is None else value if value < before else value - before
            highest[None] = value
        elif since in highest:
            grew = max(0, value - highest[since])
            highest[since] = max(value, highest[since])
        else:
            others = [s for s in history[:index] if s.since != since]
            watched = any(s.time < since for s in others) and not any(s.time >= since for s in others)
            grew = value if watched else 0
            highest[since] = value
        if id(sample) in inside:
            found.append(grew)
    return found


def store(connection: psycopg.Connection, rows: list[Sample], *, late: bool = False) -> None:
    """What the collector does: rows and the mark of late ones in one transaction; a row that is there stays."""
    names = [metric.column for metric in columns("accelerator")]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO accelerator_sample (time, accelerator_id, node_id, counters_since, {', '.join(names)}) "
            f"VALUES (%s, %s, %s, %s, {', '.join(['%s'] * len(names))}) ON CONFLICT DO NOTHING".encode(),
            [
                (s.time, s.accelerator, NODE_OF[s.accelerator], s.since, *(s.readings[name] for name in names))
                for s in rows
            ],
        )
        if rows:
            times, ids = [s.time for s in rows], [s.accelerator for s in rows]
            marked = cursor.execute("SELECT mark_late(%s, %s)", [ids, times]).fetchone()
            assert not late or (marked is not None and marked[0] > 0)


def stored(connection: psycopg.Connection, level: Level) -> dict[tuple[datetime, Any], dict[str, Any]]:
    names = [column.name for column in reading_columns()]
    rows = connection.execute(f"SELECT bucket, {level.key}, {', '.join(names)} FROM {level.table}".encode()).fetchall()
    return {(row[0].astimezone(UTC), row[1]): dict(zip(names, row[2:], strict=True)) for row in rows}


def assert_equal(connection: psycopg.Connection, raw: list[Sample], now: datetime) -> None:
    """Every level holds what NumPy says for each bucket that is over, and nothing else."""
    for level in LEVELS:
        over = level.bucket(now - timedelta(minutes=1))
        want = {key: row for key, row in expected(level, raw, over).items() if key[0] < over}
        have = stored(connection, level)
        assert have.keys() == want.keys(), level.name
        for key, row in want.items():
            for column, value in row.items():
                found = have[key][column]
                assert (found is None) == (value is None), (level.name, key, column, found, value)
                assert value is None or found == pytest.approx(value, rel=1e-6), (level.name, key, column)


def reset(connection: psycopg.Connection) -> None:
    """Back to a fleet without samples: a database for each example would take longer than the example."""
    for table in (*(level.table for level in LEVELS), "accelerator_sample", "rollup_dirty"):
        connection.execute(f"DELETE FROM {table}".encode())
    connection.execute("UPDATE storage_level SET claimed_until = NULL, refreshed_until = NULL")
    connection.execute("UPDATE storage_window SET watching_since = NULL")


weathers = st.builds(
    Weather,
    seed=st.integers(0, 2**32 - 1),
    gaps=st.booleans(),
    silent_readings=st.booleans(),
    resets=st.booleans(),
    no_start=st.booleans(),
    joined_late=st.booleans(),
)

END = START + timedelta(minutes=18)
"""When every minute and every five minutes of the samples are over, and the hour and the day of the first four."""


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # a smaller seed is not a simpler fleet
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(weather=weathers, order=st.integers(0, 2**32 - 1))
def test_rollups_equal_numpy_on_the_raw_samples_with_late_ones_and_repeats(
    fleet: psycopg.Connection, weather: Weather, order: int
) -> None:
    reset(fleet)
    raw = samples(weather)
    random = np.random.default_rng(order)
    fate = random.choice(["in time", "late", "twice"], size=len(raw), p=[0.7, 0.15, 0.15])
    half = START + timedelta(minutes=9)
    store(fleet, [s for s, f in zip(raw, fate, strict=True) if f != "late" and s.time < half])
    maintain(fleet, half)
    store(fleet, [s for s, f in zip(raw, fate, strict=True) if f != "late" and s.time >= half])
    store(fleet, [s for s, f in zip(raw, fate, strict=True) if f == "twice"])
    maintain(fleet, END)
    late = [s for s, f in zip(raw, fate, strict=True) if f == "late"]
    late = [late[index] for index in random.permutation(len(late))]
    store(fleet, late[::2])
    store(fleet, late[1::2])
    maintain(fleet, END)
    assert_equal(fleet, raw, END)


def increase(connection: psycopg.Connection, column: str, *, accelerator: int = 1) -> list[float | None]:
    rows = connection.execute(
        f"SELECT {column}_increase FROM rollup_accelerator_5min WHERE accelerator_id = %s ORDER BY bucket".encode(),
        [accelerator],
    ).fetchall()
    return [value for (value,) in rows]


def counted(
    energies: list[float | None], since: datetime | None, *, start: datetime = START, gap: int = 0
) -> list[Sample]:
    """One accelerator's energy, every 15 s."""
    empty: dict[str, float | int | None] = dict.fromkeys(metric.column for metric in columns("accelerator"))
    return [
        Sample(start + timedelta(seconds=TICK_S * (index + gap)), 1, since, {**empty, "energy": energy, "status_ok": 1})
        for index, energy in enumerate(energies)
    ]


def test_a_reset_counts_from_the_new_start(fleet: psycopg.Connection) -> None:
    old, new = START - timedelta(days=1), START + timedelta(minutes=5, seconds=-1)
    store(fleet, counted([100.0, 110.0, 130.0], old))
    store(fleet, counted([7.0, 9.0], new, gap=20))
    maintain(fleet, END)
    assert increase(fleet, "energy") == [30.0, 9.0]


def test_energy_drawn_in_a_silence_counts_when_the_counter_is_heard_again(fleet: psycopg.Connection) -> None:
    since = START - timedelta(days=1)
    store(
        fleet,
        [*counted([100.0], since), *counted([None, None], since, gap=20), *counted([500.0, 510.0], since, gap=40)],
    )
    maintain(fleet, END)
    assert increase(fleet, "energy") == [0.0, None, 410.0]


def test_a_start_that_is_the_first_sample_itself_is_no_start(fleet: psycopg.Connection) -> None:
    """An exporter that restarts, and takes its own start for that of counters that ran on, adds nothing unseen."""
    store(fleet, counted([5e9, 5e9 + 10], START - timedelta(days=1)))
    again = START + timedelta(minutes=6)
    store(fleet, counted([5e9 + 500, 5e9 + 530], again, start=again))
    maintain(fleet, END)
    assert increase(fleet, "energy") == [10.0, 30.0]


def test_a_clock_that_jumped_ahead_and_back_counts_nothing_twice(fleet: psycopg.Connection) -> None:
    raw = [replace(sample, since=START - timedelta(days=1)) for sample in samples(Weather(seed=4, clock_jump=True))]
    store(fleet, raw)
    maintain(fleet, END)
    over = START + timedelta(minutes=14)
    energy = [s.readings["energy"] or 0 for s in raw if s.accelerator == 1 and s.time < over]
    truth = max(energy) - min(energy)
    assert sum(value or 0 for value in increase(fleet, "energy")) == pytest.approx(truth)


def test_days_are_utc_days_whatever_the_session_and_the_season_say(fleet: psycopg.Connection) -> None:
    fleet.execute("SET timezone = 'Europe/Berlin'")
    raw = samples(Weather(seed=2))
    store(fleet, raw)
    maintain(fleet, END)
    assert_equal(fleet, raw, END)
    day = fleet.execute("SELECT bucket AT TIME ZONE 'UTC' FROM factory_1day WHERE factory_id = 'sim-a'").fetchall()
    assert day == [(datetime(2026, 10, 24),)]  # noqa: DTZ001 - the SQL above takes the zone off


def test_late_samples_reach_the_next_reading_and_every_level_above(fleet: psycopg.Connection) -> None:
    since = START - timedelta(days=1)
    store(fleet, [*counted([100.0], since), *counted([400.0], since, gap=40)])
    maintain(fleet, END)
    assert increase(fleet, "energy") == [0.0, 300.0]
    store(fleet, counted([150.0, 160.0], since, gap=2), late=True)
    assert maintain(fleet, END).repaired > 0
    assert increase(fleet, "energy") == [60.0, 240.0]
    hour = fleet.execute("SELECT energy_increase, samples FROM factory_1hour WHERE factory_id = 'sim-a'").fetchall()
    assert hour == [(60.0, 3)]


def test_a_second_round_changes_nothing(fleet: psycopg.Connection) -> None:
    store(fleet, samples(Weather(seed=3)))
    first = maintain(fleet, END)
    before = [stored(fleet, level) for level in LEVELS]
    second = maintain(fleet, END)
    assert first.refreshed
    assert not second.refreshed
    assert not second.repaired
    assert [stored(fleet, level) for level in LEVELS] == before


def test_samples_stored_while_a_bucket_is_computed_are_noted(
    each_database: Database, fleet: psycopg.Connection
) -> None:
    """A writer that began before the claim is waited for; one that comes after it notes its rows."""
    since = START - timedelta(days=1)
    store(fleet, counted([100.0, 101.0], since))
    with each_database.connect() as writer:
        with writer.transaction():
            store(writer, counted([107.0], since, gap=3))
            assert not maintain(fleet, END).refreshed  # the writer's transaction is open for more than 2 s
        maintain(fleet, END)
        assert increase(fleet, "energy") == [7.0]
        store(writer, counted([104.0], since, gap=2), late=True)
