"""Scenarios for the simulator's tests, and a receiver for what it sends."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gigawatch_exporters.simulator.library import load
from gigawatch_exporters.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gigawatch_exporters.simulator.scenario import Scenario

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def tiny_file() -> Path:
    return HERE / "tiny.toml"


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> Scenario:
    """Four nodes with two accelerators each, and every kind of fault."""
    return load(str(tiny_file))


@pytest.fixture(scope="session")
def incident() -> Scenario:
    return load("incident")


@pytest.fixture
def world(tiny: Scenario) -> World:
    """The tiny factory at its start."""
    return World(tiny, tiny.factories[0])


class Receiver:
    """A real OTLP/HTTP server whose answers a test decides; keeps what it got."""

    def __init__(self) -> None:
        self.answer: Callable[[str, int], tuple[int, dict[str, str], bytes]] = lambda _path, _number: (200, {}, b"")
        self.got: list[tuple[str, bytes]] = []
        self.connections = 0
        lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with lock:
                    receiver.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Encoding"] == "gzip"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                with lock:
                    receiver.got.append((self.path, gzip.decompress(body)))
                    number = len(receiver.got)
                status, headers, content = receiver.answer(self.path, number)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object, **__: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()
