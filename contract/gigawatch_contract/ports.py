"""Whether a port to listen on is free, and who holds it where not."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTEN: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def refuse_taken(host: str, port: int, key: str) -> None:
    """Return when `host:port` can be listened on; port 0 (any) always can.

    Raises:
        ConfigurationError: it cannot; names the key, why, and the process that holds the port if it can be seen.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections just closed do not hold a port
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            taken_by = holder(port) or "a process of another user"
            raise ConfigurationError(f"{key}: port {port} on {host} is taken by {taken_by}; choose another") from error
        raise ConfigurationError(f"{key}: cannot listen on {host}:{port}: {error.strerror}") from error


def holder(port: int) -> str | None:
    """Who listens on a TCP port of this machine: `process 4711 (python -m http.server)`; None if it cannot be seen."""
    inodes = {f"socket:[{inode}]" for inode in _listening(port)}
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(entry) in inodes for entry in (process / "fd").iterdir()):  # noqa: PTH115 - not a path
                words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                return f"process {process.name} ({' '.join(words).strip()[:120]})"
        except OSError:  # it ended meanwhile, or belongs to someone else
            continue
    return None


def _listening(port: int) -> Iterator[str]:
    """The inodes of the sockets that listen on a port, over IPv4 and IPv6."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:  # no IPv6, or not Linux
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
