"""OTLP over HTTP, and what the collector says about itself: a bare ASGI application."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import generate_latest

from gigawatch_collector import refusal
from gigawatch_collector.answers import CONTENT_TYPES, status
from gigawatch_collector.incoming import Gone, Incoming
from gigawatch_collector.inflate import Body
from gigawatch_collector.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gigawatch_collector.budget import Claim
    from gigawatch_collector.decode import Encoding, Signal
    from gigawatch_collector.health import Health
    from gigawatch_collector.incoming import Receive
    from gigawatch_collector.intake import Intake

    Scope = dict[str, Any]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

SIGNALS: Final[dict[str, Signal]] = {"/v1/metrics": "metrics", "/v1/logs": "logs"}
PAGES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
ENCODINGS: Final[dict[str, Encoding]] = {name: encoding for encoding, name in CONTENT_TYPES.items()}
TEXT: Final = "text/plain; charset=utf-8"
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Application:
    """The ASGI application."""

    def __init__(self, intake: Intake, health: Health) -> None:
        self._intake = intake
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http"  # lifespan and websockets are off
        path: str = scope["path"]
        if path in PAGES and scope["method"] in {"GET", "HEAD"}:
            await self._page(path, send)
            return
        with suppress(Gone):
            await self._exchange(scope, Incoming(receive), send)

    async def _exchange(self, scope: Scope, incoming: Incoming, send: Send) -> None:
        """Take an export, or refuse it."""
        path: str = scope["path"]
        headers = {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in scope["headers"]}
        encoding = ENCODINGS.get(_media_type(headers))
        signal = SIGNALS.get(path)
        try:
            _check(path, scope["method"], headers)
            assert encoding is not None
            assert signal is not None
            content = await self._export(signal, encoding, headers, incoming)
            code, extra = 200, ()
        except Gone:
            raise
        except Exception as error:  # noqa: BLE001 - logged, and answered as what it is
            found = _refusal(error)
            self._intake.meters.refused.labels(found.reason).inc()
            encoding = encoding or "json"
            content, code, extra = status(found, encoding), found.http, tuple(_extra(path, found))
            if "expect" not in headers:  # who waits for leave to send has sent nothing
                await incoming.discard(self._intake.settings.body_limit)
        self._intake.meters.requests.labels("http", signal or "none", str(code)).inc()
        await _respond(send, code, CONTENT_TYPES[encoding], content, extra)

    async def _export(self, signal: Signal, encoding: Encoding, headers: dict[str, str], incoming: Incoming) -> bytes:
        declared = headers.get("content-length", "")
        if declared.isdecimal():  # refuse early what would not fit when it has arrived
            if int(declared) > self._intake.settings.body_limit:
                raise refusal.too_large(self._intake.settings.body_limit)
            self._intake.budget.check(int(declared))
        with self._intake.budget.claim() as claim:
            body = await self._read(headers, incoming, claim)
            answer = await self._intake.take(signal, encoding, body)
        return answer.encode(signal, encoding)

    async def _read(self, headers: dict[str, str], incoming: Incoming, claim: Claim) -> bytes:
        settings = self._intake.settings
        body = Body(settings.body_limit, claim, gzip=_content_encoding(headers) == "gzip")
        try:
            async with asyncio.timeout(settings.body_timeout):
                async for chunk in incoming.chunks():
                    body.feed(chunk)
        except TimeoutError:
            raise refusal.slow(settings.body_timeout) from None
        return body.finish()

    async def _page(self, path: str, send: Send) -> None:
        if path == "/metrics":
            await _respond(send, 200, PROMETHEUS, generate_latest(self._intake.meters.registry))
        elif path == "/healthz":
            await _respond(send, 200, TEXT, b"ok\n")
        else:
            objection = await self._health.objection()
            await _respond(send, 503 if objection else 200, TEXT, f"{objection or 'ready'}\n".encode())


def _check(path: str, method: str, headers: dict[str, str]) -> None:
    """Refuse what is no export."""
    if path not in SIGNALS:
        raise refusal.method_not_allowed(path, "GET") if path in PAGES else refusal.not_found(path)
    if method != "POST":
        raise refusal.method_not_allowed(path, "POST")
    if _media_type(headers) not in ENCODINGS:
        given = headers.get("content-type", "")[:80]
        raise refusal.media_type(f"Content-Type {given!r} is not OTLP's: {' or '.join(ENCODINGS)}")
    if _content_encoding(headers) not in {"", "identity", "gzip"}:
        raise refusal.media_type(f"Content-Encoding {_content_encoding(headers)[:80]!r} is not known: gzip or none")


def _refusal(error: Exception) -> Refusal:
    """What a sender is told of an error."""
    if isinstance(error, Refusal):
        return error
    log.error("a request failed", exc_info=error)
    return refusal.internal()


def _media_type(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _content_encoding(headers: dict[str, str]) -> str:
    return headers.get("content-encoding", "").strip().lower()


def _extra(path: str, found: Refusal) -> list[tuple[bytes, bytes]]:
    """Headers that go with a refusal."""
    headers: list[tuple[bytes, bytes]] = []
    if found.retry_after is not None:
        headers.append((b"retry-after", str(found.retry_after).encode()))
    if found.http == 405:
        headers.append((b"allow", b"GET" if path in PAGES else b"POST"))
    return headers


async def _respond(
    send: Send, code: int, content_type: str, content: bytes, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(content)).encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": content})
