"""The collector at work: receivers in front, one writer behind, and an end in which nothing in flight is lost."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import uvicorn
from prometheus_client import disable_created_metrics

from gigawatch_collector import over_grpc
from gigawatch_collector.health import Health
from gigawatch_collector.intake import Intake
from gigawatch_collector.meters import Meters
from gigawatch_collector.over_http import Application
from gigawatch_collector.settings import OFF
from gigawatch_collector.writer import Writer
from gigawatch_contract.errors import ConfigurationError
from gigawatch_contract.ports import refuse_taken

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from grpc.aio import Server

    from gigawatch_collector.database import Database
    from gigawatch_collector.settings import Settings


KEEP_ALIVE_S: Final = 120
"""An idle connection is kept: senders come every 15 s or every minute, and opening one anew costs more than a request."""


class _HttpServer(uvicorn.Server):
    """uvicorn, without its own signal handling: the service ends all of its parts in order."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(settings: Settings, database: Database, ready: Callable[[str], None]) -> None:
    """Receive and store until SIGTERM or SIGINT; `ready` is called with a line that says where.

    Raises:
        GigawatchError: a port is taken, the database does not answer, or its schema does not fit.
    """
    check_ports(settings)
    ending = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ending.set)
    grade = await asyncio.to_thread(database.check)
    disable_created_metrics()  # a second series for each counter, which says nothing here
    meters = Meters()
    writer = Writer(database.open, meters, batch_points=settings.batch_points, timeout=settings.commit_timeout)
    await writer.start()
    health = Health(database.check)
    with ThreadPoolExecutor(1, "decode") as executor:
        intake = Intake(settings, meters, writer.submit, executor)
        writing = asyncio.create_task(writer.run())
        grpc_server = over_grpc.server(intake)
        where = await _start_grpc(grpc_server, settings)
        listener = _listen(settings)
        http_server = _http(Application(intake, health), settings)
        receiving = asyncio.create_task(http_server.serve([listener]))
        await http_server.listening.wait()
        ready(f"ready: OTLP/HTTP on http://{_address(listener)}, gRPC {where}, database {grade} grade")
        ended = asyncio.create_task(ending.wait())
        await asyncio.wait([ended, receiving, writing], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        # Take nothing new, answer what is in flight, then let the database go.
        health.ending = True
        http_server.should_exit = True
        await grpc_server.stop(settings.drain_timeout)
        await receiving
        writer.finish()
        await writing


def check_ports(settings: Settings) -> None:
    """Refuse ports that are taken, naming the key and who holds them."""
    refuse_taken(settings.http_host, settings.http_port, "http_port (--http-port)")
    if settings.grpc_port != OFF:
        refuse_taken(settings.grpc_host, settings.grpc_port, "grpc_port (--grpc-port)")


def _http(application: Application, settings: Settings) -> _HttpServer:
    config = uvicorn.Config(
        application,  # pyright: ignore[reportArgumentType] - ASGI's types are narrower than dict[str, Any]
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.drain_timeout) + 1,
    )
    return _HttpServer(config)


def _listen(settings: Settings) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.http_host, settings.http_port, type=socket.SOCK_STREAM
    )[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    return listener


async def _start_grpc(server: Server, settings: Settings) -> str:
    """Start the gRPC server; returns where it listens, in words."""
    if settings.grpc_port == OFF:
        return "off"
    host = f"[{settings.grpc_host}]" if ":" in settings.grpc_host else settings.grpc_host
    try:
        port = server.add_insecure_port(f"{host}:{settings.grpc_port}")
    except RuntimeError as error:
        raise ConfigurationError(f"grpc_port (--grpc-port): cannot listen on {host}:{settings.grpc_port}") from error
    await server.start()
    return f"on {host}:{port}"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
