"""A reading set in a snapshot is the reading in the database, in unit and type, over every transport, on each grade."""

from __future__ import annotations

import itertools
import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

from gigawatch_collector import testing
from gigawatch_contract import metrics as contract
from gigawatch_exporters.points import metrics_data, values
from gigawatch_exporters.snapshot import AcceleratorReading, NodeIdentity, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from gigawatch_database.testing import Database, Server

METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
numbers = itertools.count()
Running = tuple[testing.Collector, "Database"]


@pytest.fixture(scope="module", params=["apache", "plain"])
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    server: Server = request.getfixturevalue("timescale" if request.param == "apache" else "plain_server")
    with ExitStack() as stack:
        database = stack.enter_context(server.database())
        collector = stack.enter_context(testing.running(database.dsn))
        assert collector.grade == request.param
        yield collector, database


def reading(metric: contract.Metric) -> st.SearchStrategy[float | int]:
    """A value that the metric's column can hold."""
    if metric.type.startswith("float"):
        return st.floats(allow_nan=False, allow_infinity=False, width=32 if metric.type == "float4" else 64)
    bits = {"int2": 15, "int4": 31, "int8": 63}[metric.type]
    return st.integers(0, 2**bits - 1)


def readings(table: contract.Table) -> st.SearchStrategy[dict[str, float | int]]:
    known = [metric for metric in contract.columns(table) if not metric.column.startswith("status_")]
    return st.fixed_dictionaries(
        {}, optional={metric.column: reading(metric) for metric in known if metric.column != "reading_age"}
    )


accelerators = st.builds(
    AcceleratorReading,
    hw_id=st.uuids().map(lambda uuid: f"GPU-{uuid}"),
    model=st.sampled_from(["H100", "MI300X"]),
    state=st.sampled_from(sorted(contract.STATES)),
    age=st.floats(0, 100, width=32),
    values=readings("accelerator"),
)
snapshots = st.tuples(
    st.lists(accelerators, max_size=3, unique_by=lambda one: one.hw_id), readings("node"), st.integers(0, 10**9)
)


def over_http(collector: testing.Collector, request: ExportMetricsServiceRequest) -> None:
    assert collector.post(request.SerializeToString(), gzipped=True).status == 200


def over_json(collector: testing.Collector, request: ExportMetricsServiceRequest) -> None:
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    assert collector.post(json.dumps(document).encode(), json=True).status == 200


def over_grpc(collector: testing.Collector, request: ExportMetricsServiceRequest) -> None:
    with grpc.insecure_channel(collector.grpc) as channel:
        channel.unary_unary(METHOD)(request.SerializeToString(), timeout=20)


@pytest.mark.parametrize("send", [over_http, over_json, over_grpc])
def test_any_snapshot_is_the_same_row(running: Running, send: Any) -> None:
    collector, database = running
    with database.connect() as connection:

        @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(found=snapshots)
        def check(found: tuple[list[AcceleratorReading], dict[str, float | int], int]) -> None:
            identity = NodeIdentity(
                factory="sim-snap",
                host_name=f"n{next(numbers)}",
                simulated=True,
                rack="r1",
                accelerator_ids=tuple(one.hw_id for one in found[0]),
                accelerator_models=tuple(one.model for one in found[0]),
            )
            now = time.time_ns() - found[2]
            snapshot = Snapshot(
                time_unix_nano=now,
                counters_since_unix_nano=now - 10**12,
                accelerators=tuple(found[0]),
                node=found[1],
            )
            send(collector, encode_metrics(metrics_data(identity, snapshot)))
            host = identity.host_name
            rows = read(connection, "accelerator", host)
            assert rows == {
                one.hw_id: expected("accelerator", values(one), now) | {"index": index, "model": one.model}
                for index, one in enumerate(found[0])
            }
            node = read(connection, "node", host).get(host)
            if found[1] or found[0]:
                assert node == expected("node", found[1], now)
            else:
                assert node is None

        check()


def expected(table: contract.Table, found: Any, now: int) -> dict[str, Any]:
    """The row that a reading must become; a counter alone says since when it counts."""
    kept: dict[str, Any] = {}
    for metric in contract.columns(table):
        value = found.get(metric.column)
        kept[metric.column] = np.float32(value) if value is not None and metric.type == "float4" else value
    counted = any(
        found.get(metric.column) is not None for metric in contract.columns(table) if metric.kind == "counter"
    )
    return kept | {"time": now // 1000, "since": (now - 10**12) // 1000 if counted else None}


def read(connection: Any, table: contract.Table, host: str) -> dict[str, dict[str, Any]]:
    names = [metric.column for metric in contract.columns(table)]
    types = {metric.column: metric.type for metric in contract.columns(table)}
    facts = "hw_id, accelerator_index, model" if table == "accelerator" else "host_name"
    time_of = "(extract(epoch FROM {}) * 1000000)::int8"
    rows = connection.execute(
        f"SELECT {time_of.format('time')}, {time_of.format('counters_since')}, {', '.join(names)}, {facts}"
        f" FROM {table}_reading WHERE host_name = %s",
        [host],
    ).fetchall()
    found: dict[str, dict[str, Any]] = {}
    for moment, since, *cells in rows:
        row = dict(zip(names, cells, strict=False))
        for column, value in row.items():
            if value is not None and types[column] == "float4":
                row[column] = np.float32(value)
        thing = cells[len(names)]
        found[thing] = row | {"time": moment, "since": since}
        if table == "accelerator":
            found[thing] |= {"index": cells[-2], "model": cells[-1]}
    return found


def test_simulated_telemetry_says_so_wherever_it_is_read(running: Running) -> None:
    collector, database = running
    identity = NodeIdentity(factory="sim-said", host_name="n1", simulated=True)
    now = time.time_ns()
    one = AcceleratorReading(hw_id="GPU-0", model="H100", state="ok", age=0.0, values={"power": 1.0})
    snapshot = Snapshot(time_unix_nano=now, counters_since_unix_nano=now, accelerators=(one,))
    over_http(collector, encode_metrics(metrics_data(identity, snapshot)))
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT simulated FROM accelerator_reading WHERE factory_id = 'sim-said'"
        ).fetchall()
    assert rows == [(True,)]
