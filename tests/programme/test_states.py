"""What is excused, and what is missing: nothing said afterwards makes a figure of the past better."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from gigawatch_contract.errors import GigawatchError
from gigawatch_programme.inventory import nodes, states
from gigawatch_programme.inventory.nodes import Node
from gigawatch_programme.inventory.states import Said, Window

if TYPE_CHECKING:
    import psycopg

EIGHT = dt.datetime(2026, 11, 16, 8, tzinfo=dt.UTC)
FACTORY = "sim-aurora"


def hour(hours: float) -> dt.datetime:
    return EIGHT + dt.timedelta(hours=hours)


def said(word: states.State, since: float, host: str = "n1") -> Said:
    return Said(host, word, None if word == "up" else "a fan", hour(since))


@pytest.fixture
def stocked(connection: psycopg.Connection) -> psycopg.Connection:
    """Two nodes in two racks, since the day before."""
    listed = [Node(FACTORY, "n1", "r1", 8, None), Node(FACTORY, "n2", "r2", 4, None)]
    nodes.save(connection, listed, valid_from=hour(-24), entered_by="ada")
    return connection


def excuses(connection: psycopg.Connection, at: float, to: float | None = None) -> dict[str, str | None]:
    """What excuses each node over a span (from `at` to `to`, in hours after eight)."""
    rows = connection.execute(
        "SELECT host_name, excuse FROM expected_node(%s, %s)", [hour(at), hour(at if to is None else to)]
    )
    return dict(rows.fetchall())


def test_a_node_is_drained_from_when_it_was_said_until_it_is_up(stocked: psycopg.Connection) -> None:
    states.save(stocked, FACTORY, [said("drained", 0)], declared_at=hour(2), declared_by="ada")
    states.save(stocked, FACTORY, [said("up", 4)], declared_at=hour(6), declared_by="bo")
    seen = [excuses(stocked, at)["n1"] for at in (0, 1.9, 2, 3.9, 4, 5)]
    assert seen == [None, None, "drained", "drained", None, None], (
        "up counts from when it was so, drained from the word"
    )
    assert excuses(stocked, 3) == {"n1": "drained", "n2": None}
    assert excuses(stocked, 1.5, 2.5)["n1"] is None, "a span is excused as a whole or not at all"
    assert excuses(stocked, 3.5, 4.5)["n1"] is None
    history = stocked.execute("SELECT state, declared_by FROM node_state ORDER BY declared_at").fetchall()
    assert history == [("drained", "ada"), ("up", "bo")]


def test_a_node_that_is_down_is_not_excused_and_one_retired_is(stocked: psycopg.Connection) -> None:
    states.save(stocked, FACTORY, [said("down", 0), said("retired", 0, "n2")], declared_at=hour(0), declared_by="ada")
    assert excuses(stocked, 1) == {"n1": None, "n2": "retired"}


def test_what_is_said_again_is_no_news(stocked: psycopg.Connection) -> None:
    assert states.save(stocked, FACTORY, [said("up", 0)], declared_at=hour(0), declared_by="ada") == []
    first = states.save(stocked, FACTORY, [said("drained", 0)], declared_at=hour(0), declared_by="ada")
    assert first == [said("drained", 0)]
    assert states.save(stocked, FACTORY, [said("drained", 1)], declared_at=hour(1), declared_by="ada") == []


def test_maintenance_excuses_its_span_and_from_its_declaration_only(stocked: psycopg.Connection) -> None:
    window = Window("rack", "r1", hour(0), hour(4), "new pump")
    states.declare(stocked, FACTORY, window, declared_at=hour(1), declared_by="ada")
    seen = [excuses(stocked, at)["n1"] for at in (0, 0.9, 1, 3.9, 4)]
    assert seen == [None, None, "maintenance", "maintenance", None]
    assert excuses(stocked, 2)["n2"] is None, "another rack"
    assert excuses(stocked, 3.5, 4.5)["n1"] is None, "a span that outlasts the window"


def test_maintenance_declared_when_it_was_over_excuses_nothing(stocked: psycopg.Connection) -> None:
    window = Window("site", None, hour(0), hour(4), "afterthought")
    states.declare(stocked, FACTORY, window, declared_at=hour(5), declared_by="ada")
    assert {excuse for at in range(8) for excuse in excuses(stocked, at).values()} == {None}


def test_maintenance_withdrawn_excuses_no_longer_and_stays_on_record(stocked: psycopg.Connection) -> None:
    window = Window("node", "n2", hour(0), hour(4), "new fan")
    made = states.declare(stocked, FACTORY, window, declared_at=hour(-1), declared_by="ada")
    states.withdraw(stocked, made, at=hour(2), by="bo")
    assert [excuses(stocked, at)["n2"] for at in (1, 2, 3)] == ["maintenance", None, None]
    with pytest.raises(GigawatchError, match="could be withdrawn"):
        states.withdraw(stocked, made, at=hour(3), by="bo")
    assert stocked.execute("SELECT withdrawn_by, ends_at FROM maintenance").fetchall() == [("bo", hour(4))]


def test_what_the_inventory_lacks_and_what_lacks_a_reason_is_refused(stocked: psycopg.Connection) -> None:
    for wrong, message in [
        (said("drained", 0, "n3"), 'no node "n3"'),
        (Said("n1", "drained", None, hour(0)), "--reason is missing"),
        (said("drained", 1), "in the future"),
    ]:
        with pytest.raises(GigawatchError, match=message):
            states.save(stocked, FACTORY, [wrong], declared_at=hour(0), declared_by="ada")
    with pytest.raises(GigawatchError, match='no rack "r9"'):
        states.declare(
            stocked, FACTORY, Window("rack", "r9", hour(0), hour(1), "x"), declared_at=hour(0), declared_by="ada"
        )
    with pytest.raises(GigawatchError, match="not after"):
        states.declare(
            stocked, FACTORY, Window("site", None, hour(1), hour(1), "x"), declared_at=hour(0), declared_by="ada"
        )


def test_a_drained_node_is_not_missing_and_a_silent_one_is(stocked: psycopg.Connection) -> None:
    states.save(stocked, FACTORY, [said("drained", -1)], declared_at=hour(-1), declared_by="ada")
    found = stocked.execute(
        "SELECT at, host_name, expected, excuse, node_seen, seen, missing FROM expected_against_seen(%s, %s) ORDER BY 1, 2",
        [hour(0), hour(0) + dt.timedelta(minutes=2)],
    ).fetchall()
    minutes = (hour(0), hour(0) + dt.timedelta(minutes=1))
    assert found == [
        row
        for minute in minutes
        for row in ((minute, "n1", 8, "drained", False, 0, 0), (minute, "n2", 4, None, False, 0, 4))
    ]
