"""The inventory says what should be there, from when to when; nothing of it is overwritten."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_contract.errors import GigawatchError
from gigawatch_programme.inventory import nodes as inventory
from gigawatch_programme.inventory.nodes import Node, changes
from gigawatch_programme.table import Refused

if TYPE_CHECKING:
    import psycopg


MONDAY = dt.datetime(2026, 11, 16, 8, tzinfo=dt.UTC)
TUESDAY = MONDAY + dt.timedelta(days=1)
HEADER = "factory_id,host_name,rack,accelerators,model\n"


def node(host: str, accelerators: int = 8, *, factory: str = "sim-aurora", rack: str | None = "r1") -> Node:
    return Node(factory, host, rack, accelerators, "NVIDIA H100 80GB HBM3")


def expected(connection: psycopg.Connection, at: dt.datetime, factory: str = "sim-aurora") -> dict[str, int]:
    """What should be there at a moment."""
    rows = connection.execute(
        "SELECT host_name, accelerators FROM inventory_node "
        "WHERE factory_id = %s AND valid_from <= %s AND (valid_to IS NULL OR valid_to > %s)",
        [factory, at, at],
    )
    return dict(rows.fetchall())


def test_a_file_becomes_nodes_and_what_is_empty_is_none() -> None:
    body = f"{HEADER}sim-aurora,n1,r1,8,NVIDIA H100 80GB HBM3\njaif,jrc0001,,0,\n"
    assert inventory.read("inventory.csv", body.encode(), {"jaif"}) == [
        node("n1"),
        Node("jaif", "jrc0001", None, 0, None),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("jiaf,n1,,4,\n", 'row 2, column factory_id: "jiaf" is not in the registry'),
        ("Sim Aurora,n1,,4,\n", 'row 2, column factory_id: "Sim Aurora" is not a factory id'),
        ("sim-a,n1,,4,\nsim-a,n1,,8,\n", 'row 3: factory_id "sim-a" and host_name "n1" is already in row 2'),
        ("sim-a,n1,,,\n", "row 2, column accelerators: is empty"),
        ("sim-a,n1,,four,\n", 'row 2, column accelerators: "four" is not a whole number'),
        ("sim-a,=n1,,4,\n", "row 2, column host_name: \"=n1\" starts with '='"),
        ("", "lists no node"),
    ],
)
def test_a_wrong_file_is_refused_by_row_and_column(rows: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        inventory.read("inventory.csv", (HEADER + rows).encode(), {"jaif"})
    assert [str(problem).partition(": ")[2][: len(message)] for problem in refused.value.problems] == [message]


def test_what_changed_or_is_no_longer_listed_is_closed_and_only_in_the_factories_listed() -> None:
    current = [node("same"), node("more", 4), node("gone"), node("other", factory="sim-borealis")]
    found = changes(current, [node("same"), node("more", 8), node("new")])
    assert found.closed == (node("gone"), node("more", 4))
    assert found.opened == (node("more", 8), node("new"))
    assert found.unchanged == 1


NODES = st.lists(
    st.builds(node, st.sampled_from("abcd"), st.integers(0, 2), factory=st.sampled_from(["sim-a", "sim-b"])),
    unique_by=lambda found: (found.factory_id, found.host_name),
)


@given(NODES, NODES)
def test_after_the_changes_the_listed_factories_have_what_is_listed_and_the_others_what_they_had(
    current: list[Node], listed: list[Node]
) -> None:
    found = changes(current, listed)
    after = (set(current) - set(found.closed)) | set(found.opened)
    named = {each.factory_id for each in listed}
    assert {each for each in after if each.factory_id in named} == set(listed)
    assert {each for each in after if each.factory_id not in named} == {
        each for each in current if each.factory_id not in named
    }
    assert not changes(after, listed).opened


def test_every_moment_keeps_the_inventory_that_was_in_force(connection: psycopg.Connection) -> None:
    inventory.save(connection, [node("n1"), node("n2"), node("n3")], valid_from=MONDAY, entered_by="Ada")
    inventory.save(connection, [node("n1"), node("n2", 4), node("n4")], valid_from=TUESDAY, entered_by="Grace")
    assert expected(connection, MONDAY - dt.timedelta(seconds=1)) == {}
    assert expected(connection, MONDAY) == {"n1": 8, "n2": 8, "n3": 8}
    assert expected(connection, TUESDAY - dt.timedelta(seconds=1)) == {"n1": 8, "n2": 8, "n3": 8}
    assert expected(connection, TUESDAY) == {"n1": 8, "n2": 4, "n4": 8}
    entered = connection.execute(
        "SELECT host_name, entered_by FROM inventory_node ORDER BY host_name, valid_from"
    ).fetchall()
    assert entered == [("n1", "Ada"), ("n2", "Ada"), ("n2", "Grace"), ("n3", "Ada"), ("n4", "Grace")]


def test_an_unchanged_inventory_writes_nothing_whenever_it_is_said_to_be_valid(connection: psycopg.Connection) -> None:
    inventory.save(connection, [node("n1")], valid_from=MONDAY, entered_by="Ada")
    found = inventory.save(connection, [node("n1")], valid_from=MONDAY, entered_by="Grace")
    assert (found.opened, found.closed, found.unchanged) == ((), (), 1)


def test_the_inventory_of_another_factory_stays(connection: psycopg.Connection) -> None:
    inventory.save(connection, [node("n1", factory="sim-borealis")], valid_from=MONDAY, entered_by="Ada")
    inventory.save(connection, [node("n1")], valid_from=TUESDAY, entered_by="Ada")
    assert expected(connection, TUESDAY, "sim-borealis") == {"n1": 8}


def test_what_was_true_before_cannot_be_written_again(connection: psycopg.Connection) -> None:
    inventory.save(connection, [node("n1")], valid_from=TUESDAY, entered_by="Ada")
    with pytest.raises(GigawatchError, match="last changed at 2026-11-17T08:00:00"):
        inventory.save(connection, [node("n1", 4)], valid_from=MONDAY, entered_by="Ada")
    inventory.save(connection, [node("n2")], valid_from=TUESDAY + dt.timedelta(hours=1), entered_by="Ada")
    with pytest.raises(GigawatchError, match="last changed at 2026-11-17T09:00:00"):
        inventory.save(connection, [node("n1")], valid_from=TUESDAY + dt.timedelta(minutes=30), entered_by="Ada")


def test_a_node_may_return(connection: psycopg.Connection) -> None:
    inventory.save(connection, [node("n1"), node("n2")], valid_from=MONDAY, entered_by="Ada")
    inventory.save(connection, [node("n1")], valid_from=TUESDAY, entered_by="Ada")
    inventory.save(connection, [node("n1"), node("n2")], valid_from=TUESDAY + dt.timedelta(days=1), entered_by="Ada")
    assert expected(connection, TUESDAY) == {"n1": 8}
    assert expected(connection, TUESDAY + dt.timedelta(days=2)) == {"n1": 8, "n2": 8}
