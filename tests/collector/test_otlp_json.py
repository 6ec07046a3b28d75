"""OTLP/JSON against protobuf's own JSON as oracle, where the two agree, and by its own rules where they do not."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gigawatch_collector.otlp_json import parse
from gigawatch_collector.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    Messages = Callable[[type[Message]], st.SearchStrategy[Any]]


def as_otlp_json(request: Any) -> dict[str, Any]:
    """Protobuf's JSON with OTLP's deviations: enums as integers, ids in hex."""
    return hexed(json_format.MessageToDict(request, use_integers_for_enums=True))


def hexed(document: Any) -> Any:
    if isinstance(document, list):
        return [hexed(entry) for entry in document]
    if not isinstance(document, dict):
        return document
    return {
        key: base64.b64decode(value).hex() if key in {"traceId", "spanId"} else hexed(value)
        for key, value in document.items()
    }


def test_any_message_comes_back_from_its_json(messages: Messages) -> None:
    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(request=messages(ExportMetricsServiceRequest))
    def metrics(request: ExportMetricsServiceRequest) -> None:
        found = parse(json.dumps(as_otlp_json(request)).encode(), ExportMetricsServiceRequest)
        assert str(found) == str(request)  # not the bytes: NaN has many, and JSON one

    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(request=messages(ExportLogsServiceRequest))
    def logs(request: ExportLogsServiceRequest) -> None:
        found = parse(json.dumps(as_otlp_json(request)).encode(), ExportLogsServiceRequest)
        assert str(found) == str(request)

    metrics()
    logs()


def point(**fields: Any) -> bytes:
    metric = {"name": "x", "gauge": {"dataPoints": [fields]}}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()


def first(body: bytes) -> Any:
    found = parse(body, ExportMetricsServiceRequest)
    return found.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]


def test_integers_come_as_text_or_number() -> None:
    assert first(point(timeUnixNano="1795434867696295400")).time_unix_nano == 1795434867696295400
    assert first(point(timeUnixNano=1795434867696295400)).time_unix_nano == 1795434867696295400
    assert first(point(asInt="-9223372036854775808")).as_int == -(2**63)


def test_zero_is_a_value_and_absent_is_none() -> None:
    assert first(point(asInt=0)).WhichOneof("value") == "as_int"
    assert first(point(asDouble=0)).WhichOneof("value") == "as_double"
    assert first(point(asDouble=None)).WhichOneof("value") is None


@pytest.mark.parametrize("body", [point(unknown=[{"deep": 1}], asInt=1), point(as_int=1, asInt=1)])
def test_unknown_fields_are_ignored(body: bytes) -> None:
    assert first(body).as_int == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "the body must be an object"),
        (b'{"a":', "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"resourceMetrics": {}}', "resourceMetrics must be an array"),
        (point(timeUnixNano="soon"), "timeUnixNano must be an integer"),
        (point(timeUnixNano=-1), "timeUnixNano must be an integer"),
        (point(timeUnixNano=2**64), "timeUnixNano must be an integer"),
        (point(timeUnixNano=True), "timeUnixNano must be an integer"),
        (point(asDouble="warm"), "asDouble must be a number"),
        (point(attributes=[{"key": 1}]), "key must be text"),
        (point(exemplars=[{"traceId": "zz"}]), "traceId must be hexadecimal"),
        (point(attributes=[{"value": {"bytesValue": "!"}}]), "bytesValue must be base64"),
    ],
)
def test_what_has_the_wrong_form_is_refused_by_the_name_of_its_field(body: bytes, words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        parse(body, ExportMetricsServiceRequest)
    assert caught.value.http == 400


def test_an_enum_is_an_integer_and_no_name() -> None:
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"sum": {"aggregationTemporality": "CUMULATIVE"}}]}]}]}
    with pytest.raises(Refusal, match="aggregationTemporality must be an integer"):
        parse(json.dumps(body).encode(), ExportMetricsServiceRequest)


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "resourceMetrics",
                        "scopeMetrics",
                        "metrics",
                        "gauge",
                        "dataPoints",
                        "asInt",
                        "attributes",
                        "value",
                    ]
                ),
                s,
            )
        ),
        max_leaves=30,
    )
)
def test_any_json_is_a_message_or_refused(body: Any) -> None:
    with suppress(Refusal):
        parse(json.dumps(body).encode(), ExportMetricsServiceRequest)


def test_nesting_has_an_end() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(Refusal, match="deeper than"):
        parse(point(attributes=[{"key": "a", "value": value}]), ExportMetricsServiceRequest)
