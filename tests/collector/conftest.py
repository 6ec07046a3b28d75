"""A collector on a real database of each grade, and exports to send to it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gigawatch_collector import testing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from gigawatch_database.testing import Database, Server


@pytest.fixture(params=["apache", "plain"])
def each_database(request: pytest.FixtureRequest) -> Database:
    """A fresh migrated database of each grade that runs here."""
    return request.getfixturevalue("database" if request.param == "apache" else "plain_database")


@pytest.fixture
def collector(database: Database) -> Iterator[testing.Collector]:
    """A collector on a fresh database."""
    with testing.running(database.dsn) as found:
        yield found


@pytest.fixture(scope="module")
def shared_database(timescale: Server) -> Iterator[Database]:
    """One database for all tests of a module."""
    with timescale.database() as database:
        yield database


@pytest.fixture(scope="module")
def shared_collector(shared_database: Database) -> Iterator[testing.Collector]:
    """One collector for all tests of a module, with small limits."""
    with testing.running(shared_database.dsn, "--body-limit", "1000000") as found:
        yield found


def build_gauge(
    *values: float,
    name: str = "hw.power",
    unit: str = "W",
    time_ns: int | None = None,
    hw_id: str | None = "GPU-0",
    resource: dict[str, Any] | None = None,
    **attributes: str,
) -> ExportMetricsServiceRequest:
    """An export of one gauge, a point for each value, a second apart."""
    named = {"gigawatch.factory.id": "sim-test", "gigawatch.simulated": True, "host.name": "n1"} | (resource or {})
    first = time.time_ns() - len(values) * 10**9 if time_ns is None else time_ns
    given = ({"hw.type": "gpu"} if name == "hw.power" else {}) | ({"hw.id": hw_id} if hw_id else {}) | attributes
    points = [
        {"time_unix_nano": first + index * 10**9, "as_double": value, "attributes": build_attributes(given)}
        for index, value in enumerate(values)
    ]
    metric = {"name": name, "unit": unit, "gauge": {"data_points": points}}
    part = {
        "resource": {"attributes": build_attributes({key: value for key, value in named.items() if value is not None})},
        "scope_metrics": [{"scope": {"name": "test", "version": "1"}, "metrics": [metric]}],
    }
    arguments: dict[str, Any] = {"resource_metrics": [part]}
    return ExportMetricsServiceRequest(**arguments)


def build_attributes(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as protobuf's constructors take them."""
    kinds = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in found.items()]


@pytest.fixture(scope="session")
def gauge() -> Callable[..., ExportMetricsServiceRequest]:
    """Builds an export of one gauge."""
    return build_gauge


@pytest.fixture(scope="session")
def attributes() -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """Builds attributes."""
    return build_attributes


@dataclass
class Relay:
    """A TCP relay to a port of this machine that can be cut, as a database can go away and come back elsewhere."""

    target: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    pairs: list[socket.socket] = field(default_factory=list[socket.socket])
    cut: bool = False

    @property
    def port(self) -> int:
        return self.listener.getsockname()[1]

    def stop(self) -> None:
        """Reset all connections and refuse new ones."""
        self.cut = True
        for one in self.pairs:
            shut(one)
        self.pairs.clear()

    def resume(self, target: int | None = None) -> None:
        """Take connections again."""
        self.target = target or self.target
        self.cut = False

    def serve(self) -> None:
        while True:
            try:
                incoming, _ = self.listener.accept()
            except OSError:
                return
            if self.cut:
                incoming.close()
                continue
            outgoing = socket.create_connection(("127.0.0.1", self.target))
            self.pairs += [incoming, outgoing]
            for pair in ((incoming, outgoing), (outgoing, incoming)):
                threading.Thread(target=pump, args=pair, daemon=True).start()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on what comes until one side ends."""
    with suppress(OSError):
        while content := source.recv(65536):
            sink.sendall(content)
    shut(source)
    shut(sink)


def shut(one: socket.socket) -> None:
    """Close a socket that another thread may be reading."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def relaying(target: int) -> Generator[Relay]:
    """A relay while the context lasts."""
    relay = Relay(target)
    thread = threading.Thread(target=relay.serve, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.stop()
        shut(relay.listener)
        thread.join(5)


@pytest.fixture(scope="session")
def relay() -> Callable[[int], Any]:
    """Makes a relay to a port."""
    return relaying
