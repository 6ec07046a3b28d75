"""A reading set in the library is the reading in the database, in unit and type, for every metric of the contract.

The path is whole: a compiled NVML library, the real exporter process, the real collector, TimescaleDB. The exporter
speaks HTTP; over gRPC go the very bytes that it sent.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from gigawatch_collector import testing as collectors
from gigawatch_contract.metrics import STATES, Metric, columns
from gigawatch_exporters.fake.scene import READINGS, Scene
from gigawatch_exporters.fake.state import AcceleratorState, NodeState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gigawatch_database.testing import Server

METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
MODEL = "NVIDIA H100 80GB HBM3"
READ = [metric for metric in columns("accelerator") if metric.column[:7] not in {"status_", "reading"}]


def reading(metric: Metric) -> st.SearchStrategy[float | int]:
    """A value that NVML can give for a metric, in the contract's unit."""
    if metric.unit == "1":
        return st.integers(0, 100).map(lambda percent: percent / 100)
    if metric.unit == "Hz":
        return st.integers(0, 5000).map(lambda megahertz: megahertz * 10**6)
    if metric.unit == "Cel":
        return st.integers(0, 150)
    if metric.unit in {"W", "J"}:
        return st.integers(0, 2**31).map(lambda milli: milli / 1000)
    if metric.unit == "s":
        return st.integers(0, 2**50).map(lambda nanoseconds: nanoseconds / 10**9)
    kibi = 1024 if metric.column.startswith("nvlink") else 1
    return st.integers(0, 2**50).map(lambda number: number * kibi)


def node(readings: list[dict[str, Any]]) -> NodeState:
    """A node of as many accelerators."""
    return NodeState(
        accelerators=tuple(
            AcceleratorState(hw_id=f"GPU-{index}", model=MODEL, pci_bus_id=f"0000:0{index}:00.0", readings=each)
            for index, each in enumerate(readings)
        )
    )


NODES = st.lists(
    st.fixed_dictionaries({metric.column: st.none() | reading(metric) for metric in READ}), min_size=2, max_size=2
).map(node)


def as_stored(metric: Metric, value: float | None) -> float | int | None:
    """What a column gives back: a float4 column keeps 24 bits, and tells the shortest decimal that names them."""
    return float(str(np.float32(value))) if value is not None and metric.type == "float4" else value


class Chain:
    """Shows a state at one end, and reads the row at the other."""

    def __init__(self, scene: Scene, connection: psycopg.Connection[Any]) -> None:
        self._scene = scene
        self._rows = connection.cursor(row_factory=dict_row)

    def play(self, state: NodeState) -> dict[str, dict[str, Any]]:
        """The first rows whose readings were made after the state was shown, by accelerator."""
        self._scene.show(state)
        shown = time.time() + 0.1  # a reading that began before may end after
        deadline = shown + 30
        while time.time() < deadline:
            rows = self._rows.execute(
                "SELECT * FROM accelerator_reading WHERE time - reading_age * interval '1 s' > to_timestamp(%s)"
                " ORDER BY time LIMIT 2",
                [shown],
            ).fetchall()
            if len(rows) == 2 and rows[0]["time"] == rows[1]["time"]:
                return {row["hw_id"]: row for row in rows}
            time.sleep(0.02)
        raise TimeoutError("no row of the new state came")


def relay(scene: Scene, address: str) -> Callable[[str], tuple[int, dict[str, str]]]:
    """Hands each export that the receiver gets on to a collector's gRPC, as it came."""
    channel = grpc.insecure_channel(address)
    handed: set[int] = set()

    def hand_on(path: str) -> tuple[int, dict[str, str]]:
        for number, export in enumerate(list(scene.receiver.exports)):
            if export.metrics and number not in handed:
                channel.unary_unary(METHOD)(export.metrics.SerializeToString(), timeout=20)
                handed.add(number)
        return 200, {}

    return hand_on


@pytest.fixture(scope="module", params=["http", "grpc"])
def chain(
    request: pytest.FixtureRequest, library: Path, timescale: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chain]:
    with ExitStack() as stack:
        database = stack.enter_context(timescale.database())
        collector = stack.enter_context(collectors.running(database.dsn))
        scene = stack.enter_context(Scene(library, tmp_path_factory.mktemp("scene")))
        if request.param == "grpc":
            scene.receiver.answer = relay(scene, collector.grpc)
        endpoint = ("--endpoint", collector.http) if request.param == "http" else ()
        scene.show(node([dict(READINGS), dict(READINGS)]))
        scene.start("--interval", "0.2", *endpoint)
        yield Chain(scene, stack.enter_context(psycopg.connect(database.dsn, autocommit=True)))


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.function_scoped_fixture),
)
@given(state=NODES)
def test_what_the_library_shows_is_the_row(chain: Chain, state: NodeState) -> None:
    rows = chain.play(state)
    for accelerator in state.accelerators:
        row = rows[accelerator.hw_id]
        assert row["factory_id"] == "sim-test"
        assert row["simulated"] is True
        assert row["host_name"] == "node-1"
        assert row["model"] == MODEL
        expected = {metric.column: as_stored(metric, accelerator.readings.get(metric.column)) for metric in READ}
        assert {column: row[column] for column in expected} == expected
        assert {state: row[f"status_{state}"] for state in STATES} == {state: int(state == "ok") for state in STATES}
        assert {name: type(row[name]) for name, value in expected.items() if value is not None} == {
            metric.column: float if metric.type.startswith("float") else int
            for metric in READ
            if expected[metric.column] is not None
        }
