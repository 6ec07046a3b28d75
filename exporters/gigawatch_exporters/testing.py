"""For tests of whatever sends OTLP: a receiver that decodes what comes, and answers as it is told."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, TypeVar

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

T = TypeVar("T")
Value = bool | int | float | str | tuple["Value", ...] | None


@dataclass(frozen=True, slots=True)
class Point:
    """One number point, with all that names it."""

    name: str
    unit: str
    kind: str
    """gauge, counter (monotonic) or updowncounter."""
    attributes: frozenset[tuple[str, Value]]
    time_unix_nano: int
    start_time_unix_nano: int
    value: int | float


@dataclass(frozen=True, slots=True)
class Export:
    """One request, as it came: of metrics or of logs."""

    headers: Mapping[str, str]
    status: int
    """What was answered."""
    metrics: ExportMetricsServiceRequest | None = None
    logs: ExportLogsServiceRequest | None = None

    def resource(self) -> dict[str, Value]:
        """The attributes of the (one) resource."""
        if self.metrics:
            return attributes(self.metrics.resource_metrics[0].resource.attributes)
        return attributes(self.logs.resource_logs[0].resource.attributes) if self.logs else {}

    def points(self) -> Iterator[Point]:
        """All number points; none of an export of logs."""
        for resource in self.metrics.resource_metrics if self.metrics else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    yield from _points(metric)

    def records(self) -> Iterator[LogRecord]:
        """All log records; none of an export of metrics."""
        for resource in self.logs.resource_logs if self.logs else ():
            for scope in resource.scope_logs:
                yield from scope.log_records


def _points(metric: Metric) -> Iterator[Point]:
    counts = metric.WhichOneof("data") == "sum"
    kind = "gauge" if not counts else "counter" if metric.sum.is_monotonic else "updowncounter"
    for point in metric.sum.data_points if counts else metric.gauge.data_points:
        yield Point(
            metric.name,
            metric.unit,
            kind,
            frozenset(attributes(point.attributes).items()),
            point.time_unix_nano,
            point.start_time_unix_nano,
            point.as_int if point.WhichOneof("value") == "as_int" else point.as_double,
        )


def attributes(pairs: Any) -> dict[str, Value]:
    """OTLP's list of pairs as a dictionary."""
    found: list[KeyValue] = list(pairs)
    return {pair.key: _value(pair.value) for pair in found}


def _value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(each) for each in value.array_value.values)
    return getattr(value, kind) if kind else None


class Receiver:
    """An OTLP/HTTP receiver on loopback. `answer(path)` tells status and headers of each response."""

    def __init__(self, port: int = 0) -> None:
        self.answer: Callable[[str], tuple[int, Mapping[str, str]]] = lambda _: (200, {})
        self.exports: list[Export] = []
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = receiver.answer(self.path)
                receiver._take(self.path, body, dict(self.headers), status)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def accepted(self) -> list[Export]:
        """The exports of metrics that were answered with 200, in the order they came."""
        with self._changed:
            return [each for each in self.exports if each.status == 200 and each.metrics]

    def records(self) -> list[LogRecord]:
        """The log records of all exports that were answered with 200."""
        with self._changed:
            return [record for each in self.exports if each.status == 200 for record in each.records()]

    def wait_for(self, look: Callable[[], T | None], seconds: float = 30.0) -> T:
        """What `look` finds, tried again with each export.

        Raises:
            TimeoutError: it found nothing for so long.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = look()
            if found is not None and found is not False and found != []:
                return found
            with self._changed:
                self._changed.wait(0.05)
        raise TimeoutError(f"not within {seconds:g} s; {len(self.exports)} exports came")

    def _take(self, path: str, body: bytes, headers: Mapping[str, str], status: int) -> None:
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if path == "/v1/logs":
            export = Export(headers, status, logs=ExportLogsServiceRequest.FromString(body))
        else:
            export = Export(headers, status, metrics=ExportMetricsServiceRequest.FromString(body))
        with self._changed:
            self.exports.append(export)
            self._changed.notify_all()
