"""The staging road: rows that may be in the database already are merged with what is there, point by point.

A row that is not there is inserted. In one that is, a missing reading is filled; an equal one is a duplicate; a different
one is a conflict, and the stored value stays. All three are counted, exactly, whoever else writes at the same time:
INSERT … DO NOTHING waits for others' transactions, and what is compared is locked first.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from psycopg import sql

from gigawatch_collector.columns import Column
from gigawatch_collector.rows import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import AsyncConnection

    from gigawatch_collector.columns import SampleTable
    from gigawatch_collector.load import Entry, Thing

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BLANKS: Final = Column("blanks", "int4")
"""Points without a value, beside the columns of the table."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of points."""

    stored: int = 0
    duplicate: int = 0
    conflict: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.stored + other.stored, self.duplicate + other.duplicate, self.conflict + other.conflict)


async def prepare(connection: AsyncConnection, tables: Iterable[SampleTable]) -> None:
    """Make the staging tables of this connection."""
    for table in tables:
        await connection.execute(_statements(table).create)


async def merge(connection: AsyncConnection, table: SampleTable, staged: Mapping[Thing, Entry]) -> Counts:
    """Merge rows into a table, within the transaction that is open."""
    statements = _statements(table)
    rows = [[*key, one.row.since, *one.facts, *one.row.values, one.row.blanks] for key, one in sorted(staged.items())]
    await copy_in(connection, statements.copy, encode([*table.columns, BLANKS], rows))
    row = await (await connection.execute(statements.insert)).fetchone()
    assert row is not None  # an aggregate has one row
    inserted, stored = row
    if inserted == len(rows):
        return Counts(stored)
    times = [time for _, time in staged]
    # Bounds that the planner sees: it leaves out the chunks and partitions of other times.
    span = {"since": EPOCH + timedelta(microseconds=min(times)), "until": EPOCH + timedelta(microseconds=max(times))}
    # The planner knows nothing of the staging table: reach the rows by their index, whatever the table's size.
    await connection.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    row = await (await connection.execute(statements.compare, span)).fetchone()
    assert row is not None
    filled, duplicate, conflict = row
    if filled:
        await connection.execute(statements.fill, span)
    return Counts(stored + filled, duplicate, conflict)


async def copy_in(connection: AsyncConnection, statement: bytes, content: bytes) -> None:
    """Run a binary COPY."""
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        await copy.write(content)


@functools.cache
def copy_statement(name: str, columns: tuple[Column, ...]) -> bytes:
    """COPY into a table."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(name), sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    )
    return statement.as_bytes()


@dataclass(frozen=True, slots=True)
class _Statements:
    create: sql.Composed
    copy: bytes
    insert: sql.Composed
    compare: sql.Composed
    fill: sql.Composed


CREATE: Final = "CREATE TEMP TABLE {stage} ({definitions}) ON COMMIT DELETE ROWS"
INSERT: Final = """
WITH inserted AS (
  INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ORDER BY {thing}, time
  ON CONFLICT ({thing}, time) DO NOTHING
  RETURNING {thing}, time
), done AS (
  DELETE FROM {stage} AS s USING inserted AS i WHERE s.{thing} = i.{thing} AND s.time = i.time
  RETURNING num_nonnulls({staged_readings}) + s.blanks AS points
)
SELECT count(*), coalesce(sum(points), 0)::bigint FROM done
"""
COMPARE: Final = """
WITH pair AS MATERIALIZED (
  SELECT {pairs}, s.blanks
  FROM {stage} AS s JOIN {table} AS t ON t.{thing} = s.{thing} AND t.time = s.time AND {span}
  ORDER BY s.{thing}, s.time
  FOR UPDATE OF t
)
SELECT
  coalesce(sum({filled}), 0)::bigint,
  coalesce(sum({equal} + blanks), 0)::bigint,
  coalesce(sum({different}), 0)::bigint
FROM pair
"""
FILL: Final = """
UPDATE {table} AS t SET {updates}
FROM {stage} AS s
WHERE t.{thing} = s.{thing} AND t.time = s.time AND {span} AND ({gains})
"""


@functools.cache
def _statements(table: SampleTable) -> _Statements:
    def each(template: str, columns: Iterable[Column], joiner: str) -> sql.Composed:
        """The template for each column, joined."""
        found = [
            sql.SQL(template).format(  # pyright: ignore[reportArgumentType] - the templates below are literals
                column=sql.Identifier(column.name),
                old=sql.Identifier(f"old_{column.name}"),
                new=sql.Identifier(f"new_{column.name}"),
                type=sql.SQL(column.type),
            )
            for column in columns
        ]
        return sql.SQL(joiner).join(found)  # pyright: ignore[reportArgumentType] - as above

    stage = f"stage_{table.name}"
    since = Column(table.since, "timestamptz")
    words: dict[str, sql.Composable] = {
        "table": sql.Identifier(table.name),
        "stage": sql.Identifier(stage),
        "thing": sql.Identifier(table.thing),
        "columns": each("{column}", table.columns, ", "),
        "definitions": each("{column} {type}", [*table.columns, BLANKS], ", "),
        "staged_readings": each("s.{column}", table.readings, ", "),
        "pairs": each("t.{column} AS {old}, s.{column} AS {new}", table.readings, ", "),
        "filled": each("({old} IS NULL AND {new} IS NOT NULL)::int", table.readings, " + "),
        "equal": each("({old} = {new} IS TRUE)::int", table.readings, " + "),
        "different": each("({old} <> {new} IS TRUE)::int", table.readings, " + "),
        "gains": each("t.{column} IS NULL AND s.{column} IS NOT NULL", table.readings, " OR "),
        "updates": sql.SQL(", ").join(
            [
                each("{column} = greatest(t.{column}, s.{column})", [since], ", "),
                each("{column} = coalesce(t.{column}, s.{column})", [*table.facts, *table.readings], ", "),
            ]
        ),
        "span": sql.SQL("t.time BETWEEN %(since)s AND %(until)s"),
    }
    return _Statements(
        create=sql.SQL(CREATE).format(**words),
        copy=copy_statement(stage, (*table.columns, BLANKS)),
        insert=sql.SQL(INSERT).format(**words),
        compare=sql.SQL(COMPARE).format(**words),
        fill=sql.SQL(FILL).format(**words),
    )
