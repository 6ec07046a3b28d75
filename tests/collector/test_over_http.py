"""OTLP over HTTP against the real collector: what a conforming receiver must answer."""

from __future__ import annotations

import gzip
import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from gigawatch_collector.testing import ask, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from gigawatch_collector.testing import Collector, Reply
    from gigawatch_database.testing import Database

    Gauge = Callable[..., ExportMetricsServiceRequest]

PROTOBUF = "application/x-protobuf"


def status(reply: Reply) -> Status:
    assert reply.headers["content-type"] == PROTOBUF
    return Status.FromString(reply.body)


def test_full_success_leaves_partial_success_unset(shared_collector: Collector, gauge: Gauge) -> None:
    reply = shared_collector.post(gauge(1.0).SerializeToString())
    assert (reply.status, reply.headers["content-type"]) == (200, PROTOBUF)
    assert not ExportMetricsServiceResponse.FromString(reply.body).HasField("partial_success")


@pytest.mark.parametrize("signal", ["metrics", "logs"])
@pytest.mark.parametrize(("body", "is_json"), [(b"", False), (b"{}", True)])
def test_an_empty_request_succeeds(shared_collector: Collector, signal: str, body: bytes, *, is_json: bool) -> None:
    assert shared_collector.post(body, signal=signal, json=is_json).status == 200


def test_an_answer_is_in_the_encoding_of_its_request(shared_collector: Collector) -> None:
    reply = shared_collector.post(b"{}", json=True)
    assert (reply.headers["content-type"], json.loads(reply.body)) == ("application/json", {})
    refused = shared_collector.post(b'{"resourceMetrics": 7}', json=True)
    assert (refused.status, refused.headers["content-type"]) == (400, "application/json")
    said = json.loads(refused.body)
    assert said["code"] == 3
    assert "resourceMetrics must be an array" in said["message"]
    assert said["details"][0]["fieldViolations"][0]["field"] == "resourceMetrics"


def test_json_with_charset_is_json(shared_collector: Collector) -> None:
    reply = ask(f"{shared_collector.http}/v1/metrics", b"{}", {"content-type": "application/json; charset=utf-8"})
    assert reply.status == 200


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/logs"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_not_allowed(shared_collector: Collector, path: str, method: str) -> None:
    reply = ask(f"{shared_collector.http}{path}", None, {"content-type": PROTOBUF}, method)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert status(reply).code == 12


def test_an_unknown_path_is_not_found(shared_collector: Collector) -> None:
    reply = ask(f"{shared_collector.http}/v1/traces", b"", {"content-type": PROTOBUF})
    assert reply.status == 404
    assert "metrics go to /v1/metrics, events to /v1/logs" in status(reply).message


@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/plain"}, {"content-type": ""}, {"content-type": PROTOBUF, "content-encoding": "zstd"}],
)
def test_another_media_type_is_not_supported(shared_collector: Collector, headers: dict[str, str]) -> None:
    reply = ask(f"{shared_collector.http}/v1/metrics", b"x", headers)
    assert reply.status == 415
    assert b"Content-" in reply.body


@pytest.mark.parametrize("body", [b"\x0a\xff", b"not protobuf at all", b"\x0a\x05abc"])
def test_a_malformed_body_is_bad_data(shared_collector: Collector, body: bytes) -> None:
    reply = shared_collector.post(body)
    assert reply.status == 400
    assert "retry-after" not in reply.headers
    found = status(reply)
    assert found.code == 3
    assert "ExportMetricsServiceRequest" in found.message


@pytest.mark.parametrize("cut", [1, 9, -8, -1])
def test_a_gzip_body_cut_off_on_the_way_is_bad_data(shared_collector: Collector, gauge: Gauge, cut: int) -> None:
    content = gzip.compress(gauge(1.0).SerializeToString())[:cut]
    reply = ask(f"{shared_collector.http}/v1/metrics", content, {"content-type": PROTOBUF, "content-encoding": "gzip"})
    assert reply.status == 400
    assert "gzip" in status(reply).message


def test_a_body_over_the_limit_is_too_large(shared_collector: Collector) -> None:
    reply = shared_collector.post(b"\0" * 1_000_001)
    assert reply.status == 413
    found = status(reply)
    assert found.code == 8
    assert not found.details
    assert "1,000,000 bytes" in found.message


def test_a_gzip_bomb_is_refused_without_inflating_it(shared_collector: Collector) -> None:
    before = shared_collector.peak_memory()
    bomb = gzip.compress(b"\0" * 100_000_000)
    assert len(bomb) < 1_000_000
    reply = ask(f"{shared_collector.http}/v1/metrics", bomb, {"content-type": PROTOBUF, "content-encoding": "gzip"})
    assert reply.status == 413
    assert shared_collector.peak_memory() - before < 30_000_000


def test_rejected_points_are_told_with_count_and_reason(shared_collector: Collector, gauge: Gauge) -> None:
    request = gauge(1.0, 2.0, 3.0)
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
    points[0].time_unix_nano = 0
    points[1].time_unix_nano -= 27 * 3600 * 10**9
    reply = shared_collector.post(request.SerializeToString())
    assert reply.status == 200
    said = ExportMetricsServiceResponse.FromString(reply.body).partial_success
    assert said.rejected_data_points == 2
    assert "2 of 3 data points rejected" in said.error_message
    assert "no_time" in said.error_message
    assert "too_old" in said.error_message


def test_partial_success_in_json_is_lower_camel_case(shared_collector: Collector, gauge: Gauge) -> None:
    now = gauge(1.0).resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].time_unix_nano
    point = {"timeUnixNano": str(now), "asDouble": 1}
    body = {
        "resourceMetrics": [
            {
                "resource": {
                    "attributes": [
                        {"key": "gigawatch.factory.id", "value": {"stringValue": "sim-json"}},
                        {"key": "gigawatch.simulated", "value": {"boolValue": True}},
                    ]
                },
                "scopeMetrics": [{"metrics": [{"name": "x", "gauge": {"dataPoints": [point, {"asDouble": 1}]}}]}],
            }
        ]
    }
    reply = shared_collector.post(json.dumps(body).encode(), json=True)
    assert reply.status == 200
    said = json.loads(reply.body)["partialSuccess"]
    assert said["rejectedDataPoints"] == "1"
    assert "no_time" in said["errorMessage"]


def test_an_error_message_is_bounded(shared_collector: Collector, gauge: Gauge) -> None:
    request = gauge(1.0)
    for index in range(50):
        more = gauge(1.0, resource={"gigawatch.factory.id": f"{index}?" * 1000})
        request.resource_metrics.extend(more.resource_metrics)
    reply = shared_collector.post(request.SerializeToString())
    said = ExportMetricsServiceResponse.FromString(reply.body).partial_success
    assert said.rejected_data_points == 50
    assert len(reply.body) < 4000


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"gigawatch.factory.id": None}, "attribute gigawatch.factory.id is missing"),
        ({"gigawatch.factory.id": "jaif"}, "simulated telemetry for the real factory 'jaif'"),
        ({"gigawatch.simulated": False}, "set gigawatch.simulated = true"),
        ({"gigawatch.factory.id": "No Such"}, "is not a factory id"),
        ({"gigawatch.simulated": 1.0}, "attribute gigawatch.simulated must be a boolean"),
        ({"gigawatch.simulated": 1}, "attribute gigawatch.simulated must be a boolean"),
        ({"gigawatch.simulated": "yes"}, "attribute gigawatch.simulated must be a boolean"),
        (
            {"gigawatch.factory.id": "jaif", "gigawatch.simulated": 1.0},
            "attribute gigawatch.simulated must be a boolean",
        ),
        ({"host.name": "n" * 300}, "attribute host.name is longer than 255"),
    ],
)
def test_a_resource_that_may_not_send_is_refused(
    shared_collector: Collector, shared_database: Database, gauge: Gauge, resource: dict[str, object], words: str
) -> None:
    alone = shared_collector.post(gauge(1.0, resource=resource).SerializeToString())
    assert alone.status == 400
    assert words in status(alone).message
    both = gauge(1.0, resource={"host.name": "good"})
    both.resource_metrics.extend(gauge(1.0, 2.0, resource=resource).resource_metrics)
    reply = shared_collector.post(both.SerializeToString())
    assert reply.status == 200
    said = ExportMetricsServiceResponse.FromString(reply.body).partial_success
    assert said.rejected_data_points == 2
    assert words in said.error_message
    with shared_database.connect() as connection:
        refused = connection.execute("SELECT count(*) FROM factory WHERE factory_id !~ '^sim-'").fetchone()
    assert refused == (0,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": "mW"}, "its unit is 'W', not 'mW'"),
        ({"name": "hw.energy", "unit": "J"}, "it is a counter, not a gauge"),
        ({"resource": {"host.name": None}}, "the resource attribute host.name is missing"),
    ],
)
def test_what_is_stored_beside_the_contract_is_told_as_a_warning(
    shared_collector: Collector, gauge: Gauge, change: dict[str, Any], words: str
) -> None:
    reply = shared_collector.post(gauge(1.0, **change).SerializeToString())
    assert reply.status == 200
    said = ExportMetricsServiceResponse.FromString(reply.body).partial_success
    assert said.rejected_data_points == 0
    assert words in said.error_message


def test_a_body_without_a_declared_length_is_taken_up_to_the_limit(shared_collector: Collector, gauge: Gauge) -> None:
    def answer(body: bytes) -> int:
        parts = [body[at : at + 60_000] for at in range(0, len(body), 60_000)]
        connection = http.client.HTTPConnection(shared_collector.http.removeprefix("http://"), timeout=20)
        connection.request("POST", "/v1/metrics", iter(parts), {"content-type": PROTOBUF}, encode_chunked=True)
        reply = connection.getresponse()
        reply.read()
        connection.close()
        return reply.status

    exports = b"".join(gauge(*range(2000), hw_id=f"GPU-{index}").SerializeToString() for index in range(2))
    assert answer(exports) == 200
    assert answer(b"\0" * 1_200_000) == 413


def test_logs_tell_how_many_records_were_rejected(shared_collector: Collector, gauge: Gauge) -> None:
    metrics = gauge(1.0).resource_metrics[0]
    now = metrics.scope_metrics[0].metrics[0].gauge.data_points[0].time_unix_nano
    records = [{"event_name": "it.happened", "time_unix_nano": now}, {"time_unix_nano": now}]
    part = {"resource": metrics.resource, "scope_logs": [{"log_records": records}]}
    arguments: dict[str, Any] = {"resource_logs": [part]}
    body = ExportLogsServiceRequest(**arguments).SerializeToString()
    reply = shared_collector.post(body, signal="logs")
    assert reply.status == 200
    assert b"1 of 2 log records rejected" in reply.body
    assert b"no_event_name" in reply.body


def test_pages_tell_how_the_collector_is(shared_collector: Collector) -> None:
    assert ask(f"{shared_collector.http}/healthz").body == b"ok\n"
    assert ask(f"{shared_collector.http}/readyz").body == b"ready\n"
    assert shared_collector.figures()["database_up"] == 1
    assert ask(f"{shared_collector.http}/readyz", b"x", method="POST").status == 405


def test_the_figures_account_for_every_point(shared_collector: Collector, gauge: Gauge) -> None:
    body = gauge(*range(5), hw_id="GPU-accounted").SerializeToString()
    for _ in range(2):
        shared_collector.post(body)
    found = shared_collector.figures()

    def total(name: str) -> float:
        return sum(value for key, value in found.items() if key.startswith(f"{name}{{") and 'signal="metrics"' in key)

    fates = ["stored", "duplicate", "conflict", "rejected", "failed"]
    assert total("accepted_points_total") == sum(total(f"{fate}_points_total") for fate in fates)
    assert total("duplicate_points_total") >= 5
    assert total("in_flight_points") == 0
    assert found["in_flight_bytes"] == 0


def test_overload_is_told_before_the_body_is_read(
    database: Database, gauge: Gauge, relay: Callable[..., object]
) -> None:
    with running(database.dsn, "--body-limit", "1000", "--budget", "1000", "--body-timeout", "30") as collector:
        with collector.half_sent(b"\0" * 900):
            reply = collector.post(b"\0" * 200)
            assert reply.status == 503
            assert 1 <= int(reply.headers["retry-after"]) <= 3
            wait = RetryInfo()
            assert status(reply).details[0].Unpack(wait)
            assert wait.retry_delay.seconds == int(reply.headers["retry-after"])
        assert collector.post(gauge(1.0).SerializeToString()).status == 200
        assert collector.figures()['refused_requests_total{reason="overload"}'] == 1
