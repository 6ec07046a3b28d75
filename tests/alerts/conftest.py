"""A small fleet written straight into the database, tick by tick, and a connection to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_alerts import rules
from gigawatch_contract import events

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    import psycopg

    from gigawatch_database.testing import Database, Server

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
FACTORY = "sim-aurora"
TICK = timedelta(seconds=15)
STATUSES = ("ok", "degraded", "failed", "unresponsive", "lost")


class Fleet:
    """Two nodes of two accelerators each in the inventory of a fictional factory; `tick` writes what they would send."""

    nodes = ("n1", "n2")

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.start = START
        self.throttled: dict[str, float] = {}
        self.driver_share = 0.5  # of the throttled seconds; the hardware counts the rest
        self.since: dict[str, datetime] = {}
        connection.execute("INSERT INTO factory (factory_id, simulated) VALUES (%s, true)", [FACTORY])
        self.node_ids: dict[str, int] = {}
        self.accelerators: dict[str, tuple[int, int]] = {}
        for node in self.nodes:
            self.add_node(node)

    def add_node(self, node: str, factory: str = FACTORY) -> None:
        row = self.connection.execute(
            "INSERT INTO node (factory_id, host_name, rack) VALUES (%s, %s, 'r1') RETURNING node_id", [factory, node]
        ).fetchone()
        assert row
        self.node_ids[node] = row[0]
        self.connection.execute(
            "INSERT INTO inventory_node (factory_id, host_name, rack, accelerators, valid_from, entered_by) "
            "VALUES (%s, %s, 'r1', 2, %s, 'test')",
            [factory, node, START - timedelta(days=1)],
        )
        for index in range(2):
            hw_id = f"GPU-{node}-{index}"
            row = self.connection.execute(
                "INSERT INTO accelerator (factory_id, node_id, hw_id, accelerator_index) VALUES (%s, %s, %s, %s) "
                "RETURNING accelerator_id",
                [factory, self.node_ids[node], hw_id, index],
            ).fetchone()
            assert row
            self.accelerators[hw_id] = (row[0], self.node_ids[node])
            self.throttled[hw_id] = 1000.0
            self.since[hw_id] = START - timedelta(days=1)

    def tick(
        self,
        time: datetime,
        *,
        silent: tuple[str, ...] = (),
        statuses: dict[str, str] | None = None,
        missing: tuple[str, ...] = (),
    ) -> None:
        """All readings of one moment; `statuses` are those that are not ok, by accelerator; `missing` columns are NULL."""
        for node, node_id in self.node_ids.items():
            if node not in silent:
                self.connection.execute("INSERT INTO node_sample (time, node_id) VALUES (%s, %s)", [time, node_id])
        for hw_id, (accelerator_id, node_id) in self.accelerators.items():
            if hw_id.split("-")[1] in silent:
                continue
            status = (statuses or {}).get(hw_id, "ok")
            answers = status in {"ok", "degraded"}
            driver = self.throttled[hw_id] * self.driver_share
            readings: dict[str, Any] = {
                "throttle_software_thermal": driver if answers else None,
                "throttle_hardware_thermal": self.throttled[hw_id] - driver if answers else None,
                **{f"status_{name}": int(status == name) for name in STATUSES},
                **dict.fromkeys(missing),
            }
            self.connection.execute(
                (
                    f"INSERT INTO accelerator_sample (time, accelerator_id, node_id, counters_since, {', '.join(readings)}) "
                    f"VALUES (%s, %s, %s, %s{', %s' * len(readings)})"
                ).encode(),
                [time, accelerator_id, node_id, self.since[hw_id], *readings.values()],
            )

    def ticks(self, since: datetime, until: datetime, **what: Any) -> Iterator[datetime]:
        """Each tick after `since` up to `until`, written before it is yielded."""
        time = since + TICK
        while time <= until:
            self.tick(time, **what)
            yield time
            time += TICK

    def xid(self, hw_id: str, time: datetime, code: int = 79, received_at: datetime | None = None) -> str:
        """An XID event as the collector stores it, received at once if no other time is given; returns its id."""
        accelerator_id, node_id = self.accelerators[hw_id]
        found = events.event_id(events.XID.name, hw_id, int(time.timestamp() * 1e9), str(code))
        self.connection.execute(
            "INSERT INTO event (event_id, time, received_at, factory_id, node_id, accelerator_id, name, attributes) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, jsonb_build_object(%s::text, %s::text))",
            [
                *(found, time, received_at or time, FACTORY, node_id, accelerator_id),
                *(events.XID.name, events.XID_CODE, str(code)),
            ],
        )
        return found


@pytest.fixture(scope="session")
def shipped() -> tuple[rules.Group, ...]:
    """The rules that ship."""
    return rules.load([rules.SHIPPED])


ALERT_TABLES = (
    "alert_instance, alert_transition, alert_evaluation, alert_receiver, alert_group, alert_notification, "
    "alert_notification_instance, alert_attempt, alert_outbox"
)


@pytest.fixture(scope="module")
def shared(timescale: Server) -> Generator[Database]:
    """One migrated database for the tests of a file, each of which begins anew."""
    with timescale.database() as database:
        yield database


@pytest.fixture(scope="module")
def shared_plain(plain_server: Server) -> Generator[Database]:
    """As `shared`, without TimescaleDB."""
    with plain_server.database() as database:
        yield database


@pytest.fixture
def connection(shared: Database) -> Generator[psycopg.Connection]:
    """A connection to a database."""
    with shared.connect() as connection:
        yield connection


@pytest.fixture(params=["shared", "shared_plain"], ids=["timescale", "plain"])
def fleet(request: pytest.FixtureRequest) -> Generator[Fleet]:
    """The fleet, on each grade."""
    database: Database = request.getfixturevalue(request.param)
    with database.connect() as connection:
        connection.execute(f"TRUNCATE factory, inventory_node, {ALERT_TABLES} CASCADE".encode())
        connection.execute("TRUNCATE accelerator_sample, node_sample")
        connection.execute("SELECT ensure_partitions(%s, %s)", [START - timedelta(hours=1), START + timedelta(hours=2)])
        yield Fleet(connection)


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    """Where a test writes its rules."""
    return tmp_path / "rules.yaml"


class Things:
    """A table of three things that a test makes active, clear or unknown, and a rule over it."""

    names = ("a", "b", "c")

    def __init__(self, database: Database, path: Path) -> None:
        self.database = database
        self.path = path
        self.connection = database.connect()
        self.connection.execute("DROP TABLE IF EXISTS thing")
        self.connection.execute("CREATE TABLE thing (factory text, name text PRIMARY KEY, seen text)")
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.connection.execute(f"TRUNCATE thing, {ALERT_TABLES}".encode())

    def reconnect(self) -> None:
        """As a new process would."""
        self.connection.close()
        self.connection = self.database.connect()

    def show(self, **seen: str) -> None:
        """What is to be seen of each thing: `active`, `clear` or nothing at all (`unknown`)."""
        for name, word in seen.items():
            self.connection.execute(
                "INSERT INTO thing VALUES ('f1', %s, %s) ON CONFLICT (name) DO UPDATE SET seen = excluded.seen",
                [name, word],
            )

    def rules(self, more: str = "", condition: str = "", group: str = "") -> tuple[rules.Group, ...]:
        """The rule Thing; `more` are further lines of it, `group` of its group."""
        found = condition or "SELECT factory, name AS thing, 1.5 AS value FROM thing WHERE seen = 'active'"
        self.path.write_text(
            f"groups:\n- name: things\n{group}  rules:\n  - alert: Thing\n    condition: >-\n      {found}\n"
            f"    known: SELECT name AS thing FROM thing WHERE seen <> 'unknown'\n{more}"
        )
        return rules.load([self.path])


@pytest.fixture
def things(shared: Database, rule_file: Path) -> Generator[Things]:
    """Three things and a rule over them."""
    found = Things(shared, rule_file)
    yield found
    found.connection.close()
