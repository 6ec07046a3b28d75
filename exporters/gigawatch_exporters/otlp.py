"""OTLP over HTTP through the OpenTelemetry SDK's exporters, cut in two: what they would send now, and the sending later.

The exporters encode and compress, and decide address, headers, certificates and proxies (their environment variables
OTEL_EXPORTER_OTLP_… hold). They send over a session whose adapter keeps the request, so that it can go to the spool.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import requests
from google.protobuf.message import DecodeError
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from requests.adapters import HTTPAdapter

from gigawatch_contract.events import EVENT_ID, SEVERITY_NUMBER, XID_CODE
from gigawatch_contract.resource import HW_ID
from gigawatch_exporters.points import SCOPE, resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gigawatch_exporters.happened import Happened
    from gigawatch_exporters.snapshot import NodeIdentity

Kind = Literal["metrics", "logs"]
KINDS: Final[tuple[Kind, ...]] = ("logs", "metrics")
LONGEST_ANSWER: Final = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the receiver said to one export."""

    status: int | None
    """None: it was not reached."""
    reason: str = ""
    retry_after: float | None = None
    """Seconds it asks to be left alone."""


class Wire:
    """Encodes exports, and sends encoded ones."""

    def __init__(self, endpoint: str, timeout: float) -> None:
        self._timeout = timeout
        self._adapter = _Keeper()
        self._session = requests.Session()
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        base = endpoint.rstrip("/")
        self._metrics = OTLPMetricExporter(
            f"{base}/v1/metrics", compression=Compression.Gzip, session=self._session, timeout=timeout
        )
        self._logs = OTLPLogExporter(
            f"{base}/v1/logs", compression=Compression.Gzip, session=self._session, timeout=timeout
        )
        # An empty export shows how each of them sends: spooled ones may have to go before there is a new one.
        self._metrics.export(MetricsData([]))
        as_metrics = self._adapter.kept
        self._logs.export([])
        self._how: Mapping[Kind, _Kept] = {"metrics": as_metrics, "logs": self._adapter.kept}

    def metrics(self, data: MetricsData) -> bytes:
        """One export of metrics: a gzipped ExportMetricsServiceRequest."""
        self._metrics.export(data)
        return self._adapter.body()

    def logs(self, identity: NodeIdentity, happened: Happened) -> bytes:
        """One event: a gzipped ExportLogsServiceRequest."""
        self._logs.export([_log_record(identity, happened)])
        return self._adapter.body()

    def post(self, kind: Kind, body: bytes) -> Answer:
        """Send one export once."""
        request, options = self._how[kind]
        request = request.copy()
        request.prepare_body(body, None)
        try:
            response = self._adapter.pass_on(request, options)
            chunks = response.iter_content(LONGEST_ANSWER)
            content = next(chunks, b"")
            if next(chunks, None):
                response.close()
        except requests.RequestException as error:
            return Answer(status=None, reason=str(error))
        return Answer(
            status=response.status_code,
            reason=_rejection(content) if response.ok else f"{response.status_code} {response.reason}",
            retry_after=_seconds(response.headers.get("Retry-After"), response.headers.get("Date")),
        )


_Kept = tuple[requests.PreparedRequest, dict[str, Any]]


class _Keeper(HTTPAdapter):
    """Keeps the request that it is given to send, and says that all is well."""

    kept: _Kept

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        self.kept = request, options
        response = requests.Response()
        response.status_code = 200
        return response

    def body(self) -> bytes:
        """What would have been sent last."""
        body = self.kept[0].body
        assert isinstance(body, bytes)
        return body

    def pass_on(self, request: requests.PreparedRequest, options: dict[str, Any]) -> requests.Response:
        """Send it indeed."""
        return super().send(request, **options)


def _log_record(identity: NodeIdentity, happened: Happened) -> ReadableLogRecord:
    attributes: dict[str, str | int] = {HW_ID: happened.hw_id, EVENT_ID: happened.id}
    if happened.xid is not None:
        attributes[XID_CODE] = happened.xid
    return ReadableLogRecord(
        LogRecord(
            timestamp=happened.time_unix_nano,
            observed_timestamp=happened.time_unix_nano,
            severity_number=SeverityNumber(SEVERITY_NUMBER[happened.event.severity]),
            severity_text=happened.event.severity,
            body=happened.body,
            attributes=attributes,
            event_name=happened.event.name,
        ),
        resource=resource(identity),
        instrumentation_scope=SCOPE,
    )


def _rejection(content: bytes) -> str:
    """What a receiver that accepted an export did not take of it; "" when it took all."""
    try:
        partial = ExportMetricsServiceResponse.FromString(content).partial_success
    except DecodeError:
        return ""
    refused = partial.rejected_data_points
    return f"{refused} rejected: {partial.error_message[:200]!r}" if refused or partial.error_message else ""


def _seconds(retry_after: str | None, date: str | None) -> float | None:
    """Retry-After in seconds: it is a number, or a date to be compared with the receiver's own."""
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        pass
    try:
        wait = parsedate_to_datetime(retry_after or "") - parsedate_to_datetime(date or "")
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())
