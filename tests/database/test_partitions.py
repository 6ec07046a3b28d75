from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gigawatch_database.rows import load

if TYPE_CHECKING:
    import psycopg

    from gigawatch_database.testing import Database

NOW = datetime.now(UTC)
FAR = NOW + timedelta(days=200)
PAST = NOW - timedelta(days=4000)


def sample(time: datetime, node_id: int = 1) -> dict[str, object]:
    return {"time": time, "node_id": node_id, "accelerators": 8}


def partitions(connection: psycopg.Connection) -> dict[str, int]:
    """How many rows lie in each partition of node_sample that has any."""
    rows = connection.execute("SELECT tableoid::regclass::text, count(*) FROM node_sample GROUP BY 1").fetchall()
    return dict(rows)


def ensure(connection: psycopg.Connection, since: datetime, until: datetime) -> int:
    row = connection.execute("SELECT ensure_partitions(%s, %s)", [since, until]).fetchone()
    assert row
    return row[0]


def day(time: datetime) -> str:
    return f"node_sample_{time:%Y%m%d}"


def test_a_migrated_database_has_yesterdays_todays_and_the_coming_days(plain_database: Database) -> None:
    with plain_database.connect() as connection:
        load(connection, "node_sample", [sample(NOW + timedelta(days=days)) for days in range(-1, 8)])
        assert partitions(connection) == {day(NOW + timedelta(days=days)): 1 for days in range(-1, 8)}
        assert ensure(connection, NOW - timedelta(days=1), NOW + timedelta(days=7)) in {
            0,
            4,
        }  # 4 if midnight just passed


def test_rows_of_any_time_are_kept_and_move_when_their_day_is_made(plain_database: Database) -> None:
    with plain_database.connect() as connection:
        load(connection, "node_sample", [sample(FAR), sample(FAR, 2), sample(PAST)])
        assert partitions(connection) == {"node_sample_default": 3}
        assert ensure(connection, FAR, FAR) == 4
        assert partitions(connection) == {day(FAR): 2, "node_sample_default": 1}
        found = connection.execute("SELECT time, node_id, accelerators FROM node_sample ORDER BY 1, 2").fetchall()
        assert found == [(PAST, 1, 8), (FAR, 1, 8), (FAR, 2, 8)]


def test_a_day_begins_at_midnight_in_utc_whatever_the_sessions_zone(plain_database: Database) -> None:
    midnight = datetime(2031, 5, 4, tzinfo=UTC)
    with plain_database.connect() as connection:
        connection.execute("SET timezone = 'Pacific/Auckland'")
        assert ensure(connection, midnight, midnight + timedelta(hours=23, minutes=59)) == 4
        load(connection, "node_sample", [sample(midnight), sample(midnight + timedelta(hours=24, microseconds=-1))])
        assert partitions(connection) == {"node_sample_20310504": 2}


def test_collectors_may_ask_at_once_while_rows_come_in(plain_database: Database) -> None:
    errors: list[Exception] = []

    def ask() -> None:
        try:
            with plain_database.connect() as connection:
                ensure(connection, FAR, FAR + timedelta(days=3))
        except Exception as error:  # noqa: BLE001 - a thread hands it over
            errors.append(error)

    def write(node_id: int) -> None:
        try:
            with plain_database.connect() as connection:
                load(connection, "node_sample", [sample(FAR + timedelta(hours=hours), node_id) for hours in range(72)])
        except Exception as error:  # noqa: BLE001 - a thread hands it over
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    threads += [threading.Thread(target=write, args=[node_id]) for node_id in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with plain_database.connect() as connection:
        ensure(connection, FAR, FAR + timedelta(days=3))  # what did not come free then
        found = partitions(connection)
        assert "node_sample_default" not in found
        assert sum(found.values()) == 144


def test_where_timescaledb_makes_chunks_there_is_nothing_to_ensure(database: Database) -> None:
    with database.connect() as connection:
        load(connection, "node_sample", [sample(FAR), sample(PAST)])
        assert ensure(connection, PAST, FAR) == 0
        assert connection.execute("SELECT count(*) FROM show_chunks('node_sample')").fetchone() == (2,)
