"""`gigawatch dashboards`: serve the pages."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gigawatch_contract import command, ports, settings
from gigawatch_contract.errors import ConfigurationError
from gigawatch_contract.settings import setting
from gigawatch_dashboards.store import Store
from gigawatch_database.connect import connect, dsn_or_embedded
from gigawatch_database.grade import TITLES
from gigawatch_database.migrate import check

if TYPE_CHECKING:
    from collections.abc import Sequence

PART = "dashboards"
BACKLOG = 512


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the pages are served."""

    dsn: str | None = setting(None, shared="GIGAWATCH_DSN", help="the database; without one, the embedded server")
    host: str = setting("127.0.0.1", help="address to listen on; loopback only, as there is no sign-in yet")
    port: int = setting(8050, help="port to listen on; 0 takes any free one")
    export_interval: float = setting(15.0, help="seconds between two exports of a node: freshness is judged by it")

    query_timeout: float = setting(10.0, help="seconds after which a query is given up, and the page says so")

    def __post_init__(self) -> None:
        settings.check(0 <= self.port <= 65535, "port", self.port, "a port is 0 to 65535")
        settings.check(0 < self.export_interval <= 3600, "export_interval", self.export_interval, "up to 3600 seconds")
        settings.check(0 < self.query_timeout <= 600, "query_timeout", self.query_timeout, "up to 600 seconds")
        settings.check(
            is_loopback(self.host),
            "host",
            self.host,
            "only loopback for now: the pages have no sign-in. From another machine, forward the port: "
            f"ssh -L {self.port}:127.0.0.1:{self.port} THIS-MACHINE",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch-dashboards") -> int:
    """Serve the pages until stopped; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Serve the pages: the network of all factories, and each factory live.",
        epilog="The database must have the current schema: `gigawatch migrate` brings it up to date. "
        "Pages are at / and /factory/ID; /healthz says that the process serves, /readyz that the database answers too.",
    )
    settings.add_arguments(parser, Settings, PART)
    arguments = parser.parse_args(argv)
    return command.run(prog, lambda: serve(settings.load(Settings, PART, arguments)))


def serve(found: Settings) -> None:
    """Check what must be there, bind the port, and serve until stopped.

    Raises:
        GigawatchError: the port is taken, or the database is away or of another version.
    """
    ports.refuse_taken(found.host, found.port, "port")
    command.log_to_stderr("warning")
    with dsn_or_embedded(found.dsn, report=lambda line: print(line, file=sys.stderr)) as dsn:
        with connect(dsn, application_name="gigawatch dashboards") as connection:
            grade = check(connection)
        # Dash and Plotly take a second to import: what is wrong was said before.
        from gigawatch_dashboards.server import Server  # noqa: PLC0415 - as above
        from gigawatch_dashboards.surroundings import Site  # noqa: PLC0415 - as above

        site = Site(
            Store(dsn, timeout=timedelta(seconds=found.query_timeout)), timedelta(seconds=found.export_interval)
        )
        listener = listen(found.host, found.port)
        port = listener.getsockname()[1]
        address = f"[{found.host}]" if ":" in found.host else found.host
        line = f"ready: http://{address}:{port} (pages; database: {TITLES[grade]}; stop with Ctrl-C)"
        Server(site, listener.detach(), ready=lambda: print(line, flush=True)).run()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that the port is ours before anything is started.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
    except OSError as error:
        found.close()
        raise ConfigurationError(f"port: cannot listen on {host}:{port}: {error.strerror}") from error
    return found
