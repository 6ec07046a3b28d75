"""The role of readers: all views, no table, no writing, no query for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from gigawatch_database.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gigawatch_database.testing import Database


@pytest.fixture
def reader(each_database: Database) -> Iterator[psycopg.Connection]:
    """Logged in as a reader."""
    with each_database.connect() as owner:
        owner.execute("ALTER ROLE gigawatch_reader PASSWORD 'look'")
    dsn = make_conninfo(each_database.dsn, user="gigawatch_reader", password="look")
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def relations(connection: psycopg.Connection, kinds: list[str]) -> list[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = ANY (%s::\"char\"[]) "
        "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')",
        [kinds],
    ).fetchall()
    return [name for (name,) in rows]


def test_a_reader_reads_every_view_and_no_table(each_database: Database, reader: psycopg.Connection) -> None:
    with each_database.connect() as owner:
        migrate(owner, report=lambda _: None)
    views = relations(reader, ["v"])
    assert {"factory_1min", "accelerator_reading", "accelerator_1hour"} <= set(views)
    for view in views:
        reader.execute(f'SELECT * FROM "{view}" LIMIT 1'.encode())
    tables = [name for name in relations(reader, ["r", "p"]) if "_sample_" not in name and "other_" not in name]
    assert {"accelerator_sample", "alert_receiver", "schema_migration"} <= set(tables)
    for table in tables:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f'SELECT * FROM "{table}" LIMIT 1'.encode())


def test_a_reader_writes_nothing_even_where_it_turns_its_own_guard_off(reader: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reader.execute("CREATE TABLE mine (a int)")
    reader.execute("SET default_transaction_read_only = off")
    for statement in ("SELECT mark_late(ARRAY[1], ARRAY[now()])", "CREATE TABLE mine (a int)", "DELETE FROM factory"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement.encode())


def test_a_readers_query_ends_after_half_a_minute(reader: psycopg.Connection) -> None:
    assert reader.execute("SHOW statement_timeout").fetchone() == ("30s",)
    reader.execute("SET statement_timeout = '50ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        reader.execute("SELECT pg_sleep(5)")
