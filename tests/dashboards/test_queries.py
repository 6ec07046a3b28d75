"""Each query against the same figures computed in Python from the rows that were written."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from math import fsum
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_contract import events
from gigawatch_dashboards import factory, network
from gigawatch_dashboards.moment import Moment, Spans, Window
from gigawatch_dashboards.queries import factory as queries
from gigawatch_dashboards.queries import fleet, registry
from gigawatch_dashboards.queries import series as over_time
from gigawatch_dashboards.testing.fleet import Fault, Fleet, Place, Row, register, store
from gigawatch_dashboards.version import version
from gigawatch_dashboards.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from gigawatch_database.testing import Database

ID = "sim-aurora"
INTERVAL = timedelta(seconds=15)


@pytest.fixture(scope="module", params=["scene", "plain_scene"])
def written(request: pytest.FixtureRequest) -> Any:
    """The scene on each grade."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def connection(written: Any) -> Iterator[psycopg.Connection]:
    with written.database.connect() as connection:
        yield connection


@pytest.fixture
def now(written: Any) -> datetime:
    return written.fleet.epoch


def newest(rows: list[Row], window: Window) -> dict[int, Row]:
    """The newest row of each accelerator in a window."""
    found = {
        row["accelerator_id"]: row for row in rows if window.since < row["time"] <= window.until
    }  # rows are in order
    assert found
    return found


def test_the_grade_is_what_the_test_is_about(written: Any, request: pytest.FixtureRequest) -> None:
    assert written.database.grade == ("plain" if "plain" in request.node.name else "apache")


@pytest.mark.parametrize("back", [0.0, 5.0, 12.5])
def test_accelerators_are_the_newest_row_of_each_within_the_minute(
    written: Any, connection: psycopg.Connection, now: datetime, back: float
) -> None:
    window = Moment(now - timedelta(minutes=back), live=False).recent
    wanted = newest(written.rows, window) if back != 12.5 else {}
    found = queries.accelerators(connection, ID, window)
    assert {one.accelerator_id for one in found} == set(wanted)
    for one in found:
        row = wanted[one.accelerator_id]
        assert one.time == row["time"]
        assert one.state == next(name[7:] for name, value in row.items() if name.startswith("status_") and value)
        readings = {name: getattr(one, name) for name in ("utilization", "power", "temperature")}
        told = {name: row.get(name) for name in readings}
        assert {name: value for name, value in readings.items() if value is not None} == pytest.approx(
            {name: value for name, value in told.items() if value is not None}, rel=1e-6
        )
        hot = written.fleet.broken("hot", Place("R01", one.host_name, one.accelerator_index or 0), one.time)
        if one.state == "ok":
            assert one.throttled == (pytest.approx(0.6, abs=0.05) if hot else 0)
        else:
            assert one.throttled is None


def test_gauges_are_first_each_accelerators_mean_then_over_them(
    written: Any, connection: psycopg.Connection, now: datetime
) -> None:
    spans = Spans(now - timedelta(minutes=18), now, timedelta(minutes=1), now)
    bins: defaultdict[int, list[Row]] = defaultdict(list)
    for row in written.rows:
        if spans.since < row["time"] <= spans.until:
            bins[-((spans.until - row["time"]) // spans.width)].append(row)
    found = over_time.gauges(connection, ID, spans)
    assert [-((spans.until - one.start) // spans.width) for one in found] == sorted(bins)
    for one, (_, rows) in zip(found, sorted(bins.items()), strict=True):
        each: defaultdict[int, list[Row]] = defaultdict(list)
        for row in rows:
            each[row["accelerator_id"]].append(row)
        powers = [[row["power"] for row in own if "power" in row] for own in each.values()]
        busy = [row["utilization"] for row in rows if "utilization" in row]
        assert (one.samples, one.accelerators) == (len(rows), len(each))
        assert one.power == pytest.approx(fsum(fsum(own) / len(own) for own in powers if own), rel=1e-6)
        assert (one.utilization_min, one.utilization_max) == pytest.approx((min(busy), max(busy)), rel=1e-6)


def test_rates_are_gains_over_time_safe_over_resets_and_never_over_gaps(
    written: Any, connection: psycopg.Connection, now: datetime
) -> None:
    spans = Spans(now - timedelta(minutes=18), now, timedelta(minutes=1), now)
    gap = 3 * INTERVAL
    gains: defaultdict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    before: dict[int, Row] = {}
    for row in written.rows:
        last = before.get(row["accelerator_id"])
        before[row["accelerator_id"]] = row
        if last is None or "pcie_receive" not in row or "pcie_receive" not in last or row["time"] - last["time"] > gap:
            continue
        reset = row["counters_since"] != last["counters_since"]
        gain = row["pcie_receive"] - (0 if reset else last["pcie_receive"])
        if spans.since < row["time"] <= spans.until:
            key = (-((spans.until - row["time"]) // spans.width), row["accelerator_id"])
            gains[key].append((gain, (row["time"] - last["time"]).total_seconds()))
    wanted: defaultdict[int, float] = defaultdict(float)
    for (number, _), steps in gains.items():
        wanted[number] += fsum(gain for gain, _ in steps) / fsum(seconds for _, seconds in steps)
    found = {-((spans.until - one.start) // spans.width): one for one in over_time.rates(connection, ID, spans, gap)}
    assert {number: one.pcie_receive for number, one in found.items()} == pytest.approx(dict(wanted))
    assert max(one.throttled for one in found.values()) == written.fleet.accelerators


def test_a_counter_that_falls_without_a_word_counts_from_zero_and_one_that_overtakes_too(database: Database) -> None:
    now = datetime.fromisoformat("2026-11-23T12:00:00Z")
    fleet_of_one = Fleet(now, racks=1, nodes=1, accelerators=1)
    since, moved = now - timedelta(days=1), now - timedelta(seconds=16)
    told: list[tuple[int, datetime | None, int]] = [
        (60, since, 1_000_000), (45, since, 1_500_000),  # +500,000
        (30, since, 300_000),  # a fall: +300,000
        (15, moved, 2_000_000),  # a reset that has grown past the old value: +2,000,000
        (0, None, 2_000_015),  # no word of a reset, no fall: +15
    ]  # fmt: skip
    with database.connect() as connection:
        connection.execute("SELECT ensure_partitions(%s, %s)", [now - timedelta(days=1), now + timedelta(days=1)])
        register(connection, fleet_of_one)
        place = fleet_of_one.places[0]
        ids = {"accelerator_id": fleet_of_one.ids[place.hw_id], "node_id": fleet_of_one.ids[place.node], "status_ok": 1}
        rows: list[Row] = [
            {**ids, "time": now - timedelta(seconds=back), "counters_since": start, "nvlink_receive": value}
            for back, start, value in told
        ]
        store(connection, fleet_of_one, rows)
        spans = Spans(now - timedelta(minutes=2), now, INTERVAL, now)
        found = over_time.rates(connection, ID, spans, 3 * INTERVAL)
    assert [round((one.nvlink_receive or 0) * 15) for one in found] == [500_000, 300_000, 2_000_000, 15]
    assert [one.pcie_receive for one in found] == [None] * 4


def test_nothing_after_the_moment_is_read(written: Any, connection: psycopg.Connection, now: datetime) -> None:
    bound = now - timedelta(minutes=5, seconds=20)
    spans = Spans(now - timedelta(minutes=10), now - timedelta(minutes=5), timedelta(minutes=1), bound)
    last = over_time.gauges(connection, ID, spans)[-1]
    rows = [row for row in written.rows if last.start <= row["time"] <= bound]
    assert last.samples == len(rows)


def test_the_state_of_the_scene_is_what_was_planted(
    written: Any, connection: psycopg.Connection, now: datetime
) -> None:
    view = View(at=now, event=written.xid)
    found = factory.read(
        connection, ID, view, now + timedelta(hours=1), interval=INTERVAL, grade=written.database.grade
    )
    assert found is not None
    assert found.telemetry is not None
    condition = found.telemetry.condition
    assert (condition.expected, len(condition.answering), condition.missing) == (24, 17, 5)
    problems = {(one.kind, one.members): one for one in found.telemetry.problems}
    assert set(problems) == {
        ("lost", ("r02n02 GPU 1",)),
        ("unresponsive", ("r01n01 GPU 0",)),
        ("silent", ("r02n03",)),
        ("fewer", ("1 of 4",)),
        ("throttled", tuple(f"r01n02 GPU {index}" for index in range(4))),
    }
    assert problems["silent", ("r02n03",)].since == now - timedelta(minutes=6, seconds=15)
    assert problems["lost", ("r02n02 GPU 1",)].since == now - timedelta(minutes=9, seconds=15)
    assert problems["unresponsive", ("r01n01 GPU 0",)].since == now - timedelta(minutes=4, seconds=15)
    assert [one.name for one in found.telemetry.events] == [events.LOST.name, events.XID.name]
    assert [(one.rule, one.host_name, one.known) for one in found.telemetry.alerts] == [("XidEvent", "r02n02", True)]


def test_a_missing_accelerator_that_reported_before_is_named(database: Database) -> None:
    now = datetime.fromisoformat("2026-11-23T12:00:00Z")
    gone = Fault("absent", now - timedelta(minutes=3), now + timedelta(days=1), node="r01n01", index=1)
    with database.connect() as connection:
        connection.execute("SELECT ensure_partitions(%s, %s)", [now - timedelta(days=1), now + timedelta(days=1)])
        whole = Fleet(now, racks=1, nodes=1, accelerators=2)
        register(connection, whole)
        less = Fleet(now, racks=1, nodes=1, accelerators=2, faults=(gone,), ids=whole.ids)
        store(connection, whole, list(less.rows(now - timedelta(minutes=5), now)))
        found = factory.read(connection, ID, View(at=now), now, interval=INTERVAL, grade="apache")
    assert found is not None
    assert found.telemetry is not None
    [problem] = found.telemetry.problems
    assert (problem.kind, problem.members, problem.since) == (
        "absent",
        ("r01n01 GPU 1",),
        now - timedelta(minutes=3, seconds=15),
    )


def test_the_network_counts_as_the_factory_does(written: Any, connection: psycopg.Connection, now: datetime) -> None:
    window = Moment(now, live=False).recent
    reading = fleet.readings(connection, window)[ID]
    rows = newest(written.rows, window).values()
    answering = [row for row in rows if row["status_ok"]]
    assert (reading.answering, reading.lost, reading.unresponsive) == (len(answering), 1, 1)
    assert reading.power == pytest.approx(fsum(row["power"] for row in answering), rel=1e-6)
    assert reading.throttling == written.fleet.accelerators
    assert fleet.inventories(connection, now, window)[ID] == fleet.Inventory(ID, 24, missing=5, silent=1)


def test_a_surplus_on_one_node_hides_no_missing_accelerator_from_the_network(database: Database) -> None:
    now = datetime.fromisoformat("2026-11-23T12:00:00Z")
    with database.connect() as connection:
        connection.execute("SELECT ensure_partitions(%s, %s)", [now - timedelta(days=1), now + timedelta(days=1)])
        one = Fleet(now, racks=1, nodes=2, accelerators=2)
        register(connection, one)
        connection.execute("UPDATE inventory_node SET accelerators = 1 WHERE host_name = 'r01n01'")
        rows = [
            row for row in one.rows(now - timedelta(minutes=1), now) if row["accelerator_id"] != one.ids["GPU-r01n02-1"]
        ]
        store(connection, one, rows)
        found = fleet.inventories(connection, now, Moment(now, live=False).recent)[ID]
    assert found == fleet.Inventory(ID, 3, missing=1, silent=0)


def test_public_facts_have_their_sources_and_none_is_not_disclosed(connection: psycopg.Connection) -> None:
    facts = {one.factory.factory_id: one for one in network.all_public_facts(connection)}
    assert list(facts) == ["ai-at", "jaif"]
    booster, second, jarvis = facts["jaif"].capacities
    assert (booster.accelerators, second.accelerators, jarvis.accelerators) == (23536, 24000, None)
    assert (booster.source, facts["jaif"].systems[0].said) == ("https://example.org/booster", "2026-10")
    assert [one.factory_id for one in registry.factories(connection, "jaif")] == ["jaif"]


def test_a_real_factory_without_telemetry_has_its_facts_alone(connection: psycopg.Connection, now: datetime) -> None:
    found = factory.read(connection, "jaif", View(), now, interval=INTERVAL, grade="apache")
    assert found is not None
    assert found.telemetry is None
    assert found.public is not None
    assert factory.read(connection, "nowhere", View(), now, interval=INTERVAL, grade="apache") is None


def test_the_version_changes_with_samples_events_alerts_and_when_data_stops_and_not_otherwise(
    database: Database,
) -> None:
    now = datetime.now().astimezone().replace(microsecond=0)
    one = Fleet(now, racks=1, nodes=1, accelerators=1)
    with database.connect() as connection:

        def ask(later: float = 0) -> dict[str, str]:
            return version(connection, ID, now + timedelta(seconds=later), INTERVAL)

        register(connection, one)
        versions = [ask()["version"]]
        store(connection, one, list(one.rows(now - timedelta(minutes=1), now)))
        connection.execute("UPDATE freshness SET received_at = newest_time")
        versions.append(ask()["version"])
        assert ask(10)["version"] == versions[-1]
        assert (ask(60)["state"], ask(10)["state"]) == ("stalled", "fresh")
        versions.append(ask(60)["version"])
        connection.execute("INSERT INTO event (event_id, time, factory_id, name) VALUES ('e', %s, %s, 'x')", [now, ID])
        versions.append(ask()["version"])
    assert len(set(versions)) == len(versions)
