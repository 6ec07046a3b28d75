"""OTLP over gRPC. Messages come as raw bytes: gRPC would inflate them without our limit, and decode them twice."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from gigawatch_collector import refusal
from gigawatch_collector.answers import proto_status, retry_info
from gigawatch_collector.inflate import GZIP_MAGIC, Body
from gigawatch_collector.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gigawatch_collector.decode import Signal
    from gigawatch_collector.intake import Intake

log = logging.getLogger(__name__)

SERVICES: Final[dict[Signal, str]] = {
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}
CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
IDENTITY_AND_GZIP: Final = 0b101
"""Which of gRPC's compression algorithms are on; deflate is bit 1."""
STATUS_KEY: Final = "grpc-status-details-bin"
RETRY_KEY: Final = "google.rpc.retryinfo-bin"
"""Where Python's SDK looks for the wait; the standard has it inside the status."""
CONCURRENT: Final = 256
"""Calls at once: each may hold a whole message before it is counted against the budget."""


def server(intake: Intake) -> grpc.aio.Server:
    """A server with both services, not bound to a port yet."""
    options = [
        ("grpc.max_receive_message_length", intake.settings.body_limit),
        ("grpc.per_message_decompression", 0),
        ("grpc.compression_enabled_algorithms_bitset", IDENTITY_AND_GZIP),
        ("grpc.so_reuseport", 0),
    ]
    found = grpc.aio.server(options=options, maximum_concurrent_rpcs=CONCURRENT)
    for signal, name in SERVICES.items():
        method = grpc.unary_unary_rpc_method_handler(_handler(intake, signal))
        found.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": method}),))
    return found


def _handler(
    intake: Intake, signal: Signal
) -> Callable[[bytes, grpc.aio.ServicerContext[bytes, bytes]], Awaitable[bytes]]:
    async def export(message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            with intake.budget.claim() as claim:
                # No protobuf message starts with gzip's magic: field 3 with wire type 7 does not exist.
                body = Body(intake.settings.body_limit, claim, gzip=message.startswith(GZIP_MAGIC))
                body.feed(message)
                answer = await intake.take(signal, "protobuf", body.finish())
        except Refusal as error:
            return await _refuse(intake, signal, context, error)
        except Exception:
            log.exception("a request failed")
            return await _refuse(intake, signal, context, refusal.internal())
        intake.meters.requests.labels("grpc", signal, "OK").inc()
        return answer.encode(signal, "protobuf")

    return export


async def _refuse(
    intake: Intake, signal: Signal, context: grpc.aio.ServicerContext[bytes, bytes], error: Refusal
) -> bytes:
    intake.meters.refused.labels(error.reason).inc()
    intake.meters.requests.labels("grpc", signal, CODES[error.code].name).inc()
    metadata: list[tuple[str, bytes]] = [(STATUS_KEY, proto_status(error).SerializeToString())]
    if error.retry_after is not None:
        metadata.append((RETRY_KEY, retry_info(error.retry_after).SerializeToString()))
    await context.abort(CODES[error.code], error.message, tuple(metadata))
    raise AssertionError  # abort raises
