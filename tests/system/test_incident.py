"""The one incident, through the whole path: what the database and the alerts say equals the scenario's truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_alerts import rules
from gigawatch_alerts.evaluate import evaluate_at
from gigawatch_collector import testing as collectors
from gigawatch_exporters.simulator import cli as simulate
from gigawatch_programme import cli as programme

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from gigawatch_database.testing import Server

INTERVAL_S = 15
SHIPPED_RULES = Path(rules.__file__).parent / "rules"


@dataclass(frozen=True)
class Replay:
    """The incident in a database, and what it should have led to."""

    connection: psycopg.Connection
    truth: dict[str, Any]

    @property
    def start(self) -> datetime:
        return datetime.fromisoformat(self.truth["start"])

    def ask(self, query: str, **parameters: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), parameters).fetchall()


@pytest.fixture(scope="module", params=["apache", "plain"])
def replay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Half an hour of three factories, sent by the simulator's command, stored by the collector's."""
    server: Server = request.getfixturevalue("timescale" if request.param == "apache" else "plain_server")
    folder = tmp_path_factory.mktemp("incident")
    inventory, truth = folder / "inventory.csv", folder / "truth.json"
    start = (datetime.now(UTC) - timedelta(minutes=31)).replace(microsecond=0)
    with server.database() as database, collectors.running(database.dsn) as collector:
        story = ("--scenario", "incident", "--start", start.isoformat())
        assert simulate.main([*story, "--inventory", str(inventory)]) == 0
        words = ("inventory", "--dsn", database.dsn, "--from", start.isoformat(), str(inventory))
        assert programme.main(words) == 0
        sending = ("--endpoint", collector.http, "--interval", str(INTERVAL_S), "--connections", "36", "--speed", "0")
        assert simulate.main([*story, *sending, "--truth", str(truth)]) == 0
        with database.connect() as connection:
            yield Replay(connection, json.loads(truth.read_text("utf-8")))


def test_every_event_is_there_once_under_its_own_id(replay: Replay) -> None:
    found = replay.ask("SELECT event_id, name, factory_id, host_name, hw_id, xid_code FROM event_reading")
    assert sorted(found, key=str) == sorted(
        (
            (event["event_id"], event["name"], event["factory"], event["node"], event["accelerator"], event["xid"])
            for event in replay.truth["events"]
            if event["reported"]
        ),
        key=str,
    )


def test_throttled_seconds_and_energy_equal_the_truth(replay: Replay) -> None:
    reasons = [key for key, value in replay.truth["accelerators"][0]["throttled_s"].items() if value is not None]
    sums = ", ".join(f"max(throttle_{reason}) - min(throttle_{reason})" for reason in reasons)
    found = {
        row[0]: row[1:]
        for row in replay.ask(
            f"SELECT hw_id, max(energy) - min(energy), count(DISTINCT counters_since), {sums}"
            " FROM accelerator_reading GROUP BY hw_id"
        )
    }
    assert set(found) == {accelerator["accelerator"] for accelerator in replay.truth["accelerators"]}
    throttled = 0
    for accelerator in replay.truth["accelerators"]:
        energy, starts, *seconds = found[accelerator["accelerator"]]
        assert starts == 1, "nothing was reset in this story"
        # What is seen begins with the first sample and ends with the last: at most an interval at each end is unseen.
        unseen = 2 * INTERVAL_S
        assert energy == pytest.approx(accelerator["energy_j"], abs=unseen * 1000)
        assert energy <= accelerator["energy_j"]
        for reason, seen in zip(reasons, seconds, strict=True):
            true = accelerator["throttled_s"][reason]
            throttled += true
            if reason.endswith("thermal") and accelerator["lost_at"] is None:
                assert seen == pytest.approx(true), (accelerator["accelerator"], reason)
            else:
                assert true - unseen <= seen <= true, (accelerator["accelerator"], reason)
    assert throttled > 0, "the story throttles"


def test_who_reported_in_each_minute_equals_the_truth(replay: Replay) -> None:
    found = {
        (factory, minute): (nodes, accelerators)
        for factory, minute, nodes, accelerators in replay.ask(
            """
            SELECT factory_id, date_bin('1 min', time, %(start)s), count(DISTINCT node_id),
                   count(DISTINCT accelerator_id) FILTER (WHERE status_ok = 1)
            FROM accelerator_reading GROUP BY 1, 2
            """,
            start=replay.start,
        )
    }
    for minute in replay.truth["coverage"]:
        nodes, accelerators = found[minute["factory"], datetime.fromisoformat(minute["minute"])]
        if minute["nodes_reporting"] == int(minute["nodes_reporting"]):
            assert nodes == minute["nodes_reporting"], minute
        # In the minute of a change a thing was seen for a part of it.
        assert int(minute["accelerators_reporting"]) <= accelerators <= minute["accelerators_expected"], minute


def test_expected_against_seen_minute_by_minute_equals_the_truth(replay: Replay) -> None:
    found = {
        (factory, at): row
        for factory, at, *row in replay.ask(
            """
            SELECT factory_id, at, sum(expected)::int, count(*) FILTER (WHERE node_seen), sum(seen)::int, sum(missing)::int
            FROM expected_against_seen(%(start)s, %(end)s) GROUP BY 1, 2
            """,
            start=replay.start,
            end=replay.start + timedelta(seconds=replay.truth["duration_s"]),
        )
    }
    assert len(found) == len(replay.truth["coverage"])
    for minute in replay.truth["coverage"]:
        expected, nodes, seen, missing = found[minute["factory"], datetime.fromisoformat(minute["minute"])]
        assert expected == minute["accelerators_expected"]
        assert missing == expected - seen, "nothing is excused in this story"
        if minute["nodes_reporting"] == int(minute["nodes_reporting"]):
            assert nodes == minute["nodes_reporting"], minute
        if minute["accelerators_reporting"] == int(minute["accelerators_reporting"]):
            assert seen == minute["accelerators_reporting"], minute


def test_the_alerts_of_the_truth_fire_and_resolve_in_time_and_no_others(replay: Replay) -> None:
    groups = rules.load([SHIPPED_RULES])
    seconds = replay.truth["duration_s"]
    for second in range(0, seconds, INTERVAL_S):
        evaluate_at(replay.connection, groups, replay.start + timedelta(seconds=second))
    found = {
        (rule, *_identity(labels)): (fired, resolved)
        for rule, labels, fired, resolved in replay.ask(
            "SELECT rule, labels, fired_at, resolved_at FROM alert_instance"
        )
    }
    expected = {(alert["rule"], *_identity(alert["labels"])): alert for alert in replay.truth["alerts"]}
    assert set(found) == set(expected)
    end = replay.start + timedelta(seconds=seconds)
    for key, alert in expected.items():
        fired, resolved = found[key]
        _assert_soon_after(fired, datetime.fromisoformat(alert["fires_at"]), key)
        due = datetime.fromisoformat(alert["resolves_at"]) if alert["resolves_at"] else None
        if due is None or due + timedelta(seconds=2 * INTERVAL_S) > end:
            assert resolved is None or due is not None, key
        else:
            _assert_soon_after(resolved, due, key)


def _identity(labels: dict[str, str]) -> tuple[str | None, ...]:
    return tuple(labels.get(name) for name in ("factory", "rack", "node", "accelerator", "xid", "event_id"))


def _assert_soon_after(seen: datetime | None, true: datetime, key: object) -> None:
    """A sample comes within an interval of what it shows, and is evaluated within another."""
    assert seen is not None, key
    assert timedelta(seconds=-INTERVAL_S) <= seen - true <= timedelta(seconds=2 * INTERVAL_S), (key, seen, true)
