from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from gigawatch_contract.metrics import METRICS, TABLES, columns
from gigawatch_database import comments, grade
from gigawatch_database.rows import load

if TYPE_CHECKING:
    from gigawatch_database.testing import Database

# Besides its metrics: which thing, when, and what the collector measures itself.
KEYS = {
    "accelerator": {
        "time": "timestamptz",
        "accelerator_id": "int4",
        "node_id": "int4",
        "counters_since": "timestamptz",
    },
    "node": {"time": "timestamptz", "node_id": "int4", "counters_since": "timestamptz", "clock_skew": "float4"},
}


def test_the_samples_have_the_contracts_columns_and_no_others(any_database: Database) -> None:
    with any_database.connect() as connection:
        for table in TABLES:
            found = connection.execute(
                "SELECT column_name, udt_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
                [f"{table}_sample"],
            ).fetchall()
            assert dict(found) == KEYS[table] | {metric.column: metric.type for metric in columns(table)}


def test_each_view_has_each_metric_with_its_type(any_database: Database) -> None:
    with any_database.connect() as connection:
        for table in TABLES:
            found = dict(
                connection.execute(
                    "SELECT column_name, udt_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
                    [f"{table}_reading"],
                ).fetchall()
            )
            assert {metric.column: found.get(metric.column) for metric in columns(table)} == {
                metric.column: metric.type for metric in columns(table)
            }


def test_each_metric_tells_its_unit_where_a_person_looks(any_database: Database) -> None:
    with any_database.connect() as connection:
        found = {
            (relation, column): text
            for relation, column, text in connection.execute(
                "SELECT attrelid::regclass::text, attname, col_description(attrelid, attnum) FROM pg_attribute "
                "WHERE attrelid::regclass::text = ANY(%s) AND attnum > 0",
                [[f"{table}_{end}" for table in TABLES for end in ("sample", "reading")]],
            ).fetchall()
            if text
        }
    assert found == {
        (f"{metric.table}_{end}", metric.column): comments.text(metric)
        for metric in METRICS
        for end in ("sample", "reading")
    }
    assert "Unit: W." in found["accelerator_reading", "power"]


def test_the_grade_is_detected(any_database: Database) -> None:
    with any_database.connect() as connection:
        assert grade.detect(connection) == any_database.grade
        kinds = connection.execute(
            "SELECT DISTINCT relkind::text FROM pg_class WHERE relname LIKE '%\\_sample'"
        ).fetchall()
    assert kinds == [("p" if any_database.grade == "plain" else "r",)]


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("accelerator_sample", {"accelerator_id": 1, "node_id": 1}),
        ("node_sample", {"node_id": 1}),
        ("other_point", {"series_id": 1}),
        ("other_distribution", {"series_id": 1, "body": {}}),
    ],
)
def test_a_thing_has_one_row_a_time(any_database: Database, table: str, row: dict[str, object]) -> None:
    rows = [{"time": datetime(2026, 1, 1, tzinfo=UTC), **row}] * 2
    with any_database.connect() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        load(connection, table, rows)
