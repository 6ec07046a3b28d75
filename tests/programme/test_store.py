"""Each import is a new version, whole or not at all; nothing that is there changes."""

from __future__ import annotations

import dataclasses
import re
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from gigawatch_programme import facts, registry, store
from gigawatch_programme.sheets import SHEETS
from gigawatch_programme.table import Row

if TYPE_CHECKING:
    from gigawatch_database.testing import Database
    from gigawatch_programme.registry import Registry


@pytest.fixture
def shipped_registry() -> Registry:
    return registry.load()


def corrected(shipped: dict[str, bytes], file: str, old: str, new: str) -> Registry:
    """The shipped registry with one line changed or added."""
    assert shipped[file].count(old.encode()) == 1
    return registry.judge({**shipped, file: shipped[file].replace(old.encode(), new.encode())})


def everything(connection: psycopg.Connection, import_id: int) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of one version."""
    return {
        sheet.table: connection.execute(
            sql.SQL("SELECT * FROM {} WHERE import_id = %s ORDER BY row").format(sql.Identifier(sheet.table)),
            [import_id],
        ).fetchall()
        for sheet in SHEETS
    }


def test_every_row_of_every_file_is_in_the_newest_version_as_it_was_read(
    connection: psycopg.Connection, shipped_registry: Registry
) -> None:
    assert store.newest(connection) is None
    made = store.save(connection, shipped_registry, entered_by="Ada")
    assert made is not None
    for sheet in SHEETS:
        stored = connection.execute(
            sql.SQL("SELECT {} FROM {} ORDER BY row").format(
                sql.SQL(", ").join(map(sql.Identifier, ("row", *sheet.fields))),
                sql.Identifier(f"{sheet.table}_current"),
            )
        ).fetchall()
        read = shipped_registry.rows[sheet.file]
        assert stored == [(row.number, *(row.values[field] for field in sheet.fields)) for row in read]
    assert store.newest(connection) == made
    assert (made.entered_by, made.sha256) == ("Ada", shipped_registry.sha256)


def test_the_same_files_again_are_no_new_version(connection: psycopg.Connection, shipped_registry: Registry) -> None:
    first = store.save(connection, shipped_registry, entered_by="Ada")
    assert store.save(connection, shipped_registry, entered_by="Grace") is None
    assert store.newest(connection) == first


def test_a_correction_adds_a_version_and_the_old_one_stays_as_it_was(
    connection: psycopg.Connection, shipped_registry: Registry, shipped: dict[str, bytes]
) -> None:
    first = store.save(connection, shipped_registry, entered_by="Ada")
    assert first is not None
    before = everything(connection, first.import_id)
    delivered = "l-aif,MeluXina-AI,delivered,500,,exact,NVIDIA GB200 NVL4,2026-11-20,https://example.org/,primary,,\nmimer,Arrhenius,"
    second = store.save(
        connection, corrected(shipped, "capacity.csv", "mimer,Arrhenius,", delivered), entered_by="Grace"
    )
    assert second is not None
    assert everything(connection, first.import_id) == before
    ladder = {
        fact.stage: fact.accelerators for fact in facts.capacities(connection, "l-aif") if fact.system == "MeluXina-AI"
    }
    assert ladder == {"announced": 2100, "contracted": 1008, "delivered": 500}
    versions = connection.execute(
        "SELECT entered_by, count(*) FILTER (WHERE stage = 'delivered' AND system = 'MeluXina-AI') "
        "FROM programme_capacity JOIN programme_import USING (import_id) GROUP BY import_id, entered_by ORDER BY import_id"
    ).fetchall()
    assert versions == [("Ada", 0), ("Grace", 1)]


def test_an_import_that_the_database_refuses_leaves_nothing_behind(
    connection: psycopg.Connection, shipped_registry: Registry
) -> None:
    last = SHEETS[-1]  # all other files are in by then
    row = shipped_registry.rows[last.file][0]
    broken = dataclasses.replace(
        shipped_registry, rows={**shipped_registry.rows, last.file: (Row(2, {**row.values, "vendor": None}),)}
    )
    with pytest.raises(psycopg.errors.NotNullViolation):
        store.save(connection, broken, entered_by="Ada")
    assert store.newest(connection) is None
    assert connection.execute("SELECT count(*) FROM programme_factory").fetchone() == (0,)


def test_of_two_imports_of_the_same_files_at_once_one_is_kept(database: Database, shipped_registry: Registry) -> None:
    made: list[store.Import | None] = []
    barrier = threading.Barrier(2)

    def save(name: str) -> None:
        with database.connect() as connection:
            barrier.wait(timeout=30)
            made.append(store.save(connection, shipped_registry, entered_by=name))

    threads = [threading.Thread(target=save, args=[name]) for name in ("Ada", "Grace")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found is None for found in made) == [False, True]


def test_the_tables_have_the_columns_of_the_files_and_no_others(connection: psycopg.Connection) -> None:
    for sheet in SHEETS:
        there = {
            name
            for (name,) in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [sheet.table]
            )
        }
        assert there == {"import_id", "row", *sheet.fields}, sheet.table


def test_whatever_the_tables_refuse_the_files_are_refused_for_first(connection: psycopg.Connection) -> None:
    """A column that the table wants is one that the file requires: no import ends in a database error."""
    for sheet in SHEETS:
        wanted = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'NO'",
            [sheet.table],
        )
        filled = {
            field
            for column in sheet.columns
            if column.required or column.kind.empty is not None
            for field in column.fields
        }
        assert {name for (name,) in wanted} - {"import_id", "row"} <= filled, sheet.table


def test_words_that_a_file_may_hold_are_the_words_that_its_table_takes(connection: psycopg.Connection) -> None:
    for sheet in SHEETS:
        checks = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
            [sheet.table],
        ).fetchall()
        for (definition,) in checks:
            found = re.search(r"\(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)", definition)
            if found is None:
                continue
            (column,) = [column for column in sheet.columns if column.name == found[1]]
            words = set(re.findall(r"'([^']*)'::text", found[2]))
            for word in words:
                assert column.kind.parse(word) == word
            with pytest.raises(ValueError, match="is not one of") as refused:
                column.kind.parse("?")
            assert set(str(refused.value).partition("one of: ")[2].split(", ")) == words


def test_a_date_is_shown_no_more_exact_than_it_was_said(
    connection: psycopg.Connection, shipped_registry: Registry
) -> None:
    store.save(connection, shipped_registry, entered_by="Ada")
    said = {
        (date.kind, date.date_text): str(date.date)
        for date in facts.milestones(connection, "nlaif")
        if date.milestone == "operational"
    }
    assert said == {
        ("baseline", "2027-Q1"): "2027-03-31",
        ("forecast", "2027"): "2027-12-31",
        ("forecast", "2028-Q1"): "2028-03-31",
    }
