"""A receiver for the demo and for tests: it keeps what it is sent, says it in a line, and answers as it is told."""

from __future__ import annotations

import json
import socket
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

from standardwebhooks import Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MOST_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """How to answer a request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    wait_s: float = 0
    """Before the answer."""
    close: bool = False
    """Close the connection instead of answering."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One request as it came, and how it was answered."""

    time: datetime
    path: str
    headers: dict[str, str]
    body: str
    status: int

    @property
    def message_id(self) -> str:
        """The message's id, the same in each repeat."""
        return self.headers.get("webhook-id", "")

    @property
    def payload(self) -> dict[str, Any]:
        """The message."""
        return json.loads(self.body)

    def line(self) -> str:
        """The message in a line for a person; what a sender wrote cannot command the terminal."""
        payload = self.payload
        labels = " ".join(f"{name}={value}" for name, value in sorted(payload["commonLabels"].items()))
        text = f"{self.time:%H:%M:%S} {payload['status']} {len(payload['alerts'])} of {labels}"
        return "".join(char if char.isprintable() else "?" for char in text)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that breaks off is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Sink:
    """An HTTP server on loopback, running while the context lasts."""

    def __init__(
        self,
        port: int = 0,
        *,
        file: Path | None = None,
        signing: Sequence[Webhook] = (),
        reply: Callable[[int, str], Reply] = lambda _number, _body: Reply(),
        say: Callable[[Received], None] = lambda _: None,
    ) -> None:
        """`reply` is asked with number (from 0) and body of each request; `file` gets a line of JSON for each message."""
        self.received: list[Received] = []
        self._reply = reply
        self._file = file
        self._signing = signing
        self._say = say
        self._lock = threading.Lock()
        self._count = 0
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sink._take(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
                """Say nothing: `say` does."""

        self._server = _Server(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        """Where to send."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def accepted(self) -> list[Received]:
        """What was answered with success, in order."""
        with self._lock:
            return [received for received in self.received if 200 <= received.status < 300]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="sink", args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            request.send_error(413)
            return
        content = request.rfile.read(int(length)).decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._lock:
            number = self._count
            self._count += 1
        reply = self._reply(number, content)
        status = 0 if reply.close else reply.status if self._welcome(content, headers) else 401
        received = Received(time=datetime.now(UTC), path=request.path, headers=headers, body=content, status=status)
        self._keep(received)
        threading.Event().wait(reply.wait_s)
        if reply.close:
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        request.send_response(status)
        for name, value in reply.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _welcome(self, content: str, headers: dict[str, str]) -> bool:
        """Whether it is a message, and signed if we hold a secret."""
        for signer in self._signing:
            try:
                signer.verify(content, headers)
            except (WebhookVerificationError, ValueError):
                return False
        try:
            payload = json.loads(content)
        except ValueError:
            return False
        return isinstance(payload, dict) and {"status", "alerts", "commonLabels"} <= payload.keys()

    def _keep(self, received: Received) -> None:
        with self._lock:
            self.received.append(received)
            if not 200 <= received.status < 300:
                return
            if self._file:
                line = {"time": received.time.isoformat(), "id": received.message_id, "body": received.payload}
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._say(received)
