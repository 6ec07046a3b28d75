"""One keep-alive connection to an OTLP/HTTP receiver: the only place where the simulator touches the network."""

from __future__ import annotations

import http.client
import zlib
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from gigawatch_contract.errors import ConfigurationError

TIMEOUT: Final = 30.0
"""Seconds that a receiver has to answer."""
HEADERS: Final = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "gzip",
    "User-Agent": "gigawatch-simulator",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the receiver said."""

    status: int
    retry_after: float | None = None
    rejected: int = 0
    """Points or records that it did not take, of those in an accepted request."""
    message: str = ""


class Connection:
    """Posts OTLP bodies; connects anew when the receiver has closed. Not for several threads."""

    def __init__(self, endpoint: str) -> None:
        kind, host, port, self._path = _address(endpoint)
        self._connection: Final = kind(host, port, timeout=TIMEOUT)

    def post(self, kind: Literal["metrics", "logs"], body: bytes) -> Answer:
        """Send one export.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
        """
        try:
            self._connection.request("POST", f"{self._path}/v1/{kind}", gzipped(body), HEADERS)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if response.status == http.client.OK:
            return _accepted(kind, content)
        return Answer(
            status=response.status,
            retry_after=_seconds(response.getheader("Retry-After")),
            message=f"{response.status} {response.reason}: {_printable(content)}",
        )

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _address(endpoint: str) -> tuple[type[http.client.HTTPConnection], str, int | None, str]:
    """The kind of connection, host, port and path of an address."""
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        address = urlsplit(endpoint)
        kind, host, port = kinds.get(address.scheme), address.hostname, address.port
    except ValueError:  # a port that is no number, a bracket that is not closed
        kind = host = port = address = None
    if kind is None or not host or address is None:
        raise ConfigurationError(f"endpoint = {endpoint!r} is not like http://127.0.0.1:4318")
    return kind, host, port, address.path.rstrip("/")


def gzipped(body: bytes) -> bytes:
    """The body as gzip, at the level that costs least for these bodies: they are highly repetitive."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    return compressor.compress(body) + compressor.flush()


def _accepted(kind: Literal["metrics", "logs"], content: bytes) -> Answer:
    if not content:
        return Answer(status=200)
    if kind == "metrics":
        metrics = ExportMetricsServiceResponse.FromString(content).partial_success
        return Answer(status=200, rejected=metrics.rejected_data_points, message=metrics.error_message)
    logs = ExportLogsServiceResponse.FromString(content).partial_success
    return Answer(status=200, rejected=logs.rejected_log_records, message=logs.error_message)


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is not used by OTLP receivers."""
    return float(text) if text is not None and text.isdecimal() else None


def _printable(content: bytes) -> str:
    """The words of an error: plain text, or the message inside a protobuf Status, which reads as text well enough."""
    words = "".join(letter for letter in content[:300].decode("utf-8", "replace") if letter.isprintable())
    return words or "no reason given"
