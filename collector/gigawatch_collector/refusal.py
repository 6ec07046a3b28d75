"""Why a whole request is refused, and what its sender may do about it: HTTP and gRPC words side by side."""

from __future__ import annotations

import random
from typing import Final

INVALID_ARGUMENT: Final = 3
NOT_FOUND: Final = 5
RESOURCE_EXHAUSTED: Final = 8
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14


class Refusal(Exception):  # noqa: N818 - reads as what the sender gets; it is no fault of the collector's
    """A request that is answered with an error. `retry_after` (seconds) says that the same request may come again."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        http: int,
        code: int,
        retry_after: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        """A word for the self-metrics."""
        self.message = message
        self.http = http
        self.code = code
        """google.rpc.Code."""
        self.retry_after = retry_after
        self.field = field
        """Where in the request the fault is, as a path of field names."""


def malformed(message: str, field: str | None = None) -> Refusal:
    """Bad data: must not be sent again as it is."""
    return Refusal("malformed", message, http=400, code=INVALID_ARGUMENT, field=field)


def nothing_acceptable(message: str) -> Refusal:
    """Well-formed, and every point of it rejected."""
    return Refusal("rejected", message, http=400, code=INVALID_ARGUMENT)


def too_large(limit: int) -> Refusal:
    """Over the limit of one request: sending it again does not help, splitting it does."""
    message = f"the request is larger than {limit:,} bytes (after decompression): send fewer points in one request"
    return Refusal("too_large", message, http=413, code=RESOURCE_EXHAUSTED)


def overload(limit: int) -> Refusal:
    """Too many bytes in flight: come again soon."""
    message = f"the collector is busy: {limit:,} bytes are in flight; send again later"
    return Refusal("overload", message, http=503, code=RESOURCE_EXHAUSTED, retry_after=_soon())


def unavailable(message: str) -> Refusal:
    """Something behind the collector does not answer; nothing of the request counts as stored."""
    return Refusal("unavailable", message, http=503, code=UNAVAILABLE, retry_after=_soon())


def method_not_allowed(path: str, allowed: str) -> Refusal:
    """The path is there; it wants another method."""
    return Refusal("method", f"{path} answers to {allowed} only", http=405, code=UNIMPLEMENTED)


def not_found(path: str) -> Refusal:
    """No such path."""
    message = f"there is nothing at {path[:80]!r}: metrics go to /v1/metrics, events to /v1/logs"
    return Refusal("path", message, http=404, code=NOT_FOUND)


def media_type(message: str) -> Refusal:
    """A Content-Type or Content-Encoding that is not OTLP's."""
    return Refusal("media_type", message, http=415, code=INVALID_ARGUMENT)


def internal() -> Refusal:
    """A fault of the collector's own; the log has the particulars."""
    return Refusal("internal", "the collector failed; its log says why", http=500, code=INTERNAL)


def _soon() -> int:
    """1 to 3 s, so that a fleet does not come back at once: SDKs give up a batch whose wait exceeds about 7 s."""
    return random.randint(1, 3)  # noqa: S311 - spreads load


def poison() -> Refusal:
    """The database will never take something that this request holds; the log says what."""
    message = "the database refuses values of this request; the collector's log says which"
    return Refusal("poison", message, http=400, code=INVALID_ARGUMENT)


def slow(seconds: float) -> Refusal:
    """The body did not arrive in time."""
    message = f"the request did not arrive within {seconds:g} s"
    return Refusal("slow", message, http=503, code=UNAVAILABLE, retry_after=_soon())
