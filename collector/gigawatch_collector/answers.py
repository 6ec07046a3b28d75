"""Answers as OTLP wants them: a response message, or google.rpc.Status, in the encoding of the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

if TYPE_CHECKING:
    from gigawatch_collector.decode import Encoding, Signal
    from gigawatch_collector.refusal import Refusal

CONTENT_TYPES: Final[dict[Encoding, str]] = {"protobuf": "application/x-protobuf", "json": "application/json"}
TYPE_PREFIX: Final = "type.googleapis.com/"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a sender whose request is dealt with: all of it stored, or some of it rejected and why."""

    rejected: int = 0
    message: str = ""

    def encode(self, signal: Signal, encoding: Encoding) -> bytes:
        """The body of the response: empty when there is nothing to say."""
        count = "rejected_data_points" if signal == "metrics" else "rejected_log_records"
        if encoding == "json":
            name = "rejectedDataPoints" if signal == "metrics" else "rejectedLogRecords"
            said = {"partialSuccess": {name: str(self.rejected), "errorMessage": self.message}}
            return orjson.dumps(said if self.message else {})
        response = ExportMetricsServiceResponse() if signal == "metrics" else ExportLogsServiceResponse()
        if self.message:
            response.partial_success.error_message = self.message
            setattr(response.partial_success, count, self.rejected)
        return response.SerializeToString()


def status(refusal: Refusal, encoding: Encoding) -> bytes:
    """A refusal as google.rpc.Status."""
    if encoding == "json":
        details: list[dict[str, Any]] = []
        if refusal.retry_after is not None:
            details.append({"@type": f"{TYPE_PREFIX}google.rpc.RetryInfo", "retryDelay": f"{refusal.retry_after}s"})
        if refusal.field is not None:
            violation = {"field": refusal.field, "description": refusal.message}
            details.append({"@type": f"{TYPE_PREFIX}google.rpc.BadRequest", "fieldViolations": [violation]})
        return orjson.dumps({"code": refusal.code, "message": refusal.message, "details": details})
    return proto_status(refusal).SerializeToString()


def proto_status(refusal: Refusal) -> Status:
    """A refusal as the message that google.rpc.Status is."""
    found = Status(code=refusal.code, message=refusal.message)
    if refusal.retry_after is not None:
        found.details.add().Pack(retry_info(refusal.retry_after))
    if refusal.field is not None:
        violation = BadRequest.FieldViolation(field=refusal.field, description=refusal.message)
        found.details.add().Pack(BadRequest(field_violations=[violation]))
    return found


def retry_info(seconds: int) -> RetryInfo:
    """How long to wait."""
    found = RetryInfo()
    found.retry_delay.FromSeconds(seconds)
    return found
