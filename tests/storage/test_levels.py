"""The levels, their tables and their views say the same as the contract."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from gigawatch_contract.metrics import columns
from gigawatch_database.rollup import schedule
from gigawatch_database.rollup.levels import BY_TABLE, COUNTERS, LEVELS, SAMPLES, Level, reading_columns
from gigawatch_database.storage import chunks

if TYPE_CHECKING:
    import psycopg

TYPES = {"int8": "bigint", "float8": "double precision", "float4": "real"}


def test_every_level_has_a_table_with_the_columns_of_the_contract(fleet: psycopg.Connection) -> None:
    want = [(column.name, TYPES[column.type]) for column in reading_columns()]
    for level in LEVELS:
        rows = fleet.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
            [level.table],
        ).fetchall()
        assert rows[-len(want) :] == want, level.table
        assert {name for name, _ in rows[: -len(want)]} == {"bucket", level.key} | (
            {"node_id"} if level.thing == "accelerator" else set[str]()
        )


def test_every_counter_of_the_contract_is_rolled_up() -> None:
    assert {metric.column for metric in COUNTERS} == {
        metric.column for metric in columns("accelerator") if metric.kind == "counter"
    }


def test_every_table_that_grows_says_how_long_it_is_kept(fleet: psycopg.Connection) -> None:
    listed = {name for (name,) in fleet.execute("SELECT level FROM storage_level").fetchall()}
    assert listed == {level.table for level in LEVELS} | {SAMPLES, "node_sample", "other_point", "other_distribution"}


def test_every_view_and_column_of_the_rollups_has_a_comment_with_its_unit(fleet: psycopg.Connection) -> None:
    for level in LEVELS:
        for relation in (level.table, level.name):
            rows = fleet.execute(
                """
                SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a
                WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
                """,
                [relation],
            ).fetchall()
            comments = dict(rows)
            assert all(comments.values()), (relation, [name for name, comment in rows if not comment])
            for column in reading_columns():
                assert f"Unit: {column.unit}." in comments[column.name]
        about = fleet.execute("SELECT obj_description(%s::regclass)", [level.name]).fetchone()
        assert about is not None
        assert about[0]


def test_each_level_comes_after_the_one_it_is_made_of() -> None:
    for index, level in enumerate(LEVELS):
        assert level.source == SAMPLES or BY_TABLE[level.source] in LEVELS[:index]


@given(
    level=st.sampled_from(LEVELS),
    done=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - the zone comes next
    after=st.timedeltas(timedelta(0), timedelta(days=3)),
    delay=st.timedeltas(timedelta(0), timedelta(minutes=10)),
)
def test_buckets_are_due_once_each_when_they_are_over(
    level: Level, done: datetime, after: timedelta, delay: timedelta
) -> None:
    done = level.bucket(done.astimezone())
    now = done + after
    complete = schedule.complete_until(level, source_until=None, now=now, delay=delay)
    buckets = list(schedule.due(level, done_until=done, complete=complete))
    assert all(now - bucket >= level.width + delay for bucket in buckets)
    assert buckets == [done + index * level.width for index in range(len(buckets))]
    following = done + len(buckets) * level.width
    assert now - following < level.width + delay


@given(st.integers(1, 10**6), st.sampled_from([1.0, 15.0, 60.0]), st.integers(2**28, 2**42))
def test_a_chunk_is_the_widest_whose_index_fits_in_a_quarter_of_memory(
    accelerators: int, tick_s: float, memory: int
) -> None:
    chosen = chunks.interval(accelerators=accelerators, tick_s=tick_s, memory_bytes=memory)

    def index_bytes(span: timedelta) -> float:
        return accelerators * span.total_seconds() / tick_s * chunks.INDEX_BYTES

    assert chosen == chunks.CHOICES[0] or index_bytes(chosen) <= memory / 4
    assert all(index_bytes(wider) > memory / 4 for wider in chunks.CHOICES if wider > chosen)


def test_a_site_of_100_000_accelerators_with_256_gib_writes_half_days() -> None:
    assert chunks.interval(accelerators=100_000, tick_s=15, memory_bytes=32 * 2**30) == timedelta(hours=8)
    assert chunks.interval(accelerators=100_000, tick_s=15, memory_bytes=256 * 2**30) == timedelta(hours=24)
