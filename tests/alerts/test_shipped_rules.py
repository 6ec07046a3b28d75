"""Each shipped rule on seeded rows: it fires, it resolves, it is quiet on a quiet fleet, and lost data ends nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_alerts import conditions
from gigawatch_alerts.evaluate import Context, evaluate_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gigawatch_alerts.rules import Group

MINUTE = timedelta(minutes=1)
CONTEXT = Context(external_url="https://pages.example")


def seen(fleet: Any, shipped: tuple[Group, ...], times: Iterable[datetime]) -> list[tuple[str, str, str, int]]:
    """Evaluate at each time; what changed: alert, what it speaks of, change, seconds after the start."""
    found: list[tuple[str, str, str, int]] = []
    for time in times:
        for change in evaluate_at(fleet.connection, shipped, time, CONTEXT):
            about = change.labels.get("accelerator") or change.labels["node"]
            seconds = round((time - fleet.start).total_seconds())
            found += [(change.rule, about, name, seconds) for name in change.step.changes]
    return found


def minutely(times: Iterable[datetime]) -> Iterable[datetime]:
    """Every tick is written; only full minutes are evaluated."""
    return (time for time in times if time.second == 0)


def test_a_quiet_fleet_has_no_alert(fleet: Any, shipped: tuple[Group, ...]) -> None:
    assert seen(fleet, shipped, fleet.ticks(fleet.start - MINUTE, fleet.start + 3 * MINUTE)) == []


def test_the_database_reads_every_shipped_rule(fleet: Any, shipped: tuple[Group, ...]) -> None:
    conditions.check(fleet.connection, shipped, fleet.start, timedelta(seconds=10))


def test_an_xid_fires_at_once_and_resolves_after_fifteen_minutes(fleet: Any, shipped: tuple[Group, ...]) -> None:
    event = fleet.xid("GPU-n1-0", fleet.start)
    ticks = fleet.ticks(fleet.start - MINUTE, fleet.start + 16 * MINUTE)
    found = seen(fleet, shipped, (time for time in minutely(ticks) if time >= fleet.start))
    assert found == [("XidEvent", "GPU-n1-0", "firing", 0), ("XidEvent", "GPU-n1-0", "resolved", 900)]
    row = fleet.connection.execute("SELECT labels, annotations, link, value FROM alert_instance").fetchone()
    labels, annotations, link, value = row
    assert labels == {
        "alertname": "XidEvent",
        "severity": "critical",
        "owner": "on_call",
        "factory": "sim-aurora",
        "rack": "r1",
        "node": "n1",
        "accelerator": "GPU-n1-0",
        "xid": "79",
        "event_id": event,
        "simulated": "true",
    }
    assert value == 79
    assert annotations["summary"] == "XID 79 on GPU-n1-0, node n1"
    assert "since 2026-11-01T12:00:00Z" in annotations["description"]
    assert annotations["link"] == link
    assert link == f"https://pages.example/factory/sim-aurora?at=2026-11-01T12%3A00%3A00Z&node=n1&event={event}"


def test_two_xids_of_one_accelerator_are_two_alerts(fleet: Any, shipped: tuple[Group, ...]) -> None:
    fleet.xid("GPU-n1-0", fleet.start)
    fleet.xid("GPU-n1-0", fleet.start + timedelta(seconds=1))
    found = seen(fleet, shipped, fleet.ticks(fleet.start - MINUTE, fleet.start + MINUTE))
    assert [change for change in found if change[2] == "firing"] == [
        ("XidEvent", "GPU-n1-0", "firing", 0),
        ("XidEvent", "GPU-n1-0", "firing", 15),
    ]


def test_a_node_is_silent_after_sixty_seconds_and_back_with_its_first_sample(
    fleet: Any, shipped: tuple[Group, ...]
) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        yield from fleet.ticks(fleet.start, fleet.start + 2 * MINUTE, silent=("n1",))
        yield from fleet.ticks(fleet.start + 2 * MINUTE, fleet.start + 3 * MINUTE)

    assert seen(fleet, shipped, times()) == [("NodeSilent", "n1", "firing", 60), ("NodeSilent", "n1", "resolved", 135)]


def test_a_node_that_never_reported_is_silent_and_one_that_left_the_inventory_is_not(
    fleet: Any, shipped: tuple[Group, ...]
) -> None:
    assert seen(fleet, shipped, [fleet.start]) == [("NodeSilent", node, "firing", 0) for node in fleet.nodes]
    fleet.connection.execute(
        "UPDATE inventory_node SET valid_to = %s WHERE host_name = 'n1'", [fleet.start + timedelta(seconds=5)]
    )
    assert seen(fleet, shipped, [fleet.start + timedelta(seconds=10)]) == [("NodeSilent", "n1", "resolved", 10)]


def throttling(
    fleet: Any, hw_id: str, since: datetime, until: datetime, share: float, **what: Any
) -> Iterable[datetime]:
    for time in fleet.ticks(since, until - timedelta(seconds=15), **what):
        yield time
        fleet.throttled[hw_id] += share * 15
    yield from fleet.ticks(until - timedelta(seconds=15), until, **what)


def test_throttling_for_more_than_a_tenth_of_a_minute_fires_and_cooling_resolves(
    fleet: Any, shipped: tuple[Group, ...]
) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        fleet.throttled["GPU-n1-1"] += 15
        yield from throttling(fleet, "GPU-n1-1", fleet.start, fleet.start + 2 * MINUTE, 1.0)
        yield from fleet.ticks(fleet.start + 2 * MINUTE, fleet.start + 5 * MINUTE)

    found = seen(fleet, shipped, times())
    # The last growth is between 105 s and 120 s: it has left the window of 60 s at 180 s.
    assert found == [
        ("ThermalThrottling", "GPU-n1-1", "firing", 15),
        ("ThermalThrottling", "GPU-n1-1", "resolved", 180),
    ]


@pytest.mark.parametrize(("growth_s", "fires"), [(5.9, False), (6.0, False), (6.1, True)])
def test_the_threshold_is_six_seconds_in_sixty(
    fleet: Any, shipped: tuple[Group, ...], growth_s: float, fires: bool
) -> None:
    for _ in fleet.ticks(fleet.start - MINUTE, fleet.start):
        pass
    fleet.throttled["GPU-n2-0"] += growth_s
    found = seen(fleet, shipped, fleet.ticks(fleet.start, fleet.start + timedelta(seconds=45)))
    assert bool(found) == fires


def test_a_counter_that_starts_anew_is_neither_throttling_nor_cooling(fleet: Any, shipped: tuple[Group, ...]) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        for hw_id in fleet.accelerators:
            fleet.throttled[hw_id], fleet.since[hw_id] = 0.0, fleet.start + timedelta(seconds=1)
        yield from fleet.ticks(fleet.start, fleet.start + MINUTE)
        fleet.throttled["GPU-n1-0"] += 12
        yield from fleet.ticks(fleet.start + MINUTE, fleet.start + MINUTE + timedelta(seconds=15))
        fleet.throttled["GPU-n1-0"], fleet.since["GPU-n1-0"] = 0.0, fleet.start + timedelta(seconds=80)
        yield from fleet.ticks(fleet.start + MINUTE + timedelta(seconds=15), fleet.start + 3 * MINUTE)

    assert seen(fleet, shipped, times()) == [
        ("ThermalThrottling", "GPU-n1-0", "firing", 75),
        ("ThermalThrottling", "GPU-n1-0", "resolved", 135),
    ]


def test_throttling_does_not_resolve_because_data_stopped(fleet: Any, shipped: tuple[Group, ...]) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        fleet.throttled["GPU-n1-1"] += 8
        yield from fleet.ticks(fleet.start, fleet.start + timedelta(seconds=15))
        yield from fleet.ticks(fleet.start + timedelta(seconds=15), fleet.start + 2 * MINUTE, silent=("n1",))
        yield from minutely(fleet.ticks(fleet.start + 2 * MINUTE, fleet.start + 20 * MINUTE, silent=("n1",)))
        yield from fleet.ticks(fleet.start + 20 * MINUTE, fleet.start + 22 * MINUTE)

    found = seen(fleet, shipped, times())
    assert ("NodeSilent", "n1", "firing", 75) in found
    assert [change for change in found if change[0] == "ThermalThrottling"] == [
        ("ThermalThrottling", "GPU-n1-1", "firing", 15),
        ("ThermalThrottling", "GPU-n1-1", "unknown", 75),
        ("ThermalThrottling", "GPU-n1-1", "known", 1245),
        ("ThermalThrottling", "GPU-n1-1", "resolved", 1245),
    ]


def test_no_alert_of_a_silent_node_resolves_before_it_speaks_again(fleet: Any, shipped: tuple[Group, ...]) -> None:
    def times() -> Iterable[datetime]:
        lost = {"GPU-n1-0": "lost", "GPU-n1-1": "unresponsive"}
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        fleet.xid("GPU-n1-0", fleet.start)
        yield from fleet.ticks(fleet.start, fleet.start + MINUTE, statuses=lost)
        yield from minutely(fleet.ticks(fleet.start + MINUTE, fleet.start + 30 * MINUTE, silent=("n1",)))

    found = seen(fleet, shipped, times())
    assert {(rule, change) for rule, _, change, _ in found} == {
        ("XidEvent", "firing"),
        ("XidEvent", "unknown"),
        ("AcceleratorLost", "firing"),
        ("AcceleratorLost", "unknown"),
        ("AcceleratorUnresponsive", "firing"),
        ("AcceleratorUnresponsive", "unknown"),
        ("NodeSilent", "firing"),
    }
    back = seen(fleet, shipped, fleet.ticks(fleet.start + 30 * MINUTE, fleet.start + 31 * MINUTE))
    assert {(rule, change) for rule, _, change, _ in back} == {
        (rule, change)
        for rule in ("XidEvent", "AcceleratorLost", "AcceleratorUnresponsive")
        for change in ("known", "resolved")
    } | {("NodeSilent", "resolved")}


def test_a_lost_accelerator_fires_until_it_is_back(fleet: Any, shipped: tuple[Group, ...]) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        yield from fleet.ticks(fleet.start, fleet.start + 5 * MINUTE, statuses={"GPU-n2-1": "lost"})
        yield from fleet.ticks(fleet.start + 5 * MINUTE, fleet.start + 7 * MINUTE)

    assert seen(fleet, shipped, times()) == [
        ("AcceleratorLost", "GPU-n2-1", "firing", 15),
        ("AcceleratorLost", "GPU-n2-1", "resolved", 360),
    ]


def test_an_accelerator_that_does_not_answer_fires(fleet: Any, shipped: tuple[Group, ...]) -> None:
    found = seen(
        fleet,
        shipped,
        fleet.ticks(fleet.start - MINUTE, fleet.start + MINUTE, statuses={"GPU-n2-1": "unresponsive"}),
    )
    assert [change for change in found if change[0] != "NodeSilent"] == [
        ("AcceleratorUnresponsive", "GPU-n2-1", "firing", -45)
    ]


def test_a_replay_does_not_see_the_future(fleet: Any, shipped: tuple[Group, ...]) -> None:
    for _ in fleet.ticks(fleet.start - MINUTE, fleet.start):
        pass
    for _ in fleet.ticks(fleet.start, fleet.start + 5 * MINUTE, statuses={"GPU-n2-1": "lost"}):
        pass
    fleet.xid("GPU-n1-0", fleet.start + MINUTE)
    assert seen(fleet, shipped, [fleet.start]) == []


def test_an_xid_that_a_spool_brings_an_hour_late_fires_when_it_comes(fleet: Any, shipped: tuple[Group, ...]) -> None:
    fleet.xid("GPU-n1-0", fleet.start - 60 * MINUTE, received_at=fleet.start + timedelta(seconds=10))
    ticks = fleet.ticks(fleet.start - MINUTE, fleet.start + 17 * MINUTE)
    found = seen(fleet, shipped, (time for time in minutely(ticks) if time >= fleet.start))
    assert found == [("XidEvent", "GPU-n1-0", "firing", 60), ("XidEvent", "GPU-n1-0", "resolved", 960)]


def test_an_xid_of_a_clock_that_is_ahead_fires_once(fleet: Any, shipped: tuple[Group, ...]) -> None:
    fleet.xid("GPU-n1-0", fleet.start + 20 * MINUTE, received_at=fleet.start)
    ticks = fleet.ticks(fleet.start - MINUTE, fleet.start + 25 * MINUTE)
    found = seen(fleet, shipped, (time for time in minutely(ticks) if time >= fleet.start))
    assert found == [("XidEvent", "GPU-n1-0", "firing", 0), ("XidEvent", "GPU-n1-0", "resolved", 900)]


def test_in_a_replay_an_xid_counts_from_when_it_happened(fleet: Any, shipped: tuple[Group, ...]) -> None:
    fleet.xid("GPU-n1-0", fleet.start, received_at=fleet.start + 60 * MINUTE)
    ticks = fleet.ticks(fleet.start - 2 * MINUTE, fleet.start + 16 * MINUTE)
    assert seen(fleet, shipped, minutely(ticks))[-2:] == [
        ("XidEvent", "GPU-n1-0", "firing", 0),
        ("XidEvent", "GPU-n1-0", "resolved", 900),
    ]


@pytest.mark.parametrize(("growing", "share"), [("throttle_software_thermal", 1.0), ("throttle_hardware_thermal", 0.0)])
def test_throttling_does_not_resolve_because_the_counter_that_grew_is_missing(
    fleet: Any, shipped: tuple[Group, ...], growing: str, share: float
) -> None:
    fleet.driver_share = share

    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        fleet.throttled["GPU-n1-1"] += 8
        yield from fleet.ticks(fleet.start, fleet.start + timedelta(seconds=15))
        yield from fleet.ticks(fleet.start + timedelta(seconds=15), fleet.start + 10 * MINUTE, missing=(growing,))
        yield from fleet.ticks(fleet.start + 10 * MINUTE, fleet.start + 12 * MINUTE)

    assert seen(fleet, shipped, times()) == [
        ("ThermalThrottling", "GPU-n1-1", "firing", 15),
        ("ThermalThrottling", "GPU-n1-1", "unknown", 75),
        ("ThermalThrottling", "GPU-n1-1", "known", 645),
        ("ThermalThrottling", "GPU-n1-1", "resolved", 645),
    ]


def test_an_accelerator_that_never_had_one_of_the_counters_cools_by_the_other(
    fleet: Any, shipped: tuple[Group, ...]
) -> None:
    fleet.driver_share = 1.0
    lacks = ("throttle_hardware_thermal",)

    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start, missing=lacks)
        fleet.throttled["GPU-n1-1"] += 8
        yield from fleet.ticks(fleet.start, fleet.start + 2 * MINUTE, missing=lacks)

    assert seen(fleet, shipped, times()) == [
        ("ThermalThrottling", "GPU-n1-1", "firing", 15),
        ("ThermalThrottling", "GPU-n1-1", "resolved", 75),
    ]


def test_a_counter_that_goes_missing_and_comes_back_is_not_throttling(fleet: Any, shipped: tuple[Group, ...]) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        yield from fleet.ticks(fleet.start, fleet.start + timedelta(seconds=30), missing=("throttle_software_thermal",))
        yield from fleet.ticks(fleet.start + timedelta(seconds=30), fleet.start + 2 * MINUTE)

    assert seen(fleet, shipped, times()) == []


@pytest.mark.parametrize("change", ["accelerators = 3", "model = 'NVIDIA L40S'"])
def test_an_inventory_that_changes_a_silent_nodes_row_changes_nothing(
    fleet: Any, shipped: tuple[Group, ...], change: str
) -> None:
    def reopened(at: datetime) -> datetime:
        fleet.connection.execute(
            """
            WITH closed AS (
              UPDATE inventory_node SET valid_to = %(at)s WHERE host_name = 'n1' AND valid_to IS NULL RETURNING *
            )
            INSERT INTO inventory_node (factory_id, host_name, rack, accelerators, model, valid_from, entered_by)
            SELECT factory_id, host_name, rack, accelerators, model, %(at)s, entered_by FROM closed
            """,
            {"at": at},
        )
        fleet.connection.execute(f"UPDATE inventory_node SET {change} WHERE valid_from = %s".encode(), [at])
        return at

    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        for time in fleet.ticks(fleet.start, fleet.start + 4 * MINUTE, silent=("n1",)):
            # Twice within a minute: what counts is where the chain of rows begins.
            yield reopened(time) if time in {fleet.start + 2 * MINUTE, fleet.start + 2.5 * MINUTE} else time

    assert seen(fleet, shipped, times()) == [("NodeSilent", "n1", "firing", 60)]


def test_a_node_that_comes_back_into_the_inventory_has_a_minute_to_speak_up(
    fleet: Any, shipped: tuple[Group, ...]
) -> None:
    fleet.connection.execute(
        "UPDATE inventory_node SET valid_to = %s WHERE host_name = 'n1'", [fleet.start - 10 * MINUTE]
    )
    fleet.connection.execute(
        "INSERT INTO inventory_node (factory_id, host_name, rack, accelerators, valid_from, entered_by) "
        "SELECT factory_id, host_name, rack, accelerators, %s, entered_by FROM inventory_node WHERE host_name = 'n1'",
        [fleet.start],
    )
    ticks = fleet.ticks(fleet.start, fleet.start + 2 * MINUTE, silent=("n1",))
    assert seen(fleet, shipped, ticks) == [("NodeSilent", "n1", "firing", 60)]


RULE_OF = {"lost": "AcceleratorLost", "unresponsive": "AcceleratorUnresponsive"}


@pytest.mark.parametrize("state", RULE_OF)
@pytest.mark.parametrize(
    "then",
    [
        {"missing": ("status_ok", "status_degraded", "status_failed", "status_unresponsive", "status_lost")},
        {"missing": ("status_lost", "status_unresponsive")},
        {"missing": ("status_ok",)},
        {"silent": ("n1",)},
        {"silent": ("n1", "n2")},
        {"statuses": {"GPU-n1-0": "failed"}},
    ],
    ids=["no status", "not this status", "no ok", "node silent", "factory silent", "cannot be opened"],
)
def test_what_was_lost_or_hung_is_not_well_again_because_less_is_known_of_it(
    fleet: Any, shipped: tuple[Group, ...], state: str, then: dict[str, Any]
) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        yield from fleet.ticks(fleet.start, fleet.start + MINUTE, statuses={"GPU-n1-0": state})
        yield from fleet.ticks(fleet.start + MINUTE, fleet.start + 4 * MINUTE, **then)
        yield from fleet.ticks(fleet.start + 4 * MINUTE, fleet.start + 5.5 * MINUTE, statuses={"GPU-n1-0": "degraded"})

    found = [change for change in seen(fleet, shipped, times()) if change[0] == RULE_OF[state]]
    assert found == [
        (RULE_OF[state], "GPU-n1-0", "firing", 15),
        (RULE_OF[state], "GPU-n1-0", "unknown", 120),
        (RULE_OF[state], "GPU-n1-0", "known", 255),
        (RULE_OF[state], "GPU-n1-0", "resolved", 255),
    ]


def test_hung_after_lost_is_both_until_it_answers(fleet: Any, shipped: tuple[Group, ...]) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start, statuses={"GPU-n1-0": "lost"})
        yield from fleet.ticks(fleet.start, fleet.start + 3 * MINUTE, statuses={"GPU-n1-0": "unresponsive"})

    assert {(rule, change) for rule, about, change, _ in seen(fleet, shipped, times()) if about == "GPU-n1-0"} == {
        ("AcceleratorLost", "firing"),
        ("AcceleratorLost", "unknown"),
        ("AcceleratorUnresponsive", "firing"),
    }


def test_what_leaves_the_inventory_ends_all_that_is_said_of_it(fleet: Any, shipped: tuple[Group, ...]) -> None:
    def times() -> Iterable[datetime]:
        yield from fleet.ticks(fleet.start - MINUTE, fleet.start)
        fleet.xid("GPU-n1-0", fleet.start)
        fleet.throttled["GPU-n1-1"] += 8
        yield from fleet.ticks(fleet.start, fleet.start + timedelta(seconds=15))
        yield from fleet.ticks(fleet.start + timedelta(seconds=15), fleet.start + MINUTE, statuses={"GPU-n1-0": "lost"})
        yield from minutely(fleet.ticks(fleet.start + MINUTE, fleet.start + 20 * MINUTE, silent=("n1",)))

    assert not [change for change in seen(fleet, shipped, times()) if change[2] == "resolved"]
    fleet.connection.execute(
        "UPDATE inventory_node SET valid_to = %s WHERE host_name = 'n1'", [fleet.start + 20 * MINUTE]
    )
    ended = seen(fleet, shipped, [fleet.start + 21 * MINUTE])
    assert {rule for rule, _, change, _ in ended if change == "resolved"} >= {
        "XidEvent",
        "NodeSilent",
        "ThermalThrottling",
        "AcceleratorLost",
    }
