"""A collector on a real database of each grade, and exports to send to it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gigawatch_collector import testing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from google.protobuf.message import Message

    from gigawatch_database.testing import Database, Server


# The short forms are the same at each run, and take the time they take on a busy machine.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")


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


def build_messages(message: type[Message]) -> st.SearchStrategy[Any]:
    """Any message of a type, with every field that it may have, within the depth that a sender would use."""
    return _message(message.DESCRIPTOR, message, 0)


def _message(descriptor: Any, message: Any, depth: int) -> st.SearchStrategy[Any]:
    fields = {
        field.name: st.lists(_value(field, depth), min_size=field.name in SPINE, max_size=2)
        if field.is_repeated
        else _value(field, depth)
        for field in descriptor.fields
        if field.message_type is None or depth < DEPTHS.get(field.message_type.name, 12)
    }
    spine = {name: value for name, value in fields.items() if name in SPINE}
    rest = {name: value for name, value in fields.items() if name not in SPINE}
    given = st.fixed_dictionaries(spine, optional=rest).map(_one_of_each(descriptor))
    return given.map(lambda found: message(**found)) if message else given


def _one_of_each(descriptor: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Keeps one field of each oneof, as a message does."""

    def keep(found: dict[str, Any]) -> dict[str, Any]:
        groups = [[field.name for field in one.fields] for one in descriptor.oneofs]
        drop = {name for names in groups for name in [name for name in names if name in found][1:]}
        return {name: value for name, value in found.items() if name not in drop}

    return keep


SPINE = {"resource_metrics", "scope_metrics", "metrics", "data_points", "resource_logs", "scope_logs", "log_records"}
"""Fields without which a message says nothing."""
DEPTHS = {"AnyValue": 9, "ArrayValue": 8, "KeyValueList": 8}


def _value(field: Any, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return st.deferred(lambda: _message(field.message_type, None, depth + 1))
    kinds: dict[Any, st.SearchStrategy[Any]] = {
        field.CPPTYPE_STRING: st.text(max_size=8) if field.type == field.TYPE_STRING else st.binary(max_size=4),
        field.CPPTYPE_BOOL: st.booleans(),
        field.CPPTYPE_DOUBLE: st.floats(),
        field.CPPTYPE_FLOAT: st.floats(width=32),
        field.CPPTYPE_ENUM: st.integers(0, 2),
        field.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        field.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
        field.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        field.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    }
    return kinds[field.cpp_type]


@pytest.fixture(scope="session")
def messages() -> Callable[[type[Message]], st.SearchStrategy[Any]]:
    """Any message of a type."""
    return build_messages
