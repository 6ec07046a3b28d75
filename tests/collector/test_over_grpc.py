"""OTLP over gRPC against the real collector."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from gigawatch_collector.testing import running

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from gigawatch_collector.testing import Collector
    from gigawatch_database.testing import Database

    Gauge = Callable[..., ExportMetricsServiceRequest]

METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def call(
    collector: Collector, body: bytes, *, method: str = METRICS, compression: Any = grpc.Compression.NoCompression
) -> bytes:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(collector.grpc, options=options, compression=compression) as channel:
        return channel.unary_unary(method)(body, timeout=20)


def refused(collector: Collector, body: bytes, **options: Any) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        call(collector, body, **options)
    return caught.value


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_an_export_is_stored(shared_collector: Collector, gauge: Gauge, compression: Any) -> None:
    before = shared_collector.figures().get('stored_points_total{signal="metrics"}', 0)
    body = gauge(*range(50), hw_id=f"GPU-{compression}").SerializeToString()
    assert not ExportMetricsServiceResponse.FromString(call(shared_collector, body, compression=compression)).HasField(
        "partial_success"
    )
    assert shared_collector.figures()['stored_points_total{signal="metrics"}'] == before + 50


def test_an_empty_request_succeeds(shared_collector: Collector) -> None:
    assert call(shared_collector, b"") == b""
    assert call(shared_collector, b"", method=LOGS) == b""


def test_rejected_points_are_told(shared_collector: Collector, gauge: Gauge) -> None:
    request = gauge(1.0, 2.0)
    request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].time_unix_nano = 0
    said = ExportMetricsServiceResponse.FromString(call(shared_collector, request.SerializeToString())).partial_success
    assert said.rejected_data_points == 1
    assert "no_time" in said.error_message


def test_logs_are_taken_too(shared_collector: Collector, gauge: Gauge) -> None:
    metrics = gauge(1.0).resource_metrics[0]
    now = metrics.scope_metrics[0].metrics[0].gauge.data_points[0].time_unix_nano
    records = [{"event_name": "over.grpc", "time_unix_nano": now}, {}]
    arguments: dict[str, Any] = {
        "resource_logs": [{"resource": metrics.resource, "scope_logs": [{"log_records": records}]}]
    }
    answer = call(shared_collector, ExportLogsServiceRequest(**arguments).SerializeToString(), method=LOGS)
    assert ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records == 1


def test_bad_data_is_an_invalid_argument(shared_collector: Collector, gauge: Gauge) -> None:
    error = refused(shared_collector, b"not protobuf")
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "ExportMetricsServiceRequest" in error.details()
    stranger = gauge(1.0, resource={"gigawatch.factory.id": None}).SerializeToString()
    assert "gigawatch.factory.id is missing" in refused(shared_collector, stranger).details()


@pytest.mark.parametrize(
    ("body", "compression"),
    [
        (b"\0" * 1_500_000, grpc.Compression.NoCompression),
        (b"\0" * 100_000_000, grpc.Compression.Gzip),
        (gzip.compress(b"\0" * 100_000_000), grpc.Compression.NoCompression),
    ],
    ids=["large", "bomb", "bomb without its header"],
)
def test_a_message_over_the_limit_is_not_asked_for_again(
    shared_collector: Collector, body: bytes, compression: Any
) -> None:
    before = shared_collector.peak_memory()
    error = refused(shared_collector, body, compression=compression)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(error.trailing_metadata())
    assert shared_collector.peak_memory() - before < 30_000_000


def test_another_compression_is_not_implemented(shared_collector: Collector) -> None:
    error = refused(shared_collector, b"\0" * 1000, compression=grpc.Compression.Deflate)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def test_overload_says_when_to_come_again_in_both_places(database: Database, gauge: Gauge) -> None:
    with running(database.dsn, "--body-limit", "2000", "--budget", "2000") as collector:
        with collector.half_sent(b"\0" * 1900):
            error = refused(collector, gauge(*range(5)).SerializeToString())
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        metadata = dict(error.trailing_metadata())
        wait = RetryInfo.FromString(metadata["google.rpc.retryinfo-bin"])
        assert wait.retry_delay.seconds in {1, 2, 3}
        inside = RetryInfo()
        assert Status.FromString(metadata["grpc-status-details-bin"]).details[0].Unpack(inside)
        assert inside == wait


def test_without_a_database_the_service_is_unavailable(
    database: Database, gauge: Gauge, relay: Callable[[int], Any]
) -> None:
    port = re.search(r":(\d+)/", database.dsn)
    assert port is not None
    with relay(int(port[1])) as between:
        dsn = database.dsn.replace(f":{port[1]}/", f":{between.port}/")
        with running(dsn) as collector:
            between.stop()
            error = refused(collector, gauge(1.0).SerializeToString())
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "google.rpc.retryinfo-bin" in dict(error.trailing_metadata())


def test_grpc_can_be_off(database: Database) -> None:
    with running(database.dsn, "--grpc-port", "-1") as collector:
        assert collector.grpc == ""
