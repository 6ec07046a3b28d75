"""Evaluation on a real database: what is stored is what the state machine says, whoever evaluates and whatever fails."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigawatch_alerts import outbox, rules, state, store
from gigawatch_alerts.evaluate import Context, evaluate, evaluate_at, link_to
from gigawatch_alerts.routes import Route
from gigawatch_alerts.state import Episode, Timing

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TOLD = Context(routes=(Route(receiver="webhook"),))
FOR = "    for: 10s\n    keep_firing_for: 10s\n"
SEEN = st.sampled_from(["active", "clear", "unknown"])


def rows(connection: psycopg.Connection, query: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.fixed_dictionaries(dict.fromkeys("abc", SEEN)), st.integers(1, 12), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_the_database_holds_what_the_state_machine_says_over_restarts(things: Any, rounds: list[Any]) -> None:
    things.forget()
    groups = things.rules(FOR)
    live: dict[str, Episode] = {}
    ended: list[Episode] = []
    now = NOW
    for seen, seconds, restart in rounds:
        now += seconds * SECOND
        things.show(**seen)
        if restart:
            things.reconnect()
        changes = evaluate_at(things.connection, groups, now)
        names = {word: {name for name, found in seen.items() if found == word} for word in ("active", "clear")}
        steps = state.step(
            live, names["active"], names["clear"], Timing(hold=10 * SECOND, keep_firing_for=10 * SECOND), now
        )
        assert {change.labels["thing"]: change.step for change in changes} == steps
        for name, step in steps.items():
            live.pop(name, None)
            if step.after is not None and step.after.state == "resolved":
                ended.append(step.after)
            elif step.after is not None:
                live[name] = step.after
    stored = rows(
        things.connection,
        "SELECT state, active_since, fired_at, clear_since, unknown_since, resolved_at FROM alert_instance",
    )
    keys = ("state", "active_since", "fired_at", "clear_since", "unknown_since", "resolved_at")
    assert sorted(map(repr, (Episode(**dict(zip(keys, row, strict=True))) for row in stored))) == sorted(
        map(repr, [*live.values(), *ended])
    )


def test_history_and_outbox_are_written_with_the_change(things: Any) -> None:
    outbox.register(things.connection, "webhook", "digest")
    groups = things.rules()
    for index, seen in enumerate(["active", "unknown", "active", "unknown", "clear"]):
        things.show(a=seen)
        evaluate_at(things.connection, groups, NOW + index * SECOND, TOLD)
    assert rows(things.connection, "SELECT change, time FROM alert_transition ORDER BY transition_id") == [
        ("firing", NOW),
        ("unknown", NOW + SECOND),
        ("known", NOW + 2 * SECOND),
        ("unknown", NOW + 3 * SECOND),
        ("known", NOW + 4 * SECOND),
        ("resolved", NOW + 4 * SECOND),
    ]
    assert rows(things.connection, "SELECT status FROM alert_outbox ORDER BY outbox_id") == [("firing",), ("resolved",)]
    assert rows(things.connection, "SELECT receiver, group_key, next_attempt FROM alert_group") == [
        ("webhook", '{}:{alertname="Thing", factory="f1"}', NOW)
    ]


def test_a_change_that_cannot_be_queued_is_no_change(things: Any) -> None:
    """The receiver is not registered, so that the outbox refuses the row: the alert must not count as fired."""
    things.show(a="active")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        evaluate_at(things.connection, things.rules(), NOW, TOLD)
    assert rows(things.connection, "SELECT rule FROM alert_instance") == []
    outbox.register(things.connection, "webhook", "digest")
    (change,) = evaluate_at(things.connection, things.rules(), NOW + SECOND, TOLD)
    assert change.step.changes == ("firing",)


def test_an_alert_that_lapses_leaves_no_trace(things: Any) -> None:
    things.show(a="active")
    evaluate_at(things.connection, things.rules(FOR), NOW)
    assert rows(things.connection, "SELECT state, fired_at FROM alert_instance") == [("pending", None)]
    things.show(a="clear")
    (change,) = evaluate_at(things.connection, things.rules(FOR), NOW + SECOND)
    assert change.step.changes == ("lapsed",)
    assert rows(things.connection, "SELECT FROM alert_instance") == []


def test_what_an_alert_says_is_fixed_when_it_fires(things: Any) -> None:
    more = FOR + "    annotations: {summary: 'since {{ $activeAt }}: {{ $value }}'}\n"
    things.show(a="active")
    evaluate_at(things.connection, things.rules(more), NOW)
    hotter = "SELECT factory, name AS thing, 2.5 AS value FROM thing WHERE seen = 'active'"
    evaluate_at(things.connection, things.rules(more, hotter), NOW + 10 * SECOND)
    assert rows(things.connection, "SELECT value, annotations FROM alert_instance") == [
        (2.5, {"summary": "since 2026-11-01T12:00:00Z: 2.5"})
    ]


FAILURES = {
    "a query that breaks": ("SELECT 1 / (count(*) - 1) AS value FROM thing", "division by zero"),
    "a query that overruns": ("SELECT name AS thing, pg_sleep(30)::text AS x FROM thing", "overran its time limit"),
    "a query that writes": (
        "SELECT setval('node_node_id_seq', 1)::text AS thing, name FROM thing",
        "cannot execute setval() in a read-only transaction",
    ),
    "a label that is no text": ("SELECT ARRAY[name] AS thing FROM thing", "column 'thing' is a list"),
    "a column that is gone": ("SELECT gone AS thing FROM thing", 'column "gone" does not exist'),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_rule_that_fails_says_so_and_its_alerts_stay(
    things: Any, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    condition, reason = FAILURES[what]
    good = "  - {alert: Other, condition: SELECT name AS thing FROM thing, known: always}\n"
    context = Context(query_timeout=timedelta(seconds=0.3))
    things.show(a="active")
    evaluate_at(things.connection, things.rules(good), NOW, context)
    things.show(a="clear")
    broken = things.rules(good, condition)
    with caplog.at_level(logging.ERROR):
        (change,) = evaluate_at(things.connection, broken, NOW + SECOND, context)
    assert (change.rule, change.labels["rule"], change.step.changes) == ("RuleFailed", "Thing", ("firing",))
    assert change.saying is not None
    assert reason in change.saying.annotations["summary"]
    assert reason in caplog.text
    assert rows(things.connection, "SELECT rule, state FROM alert_instance ORDER BY rule") == [
        ("Other", "firing"),
        ("RuleFailed", "firing"),
        ("Thing", "firing"),
    ]
    assert rows(things.connection, "SELECT failed_rules FROM alert_evaluation") == [(["Thing"],)]
    mended = evaluate_at(things.connection, things.rules(good), NOW + 2 * SECOND, context)
    assert {(change.rule, change.step.changes) for change in mended} == {
        ("RuleFailed", ("resolved",)),
        ("Thing", ("resolved",)),
    }


def test_a_known_that_fails_ends_nothing(things: Any) -> None:
    things.show(a="active")
    evaluate_at(things.connection, things.rules(), NOW)
    things.show(a="clear")
    things.connection.execute("ALTER TABLE thing RENAME COLUMN name TO title")
    condition = "SELECT factory, title AS thing FROM thing WHERE seen = 'active'"
    (change,) = evaluate_at(things.connection, things.rules("", condition), NOW + SECOND)
    assert change.rule == "RuleFailed"


def test_more_alerts_than_the_limit_of_the_group_are_a_failure(things: Any) -> None:
    things.show(a="active", b="active")
    (change,) = evaluate_at(things.connection, things.rules(group="  limit: 1\n"), NOW)
    assert change.rule == "RuleFailed"
    assert change.saying is not None
    assert "more than 1 alerts, the group's limit" in change.saying.annotations["summary"]


def test_alerts_of_a_rule_that_was_removed_end_and_say_why(things: Any) -> None:
    things.show(a="active")
    evaluate_at(things.connection, things.rules(), NOW)
    things.path.write_text("groups: [{name: things, rules: []}]")
    (change,) = evaluate_at(things.connection, rules.load([things.path]), NOW + SECOND)
    assert (change.step.changes, change.reason) == (("resolved",), "the rule was removed")


def test_rows_with_the_same_labels_are_one_alert(things: Any) -> None:
    things.show(a="active", b="active")
    (change,) = evaluate_at(things.connection, things.rules("", "SELECT factory FROM thing"), NOW)
    assert change.labels == {"alertname": "Thing", "factory": "f1"}


def test_labels_that_are_missing_or_empty_are_no_labels(things: Any) -> None:
    things.show(a="active")
    condition = "SELECT factory, NULL::text AS rack, '' AS node, true AS up, 3::int8 AS n, 0.5::float8 AS x FROM thing"
    (change,) = evaluate_at(
        things.connection, things.rules("", condition.replace("SELECT", "SELECT name AS thing,")), NOW
    )
    assert change.labels == {"alertname": "Thing", "factory": "f1", "thing": "a", "up": "true", "n": "3", "x": "0.5"}


def test_simulated_telemetry_says_so_in_every_alert(things: Any) -> None:
    things.show(a="active")
    things.connection.execute("UPDATE thing SET factory = 'sim-aurora'")
    (change,) = evaluate_at(things.connection, things.rules(), NOW)
    assert change.labels["simulated"] == "true"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_labels_are_stored_as_they_are(things: Any, value: str) -> None:
    things.forget()
    things.connection.execute("INSERT INTO thing VALUES ('f1', %s, 'active')", [value])
    (change,) = evaluate_at(things.connection, things.rules(), NOW)
    assert change.labels["thing"] == value
    assert rows(things.connection, "SELECT labels ->> 'thing' FROM alert_instance") == [(value,)]
    things.connection.execute("UPDATE thing SET seen = 'clear'")
    (change,) = evaluate_at(things.connection, things.rules(), NOW + SECOND)
    assert change.step.changes == ("resolved",)


def test_while_one_process_evaluates_a_group_another_leaves_it_alone(things: Any) -> None:
    """Two processes, many rounds, each round by both at once: every change is stored once."""
    outbox.register(things.connection, "webhook", "digest")
    (group,) = things.rules()
    for index in range(6):
        things.show(**dict.fromkeys("abc", "active" if index % 2 == 0 else "clear"))
        barrier = threading.Barrier(2)

        def go(at: datetime = NOW + index * SECOND, barrier: threading.Barrier = barrier) -> None:
            with things.database.connect() as connection:
                barrier.wait()
                evaluate(connection, group, at, TOLD, unless_within=SECOND / 2)

        threads = [threading.Thread(target=go) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert rows(things.connection, "SELECT change, count(*) FROM alert_transition GROUP BY 1 ORDER BY 1") == [
        ("firing", 9),
        ("resolved", 9),
    ]
    assert rows(things.connection, "SELECT count(*) FROM alert_outbox") == [(18,)]


def test_a_group_in_other_hands_is_not_evaluated(things: Any) -> None:
    (group,) = things.rules()
    things.show(a="active")
    with things.database.connect() as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('gigawatch alerts things', 0))")
        assert evaluate(things.connection, group, NOW, Context()) is None
        other.execute("SELECT pg_advisory_unlock_all()")
    outcome = evaluate(things.connection, group, NOW, Context())
    assert outcome is not None
    assert len(outcome.changes) == 1
    assert rows(
        things.connection, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    ) == [(0,)]


def test_a_clock_that_was_set_back_stops_no_alert_and_turns_no_time_round(things: Any) -> None:
    things.show(a="active")
    evaluate_at(things.connection, things.rules(), NOW)
    things.show(a="clear", b="active")
    changes = evaluate_at(things.connection, things.rules(), NOW - timedelta(hours=1))
    assert {change.labels["thing"]: change.step.changes for change in changes} == {
        "a": ("resolved",),
        "b": ("firing",),
    }
    assert rows(things.connection, "SELECT DISTINCT coalesce(resolved_at, fired_at) FROM alert_instance") == [(NOW,)]


def test_a_lost_connection_leaves_nothing_half_done(things: Any) -> None:
    things.show(a="active")
    groups = things.rules(
        "  - {alert: Cut, condition: SELECT pg_terminate_backend(pg_backend_pid())::text AS x, known: always}\n"
    )
    with pytest.raises(psycopg.OperationalError):
        evaluate_at(things.connection, groups, NOW)
    things.reconnect()
    assert rows(things.connection, "SELECT rule, state FROM alert_instance") == [("Thing", "firing")]
    assert rows(things.connection, "SELECT change FROM alert_transition") == [("firing",)]


@pytest.mark.parametrize(
    ("labels", "link"),
    [
        ({}, "https://p/"),
        ({"factory": "jaif"}, "https://p/factory/jaif?at=2026-11-01T12%3A00%3A00Z"),
        ({"factory": "a/b?c", "node": "n&1"}, "https://p/factory/a%2Fb%3Fc?at=2026-11-01T12%3A00%3A00Z&node=n%261"),
    ],
)
def test_links_lead_to_the_exact_view(labels: dict[str, str], link: str) -> None:
    assert link_to(labels, NOW, "https://p") == link


def test_a_hundred_alerts_change_in_one_statement_a_table(things: Any) -> None:
    """Set-wise: the number of statements does not grow with the number of alerts."""

    def statements(count: int) -> int:
        things.forget()
        outbox.register(things.connection, "webhook", "digest")
        things.connection.execute(
            "INSERT INTO thing SELECT 'f1', 'thing ' || n, 'active' FROM generate_series(1, %s) n", [count]
        )
        seen: list[Any] = []
        original = things.connection.execute
        things.connection.execute = lambda *args, **kwargs: seen.append(args) or original(*args, **kwargs)
        try:
            assert len(evaluate_at(things.connection, things.rules(), NOW, TOLD)) == count
        finally:
            del things.connection.execute
        return len(seen)

    assert statements(1) == statements(100)
    assert store.live_rules(things.connection, "things") == {"Thing"}
