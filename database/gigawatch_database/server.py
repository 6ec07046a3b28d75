"""The server of a data folder: started, found and stopped.

It listens on a free port of 127.0.0.1, asks for the folder's password and opens no socket file: any program of this
machine that was given the DSN can reach it, and nothing of it lies outside its folder.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from gigawatch_contract.errors import Unavailable
from gigawatch_database import folder as folders

if TYPE_CHECKING:
    from gigawatch_database.folder import Folder, Made
    from gigawatch_database.installation import Installation

USER = DATABASE = "gigawatch"
TIMEOUT_S = 60
"""For a start, recovery after a crash included, and for a stop."""
PASSING = {"could not bind": 0, "still in use": 1, "already exists": 1}
"""What keeps a server from starting and passes, with the seconds to wait: a free port was taken by another before the
server had it; a server that was killed, or one of its processes, has not quite ended."""
ATTEMPTS = 5
LOG_LIMIT = 10_000_000
"""Bytes; a longer log is put aside as log.1 at the next start."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    # An acknowledged sample is a stored sample.
    "synchronous_commit": "on",
    # Ingest writes without pause: few checkpoints, each spread out.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # A query that spans many chunks or partitions locks each of them.
    "max_locks_per_transaction": "256",
    "jit": "off",
}
TIMESCALE = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    # The Apache licence has no jobs; our own scheduler does their work.
    "timescaledb.max_background_workers": "0",
}
THROW_AWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "64MB"}
"""For tests: what the folder holds may be lost with the machine."""


def create(folder: Folder, programs: Installation, *, throw_away: bool = False) -> Made:
    """Make the folder's data, with a password of its own."""
    return folders.create(folder, programs, user=USER, password=secrets.token_urlsafe(24), throw_away=throw_away)


def running(folder: Folder) -> str | None:
    """The DSN of the server that runs on the folder, or None. Only one that proves to know our password is ours."""
    port = _port(folder)
    deadline = time.monotonic() + TIMEOUT_S
    while port and time.monotonic() < deadline:
        try:
            # require_auth: whoever listens on that port now is never told the password.
            with psycopg.connect(
                _dsn(folder, port, "postgres"), connect_timeout=5, require_auth="scram-sha-256"
            ) as connection:
                row = connection.execute("SELECT current_setting('data_directory')").fetchone()
            return _dsn(folder, port) if row and Path(row[0]) == folder.postgres else None
        except psycopg.OperationalError as error:
            if "the database system is" not in str(error):
                return None
        time.sleep(0.1)  # it is starting up or shutting down
    return None


def start(folder: Folder, facts: Made, programs: Installation, *, throw_away: bool = False) -> str:
    """Start the server; returns the DSN of its database.

    Raises:
        Unavailable: it does not start; the message holds its last words.
    """
    settings = {**SETTINGS, **(TIMESCALE if facts.timescaledb else {}), **(THROW_AWAY if throw_away else {})}
    words = ""
    for _ in range(ATTEMPTS):
        _forget_zombie(folder)
        port = _free_port()
        lines = [f"{name} = '{value}'\n" for name, value in {**settings, "port": str(port)}.items()]
        folder.write(folder.postgres / "postgresql.auto.conf", "".join(lines), handed_over=True)
        begin = _log_end(folder)
        action = ["start", "-w", "-t", str(TIMEOUT_S), "-s", "-D", folder.postgres, "-l", folder.log]
        if folder.run(programs.bin / "pg_ctl", *action).returncode == 0:
            _create_database(folder, facts, port)
            return _dsn(folder, port)
        with folder.log.open("rb") as log:
            log.seek(begin)
            words = log.read().decode("utf-8", "replace")
        pause = next((pause for reason, pause in PASSING.items() if reason in words), None)
        if pause is None:
            break
        time.sleep(pause)
    raise Unavailable(f"the database server does not start; {folder.log} ends: {folders.last_words(words)}")


def stop(folder: Folder) -> bool:
    """Stop the server that runs on the folder: connections are cut, what was committed is kept; False if none runs.

    Raises:
        Unavailable: it does not stop.
    """
    if not running(folder):
        return False
    notes = folder.postgres / "postmaster.pid"
    os.kill(_pid(folder), signal.SIGINT)  # PostgreSQL's "fast shutdown"
    deadline = time.monotonic() + TIMEOUT_S
    while notes.exists():
        if time.monotonic() > deadline:
            raise Unavailable(f"the database server in {folder.path} does not stop; see {folder.log}")
        time.sleep(0.02)
    return True


def _create_database(folder: Folder, facts: Made, port: int) -> None:
    with psycopg.connect(_dsn(folder, port, "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount == 0:
            connection.execute(f"CREATE DATABASE {DATABASE}")
    if facts.timescaledb:
        with psycopg.connect(_dsn(folder, port), autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")


def _forget_zombie(folder: Folder) -> None:
    """Write a process that cannot be in place of a zombie's in the server's notes.

    In a container whose first process reaps no orphans, a killed server stays a zombie, and PostgreSQL takes that for
    alive. The rest of the notes stays: by it PostgreSQL sees that no process still has the old one's memory.
    """
    notes = folder.postgres / "postmaster.pid"
    try:
        pid = _pid(folder)
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (OSError, ValueError, IndexError):
        return
    if state == "Z":
        nobody = 2**22 + 1  # Linux counts processes up to 2**22
        folder.write(notes, notes.read_text("utf-8").replace(f"{pid}\n", f"{nobody}\n", 1), handed_over=True)


def _pid(folder: Folder) -> int:
    return int(_notes(folder)[0])


def _port(folder: Folder) -> int | None:
    try:
        return int(_notes(folder)[3])
    except (OSError, IndexError, ValueError):
        return None


def _notes(folder: Folder) -> list[str]:
    """The server's own notes: its process, folder, start and port. They are there while it runs, and after a kill."""
    return (folder.postgres / "postmaster.pid").read_text("utf-8").splitlines()


def _dsn(folder: Folder, port: int, database: str = DATABASE) -> str:
    return f"postgresql://{USER}:{folder.password}@127.0.0.1:{port}/{database}?sslmode=disable"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log_end(folder: Folder) -> int:
    """The size of the log, which is made not to be endless, and the account's to write."""
    if folder.log.exists() and folder.log.stat().st_size > LOG_LIMIT:
        folder.log.replace(folder.path / "log.1")
    folder.log.touch(mode=0o600)
    os.chown(folder.log, folder.account.uid, folder.account.gid)
    return folder.log.stat().st_size
