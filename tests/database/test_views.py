"""The same rows give the same answers from every view, whatever the grade."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, LiteralString
from uuid import UUID

import pytest
from psycopg import sql

from gigawatch_contract.metrics import Metric, columns
from gigawatch_database import files
from gigawatch_database.rows import load
from gigawatch_database.testing import answers, copy_tables
from gigawatch_programme import registry, store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from gigawatch_database.testing import Database

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
TICKS = 24  # of 15 minutes: over midnight, and over chunks and partitions
FACTORIES = ("jaif", "sim-aurora")
MESSAGE = UUID(int=1)

Row = dict[str, object]


def value(metric: Metric, dice: random.Random, tick: int) -> object:
    """A reading that fits the column's type: sometimes missing, sometimes zero, a counter rising."""
    if dice.random() < 0.1:
        return None
    if metric.kind == "counter":
        return tick * 1000 if metric.type == "int8" else tick * 12.75
    if metric.type in {"int2", "int4"}:
        return dice.randrange(2)
    return dice.randrange(2**40) if metric.type == "int8" else dice.choice((0.0, dice.uniform(0, 700)))


def telemetry() -> Iterator[tuple[str, Row]]:
    """Tables and rows: two factories of two nodes of two accelerators, events, and what is not in the contract."""
    dice = random.Random(20260301)
    for factory in FACTORIES:
        yield "factory", {"factory_id": factory, "simulated": factory.startswith("sim-")}
    nodes = [(number, FACTORIES[number // 3]) for number in range(1, 5)]
    for node, factory in nodes:
        rack = None if node == 1 else f"r{node}"
        yield "node", {"node_id": node, "factory_id": factory, "host_name": f"n{node}", "rack": rack}
        for accelerator in (2 * node, 2 * node + 1):
            yield (
                "accelerator",
                {
                    "accelerator_id": accelerator,
                    "factory_id": factory,
                    "node_id": node,
                    "hw_id": f"GPU-{accelerator}",
                    "accelerator_index": accelerator % 2,
                    "model": None if node == 2 else "NVIDIA H200",
                },
            )
        for tick in range(TICKS):
            key: Row = {"time": START + timedelta(minutes=15 * tick), "node_id": node, "counters_since": START}
            yield "node_sample", key | {metric.column: value(metric, dice, tick) for metric in columns("node")}
            for accelerator in (2 * node, 2 * node + 1):
                readings = {metric.column: value(metric, dice, tick) for metric in columns("accelerator")}
                yield "accelerator_sample", key | {"accelerator_id": accelerator} | readings
    for number, (code, accelerator) in enumerate((("79", 8), ("not a number", 9), (None, None))):
        yield (
            "event",
            {
                "event_id": f"e{number}",
                "time": START + timedelta(minutes=number),
                "factory_id": "sim-aurora",
                "node_id": 4 if accelerator else None,
                "accelerator_id": accelerator,
                "name": "gigawatch.xid",
                "attributes": {"gigawatch.xid.code": code} if code else {},
            },
        )
    for number, temporality in enumerate(("cumulative", "delta", "unspecified"), start=1):
        yield (
            "other_series",
            {
                "series_id": number,
                "identity": bytes([number]),
                "factory_id": "jaif",
                "node_id": None if number == 1 else number,
                "name": "site.pump.flow",
                "unit": "m3/h",
                "kind": "sum",
                "temporality": temporality,
                "attributes": {"pump": str(number)},
                "scope": "site",
            },
        )
        for tick in range(TICKS):
            point = None if tick == 3 else tick / 3
            yield "other_point", {"time": START + timedelta(hours=tick), "series_id": number, "value": point}


def alerts() -> Iterator[tuple[str, Row]]:
    """An alert that fires, one that nobody can end for lack of data, one that is over; one message told of the first."""
    for number, state in enumerate(("firing", "pending", "resolved"), start=1):
        yield (
            "alert_instance",
            {
                "instance_id": number,
                "alert_id": UUID(int=number),
                "rule_group": "g",
                "rule": "Xid",
                "labels": {"factory": "sim-aurora", "node": "n4", "severity": "critical"},
                "annotations": {"summary": "an XID"},
                "link": "/",
                "state": state,
                "active_since": START,
                "fired_at": None if state == "pending" else START,
                "unknown_since": START if state == "pending" else None,
                "resolved_at": START if state == "resolved" else None,
            },
        )
    yield "alert_receiver", {"receiver": "site", "address_digest": "d"}
    yield "alert_group", {"group_id": 1, "receiver": "site", "group_key": "k", "labels": {}}
    yield (
        "alert_notification",
        {
            "notification_id": MESSAGE,
            "group_id": 1,
            "body": "{}",
            "state": "waiting",
            "created_at": START,
            "attempts": 1,
        },
    )
    yield "alert_notification_instance", {"notification_id": MESSAGE, "instance_id": 1, "status": "firing"}
    yield "alert_outbox", {"group_id": 1, "instance_id": 1, "status": "firing", "notification_id": MESSAGE}
    yield (
        "alert_attempt",
        {"notification_id": MESSAGE, "number": 1, "started_at": START, "status": 503, "error": "busy"},
    )


def views(area: LiteralString | None = None) -> list[str]:
    found = files.read("apache")
    return [view for file in found for view in file.views if area is None or file.name == f"views/{area}.sql"]


@pytest.fixture
def filled(database: Database) -> Iterator[psycopg.Connection]:
    """The Apache database, with rows of every kind."""
    with database.connect() as connection:
        for table, row in (*telemetry(), *alerts()):
            load(connection, table, [row])
        store.save(connection, registry.load(), entered_by="a test")
        yield connection


def test_every_view_gives_the_same_answers_on_every_grade(
    filled: psycopg.Connection, plain_database: Database, community_database: Database
) -> None:
    expected = {view: answers(filled, view) for view in views()}
    for area in ("telemetry", "alerts", "programme"):
        assert all(expected[view] for view in views(area)), f"a view of {area} has nothing to say, so compares nothing"
    for other in (plain_database, community_database):
        with other.connect() as connection:
            copy_tables(filled, connection)
            assert {view: answers(connection, view) for view in views()} == expected, other.grade


def test_the_views_say_what_was_stored(filled: psycopg.Connection) -> None:
    stored = {table: [row for name, row in telemetry() if name == table] for table, _ in telemetry()}
    for table in ("accelerator", "node"):
        names = [metric.column for metric in columns(table)]
        select = sql.SQL("SELECT {} FROM {} ORDER BY time, {}").format(
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.Identifier(f"{table}_reading"),
            sql.Identifier(f"{table}_id"),
        )
        read = filled.execute(select).fetchall()
        wanted = sorted(stored[f"{table}_sample"], key=lambda row: (str(row["time"]), row[f"{table}_id"]))
        assert len(read) == len(wanted)
        for row, want in zip(read, wanted, strict=True):
            for name, found in zip(names, row, strict=True):
                # What is missing is missing; float4 keeps seven digits.
                assert found == (None if want[name] is None else pytest.approx(want[name], rel=1e-6)), name


def test_an_event_shows_its_xid_where_it_is_a_number(filled: psycopg.Connection) -> None:
    rows = filled.execute(
        "SELECT event_id, xid_code, hw_id, host_name, simulated FROM event_reading ORDER BY 1"
    ).fetchall()
    assert rows == [("e0", 79, "GPU-8", "n4", True), ("e1", None, "GPU-9", "n4", True), ("e2", None, None, None, True)]
