"""Binary COPY: any record is the same row in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatch_collector.columns import Column
from gigawatch_collector.merge import copy_statement
from gigawatch_collector.rows import encode

if TYPE_CHECKING:
    from gigawatch_database.testing import Database

COLUMNS = (
    Column("a", "int2"),
    Column("b", "int4"),
    Column("c", "int8"),
    Column("d", "float4"),
    Column("e", "float8"),
    Column("f", "timestamptz"),
)
RECORD = st.tuples(
    st.none() | st.integers(-(2**15), 2**15 - 1),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(0, 2**62 // 1000),
)


def test_any_record_is_the_same_row(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE kept (a int2, b int4, c int8, d float4, e float8, f timestamptz, n serial)")

        @settings(max_examples=60)
        @given(records=st.lists(RECORD, max_size=20))
        def check(records: list[tuple[Any, ...]]) -> None:
            connection.execute("TRUNCATE kept")
            with connection.cursor() as cursor, cursor.copy(copy_statement("kept", COLUMNS)) as copy:
                copy.write(encode(COLUMNS, records))
            rows = connection.execute(
                "SELECT a, b, c, d::float8, e, (extract(epoch FROM f) * 1000000)::int8 FROM kept ORDER BY n"
            ).fetchall()
            assert rows == records

        check()


def test_a_time_keeps_its_microseconds(database: Database) -> None:
    moment = datetime(2026, 11, 23, 11, 35, 36, 539992, tzinfo=UTC)
    with database.connect() as connection:
        connection.execute("CREATE TABLE moment (f timestamptz)")
        with connection.cursor() as cursor, cursor.copy(copy_statement("moment", COLUMNS[5:])) as copy:
            copy.write(encode(COLUMNS[5:], [[1_795_433_736_539_992]]))
        assert connection.execute("SELECT f FROM moment").fetchone() == (moment,)
