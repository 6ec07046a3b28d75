"""From a body to a batch. Pure: what comes in is bytes and the span of times that is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gigawatch_collector import otlp_json, refusal
from gigawatch_collector.events import decode_logs
from gigawatch_collector.points import decode_metrics

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from gigawatch_collector.batch import Batch
    from gigawatch_collector.window import Window

    M = TypeVar("M", bound=Message)

Signal = Literal["metrics", "logs"]
Encoding = Literal["protobuf", "json"]


def decode(signal: Signal, encoding: Encoding, body: bytes, window: Window) -> Batch:
    """What a request says.

    Raises:
        Refusal: the body is not an export of this signal.
    """
    if signal == "metrics":
        return decode_metrics(_parse(encoding, body, ExportMetricsServiceRequest), window)
    return decode_logs(_parse(encoding, body, ExportLogsServiceRequest), window)


def _parse(encoding: Encoding, body: bytes, message: type[M]) -> M:
    if encoding == "json":
        return otlp_json.parse(body, message)
    try:
        return message.FromString(body)
    except DecodeError as error:
        raise refusal.malformed(f"the body is not an {message.DESCRIPTOR.name}: {error}") from error
