"""What was acknowledged is stored: through kills, a database that goes away, overload, poison, and the end."""

from __future__ import annotations

import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_collector.testing import ask, running, start
from gigawatch_database import embedded
from gigawatch_database.connect import connect
from gigawatch_database.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from gigawatch_collector.testing import Collector
    from gigawatch_database.testing import Database

    Gauge = Callable[..., ExportMetricsServiceRequest]

SECOND = 10**9


@dataclass
class Load:
    """Senders that send export after export, each once, and note which were acknowledged."""

    gauge: Gauge
    senders: int
    points: int = 4
    collector: Collector | None = None
    begin: int = field(default_factory=lambda: time.time_ns() - 25 * 3600 * SECOND)
    acknowledged: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    unsure: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    statuses: set[int] = field(default_factory=set[int])
    _next: list[int] = field(default_factory=list[int])

    def body(self, sender: int, number: int) -> bytes:
        first = self.begin + number * self.points * SECOND
        resource = {"host.name": f"n{sender}"}
        values = [float(number)] * self.points
        return self.gauge(*values, time_ns=first, hw_id=f"GPU-{sender}", resource=resource).SerializeToString()

    def post(self, sender: int, number: int) -> None:
        assert self.collector is not None
        try:
            status = self.collector.post(self.body(sender, number)).status
        except OSError:
            self.unsure.add((sender, number))
            return
        self.statuses.add(status)
        if status == 200:
            self.acknowledged.add((sender, number))
        else:
            self.unsure.add((sender, number))
            time.sleep(0.05)

    @contextmanager
    def on(self, collector: Collector) -> Generator[None]:
        """The load while the context lasts."""
        self.collector = collector
        self._next = self._next or [0] * self.senders
        ended = threading.Event()

        def send(sender: int) -> None:
            while not ended.is_set():
                self.post(sender, self._next[sender])
                self._next[sender] += 1

        with ThreadPoolExecutor(self.senders) as pool:
            work = [pool.submit(send, sender) for sender in range(self.senders)]
            try:
                yield
            finally:
                ended.set()
            for one in work:
                one.result()

    def repeat(self, collector: Collector) -> None:
        """Send again what was not acknowledged, until it is."""
        self.collector = collector
        while self.unsure:
            waiting, self.unsure = self.unsure, set()
            for sender, number in sorted(waiting):
                self.post(sender, number)

    def wait(self, acknowledged: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.acknowledged) < acknowledged:
            assert time.monotonic() < deadline, f"only {len(self.acknowledged)} exports were acknowledged"
            time.sleep(0.005)

    def stored(self, connection: Any) -> set[tuple[int, int]]:
        """The exports that are in the database whole."""
        rows = connection.execute(
            "SELECT substr(host_name, 2)::int, power::int, count(*) FROM accelerator_reading GROUP BY 1, 2"
        ).fetchall()
        assert all(count == self.points for _, _, count in rows), "half an export is stored"
        return {(sender, number) for sender, number, _ in rows}


def kill_again_and_again(database: Database, gauge: Gauge, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    load = Load(gauge, senders=3)
    for _ in range(kills):
        collector = start(database.dsn)
        try:
            with load.on(collector):
                load.wait(len(load.acknowledged) + chance.randint(10, 40))
                collector.kill()
        finally:
            collector.close()
        with database.connect() as connection:
            assert load.acknowledged <= load.stored(connection)
    assert load.unsure
    with running(database.dsn) as collector:
        load.repeat(collector)
        some = chance.sample(sorted(load.acknowledged), 20)
        for one in some:
            load.post(*one)
        found = collector.figures()
    with database.connect() as connection:
        assert load.stored(connection) == load.acknowledged
    assert found['conflict_points_total{signal="metrics"}'] == 0
    assert found['duplicate_points_total{signal="metrics"}'] >= 20 * load.points
    assert load.statuses == {200}


def test_a_killed_collector_loses_nothing_that_was_acknowledged(database: Database, gauge: Gauge) -> None:
    kill_again_and_again(database, gauge, kills=2, seed=3)


@pytest.mark.soak
def test_a_collector_killed_many_times_loses_nothing(database: Database, gauge: Gauge) -> None:
    kill_again_and_again(database, gauge, kills=60, seed=4)


def stop_again_and_again(folder: Path, gauge: Gauge, relay: Callable[[int], Any], rounds: int) -> None:
    load = Load(gauge, senders=2)
    options: dict[str, Any] = {"timescale": False, "report": lambda _: None}
    with embedded.running(folder, **options) as server:
        with connect(server.dsn, application_name="test") as connection:
            migrate(connection, report=lambda _: None)
        port = port_of(server.dsn)
        with relay(port) as between, running(server.dsn.replace(f":{port}/", f":{between.port}/")) as collector:
            for _ in range(rounds):
                with load.on(collector):
                    load.wait(len(load.acknowledged) + 20)
                    between.stop()
                    embedded.stop(folder)
                    until(lambda: 503 in load.statuses)
                    refused = collector.post(load.body(0, 10**5))
                    assert (refused.status, refused.headers["retry-after"] in "123") == (503, True)
                    assert ask(f"{collector.http}/healthz").status == 200
                    until(lambda: ask(f"{collector.http}/readyz").status == 503)
                    assert b"database" in ask(f"{collector.http}/readyz").body
                    with embedded.running(folder, **options) as again:
                        embedded.start(folder, **options)  # keep it after this context
                        between.resume(port_of(again.dsn))
                    until(lambda: ask(f"{collector.http}/readyz").status == 200)
                    load.wait(len(load.acknowledged) + 20)
                load.repeat(collector)
            assert load.statuses == {200, 503}
            assert accounted(collector)
            found = embedded.find(folder)
            assert found is not None
            with connect(found.dsn, application_name="test") as connection:
                assert load.stored(connection) == load.acknowledged
        embedded.stop(folder)


def port_of(dsn: str) -> int:
    found = re.search(r":(\d+)/", dsn)
    assert found is not None
    return int(found[1])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass within a minute"
        time.sleep(0.02)


def accounted(collector: Collector) -> bool:
    """Whether every point that was decoded has come to one end."""
    found = collector.figures()

    def total(name: str) -> float:
        return sum(value for key, value in found.items() if key.startswith(f"{name}{{") and 'signal="metrics"' in key)

    ends = ["stored", "duplicate", "conflict", "rejected", "failed"]
    return total("accepted_points_total") == sum(total(f"{end}_points_total") for end in ends) + total(
        "in_flight_points"
    )


@pytest.fixture
def database_folder(server_folder: Path) -> Path:
    return server_folder / "comes-and-goes"


def test_a_database_that_stops_and_comes_back_loses_nothing(
    database_folder: Path, gauge: Gauge, relay: Callable[[int], Any]
) -> None:
    stop_again_and_again(database_folder, gauge, relay, rounds=1)


@pytest.mark.soak
def test_a_database_that_stops_many_times_loses_nothing(
    database_folder: Path, gauge: Gauge, relay: Callable[[int], Any]
) -> None:
    stop_again_and_again(database_folder, gauge, relay, rounds=10)


def test_a_connection_that_was_cut_is_made_anew_before_the_sender_hears_of_it(database: Database, gauge: Gauge) -> None:
    with running(database.dsn) as collector, database.connect() as connection:
        assert collector.post(gauge(1.0).SerializeToString()).status == 200
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gigawatch collector'"
        )
        assert collector.post(gauge(2.0).SerializeToString()).status == 200


@contextmanager
def held(database: Database, table: str) -> Generator[None]:
    """A table that nobody else can write to while the context lasts."""
    with database.connect() as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")  # pyright: ignore[reportCallIssue, reportArgumentType] - a literal of the tests
        yield


def test_what_is_in_flight_at_the_end_is_answered_and_stored(database: Database, gauge: Gauge) -> None:
    with running(database.dsn) as collector, ThreadPoolExecutor(5) as pool:
        assert collector.post(gauge(0.0, hw_id="GPU-first").SerializeToString()).status == 200
        with held(database, "accelerator_sample"):
            bodies = [gauge(1.0, hw_id=f"GPU-{index}").SerializeToString() for index in range(4)]
            replies = [pool.submit(collector.post, body) for body in bodies]
            until(lambda: collector.figures().get('in_flight_points{signal="metrics"}') == 4)
            ended = pool.submit(collector.stop)
            until(ended.running)
            time.sleep(0.3)
        assert [reply.result().status for reply in replies] == [200] * 4
        assert ended.result() == 0
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM accelerator_sample").fetchone() == (5,)


def test_a_poisonous_request_harms_nobody_who_waits_beside_it(database: Database, gauge: Gauge) -> None:
    with database.connect() as connection:
        connection.execute("ALTER TABLE accelerator_sample ADD CHECK (power < 5000)")
    with running(database.dsn) as collector, ThreadPoolExecutor(9) as pool:
        assert collector.post(gauge(0.0, hw_id="GPU-first").SerializeToString()).status == 200
        with held(database, "accelerator_sample"):
            values = [6000.0 if index in {2, 5} else float(index) for index in range(8)]
            bodies = [gauge(value, hw_id=f"GPU-{index}").SerializeToString() for index, value in enumerate(values)]
            replies = [pool.submit(collector.post, body) for body in bodies]
            until(lambda: collector.figures().get('in_flight_points{signal="metrics"}') == 8)
        assert [reply.result().status for reply in replies] == [400 if value == 6000 else 200 for value in values]
        assert accounted(collector)
        assert any("CheckViolation" in line for line in collector.log)
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM accelerator_sample").fetchone() == (7,)


def test_overload_is_refused_and_what_is_taken_is_stored(database: Database, gauge: Gauge) -> None:
    load = Load(gauge, senders=8, points=100)
    size = str(3 * len(load.body(0, 0)))
    with running(database.dsn, "--budget", size, "--body-limit", size) as collector:
        with load.on(collector):
            with held(database, "accelerator_sample"):
                until(lambda: 503 in load.statuses)
                assert ask(f"{collector.http}/healthz").status == 200
            load.wait(10)
        load.repeat(collector)
        assert load.statuses == {200, 503}
        assert accounted(collector)
        assert collector.figures()["in_flight_bytes"] == 0
    with database.connect() as connection:
        assert load.stored(connection) == load.acknowledged
