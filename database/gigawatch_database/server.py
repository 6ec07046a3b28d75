"""A PostgreSQL server of our own on a data folder: made, started, found and stopped.

The folder holds `postgres/` (the server's own), `log`, `password` (for this user alone) and `server.json` (what made it).
The server listens on a free port of 127.0.0.1 and asks for the password; it opens no socket file.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_database import places
from gigawatch_database.installation import POSTGRESQL

if TYPE_CHECKING:
    from gigawatch_database.installation import Installation

USER = DATABASE = "gigawatch"
START_TIMEOUT_S = 60
"""Recovery after a crash is part of a start."""
ATTEMPTS = 3
"""A free port may be taken by another before the server has it."""
LOG_LIMIT = 10_000_000
"""Bytes; a longer log is put aside as log.1 at the next start."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
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
THROW_AWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""For tests: what the folder holds may be lost with the machine."""


@dataclass(frozen=True)
class Made:
    """What made a data folder. `reason` says why it is without TimescaleDB, where that was wanted."""

    postgresql: str
    timescaledb: str | None
    reason: str | None


@dataclass(frozen=True)
class Folder:
    """A data folder and the account that its server runs as."""

    path: Path
    account: places.Account

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def log(self) -> Path:
        return self.path / "log"


def folder(path: Path) -> Folder:
    """The data folder at a path, made if it is not there.

    Raises:
        ConfigurationError: it cannot be made, holds something else, or shuts the server out.
    """
    path = places.make(path.absolute()).resolve()
    if set(str(path)) & set('"$`\\\n'):
        raise ConfigurationError(f"{path}: choose a data folder without quotes, '$' or '\\' in its name")
    here = {entry.name for entry in path.iterdir()}
    if here - {"lock", "users"} and not here & {"server.json", "password"}:
        raise ConfigurationError(f"{path} is not empty and not a data folder of Gigawatch: choose another")
    if not os.access(path, os.W_OK):
        raise ConfigurationError(f"{path} belongs to another user: choose another data folder (--data, GIGAWATCH_DATA)")
    who = places.account()
    places.open_to(path, who)
    return Folder(path, who)


def made(where: Folder) -> Made | None:
    """What made the folder's data, or None where there is none yet.

    Raises:
        ConfigurationError: another PostgreSQL made it.
    """
    if not where.postgres.exists():
        return None
    try:
        facts = Made(**json.loads((where.path / "server.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{where.path / 'server.json'} cannot be read: {error}") from error
    if facts.postgresql != POSTGRESQL:
        raise ConfigurationError(
            f"{where.path} was made by PostgreSQL {facts.postgresql}, this is {POSTGRESQL}: "
            f"use another data folder, or the version of Gigawatch that made it"
        )
    return facts


def check(where: Folder, facts: Made, programs: Installation) -> None:
    """Refuse to serve a folder with another TimescaleDB than made it.

    Raises:
        ConfigurationError: the versions differ.
        Unavailable: TimescaleDB, which the folder needs, is not among the programs.
    """
    if not facts.timescaledb or facts.timescaledb == programs.timescaledb:
        return
    needs = f"{where.path} was made with TimescaleDB {facts.timescaledb}"
    if programs.timescaledb:
        raise ConfigurationError(
            f"{needs}, this is {programs.timescaledb}: use another data folder, or the version of Gigawatch that made it"
        )
    raise Unavailable(f"{needs}. {programs.reason}")


def create(where: Folder, programs: Installation) -> Made:
    """Make the folder's data: whole, or not at all."""
    facts = Made(POSTGRESQL, programs.timescaledb, programs.reason)
    password = secrets.token_urlsafe(24)
    _write(where.path / "password", password, None)
    partial = where.path / "postgres.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    os.chown(partial, where.account.uid, where.account.gid)
    handed = where.path / "password.partial"
    _write(handed, password, where.account)
    try:
        done = _as_account(
            where,
            [programs.bin / "initdb", "-D", partial, "-U", USER, f"--pwfile={handed}", "--auth=scram-sha-256"]
            + ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"],
        )
    finally:
        handed.unlink()
    if done.returncode != 0:
        raise Unavailable(f"PostgreSQL could not be set up in {where.path}: {_last_line(done.stderr or done.stdout)}")
    _write(where.path / "server.json", json.dumps(facts.__dict__, indent=2) + "\n", None, mode=0o644)
    os.sync()
    partial.rename(where.postgres)
    return facts


def running(where: Folder) -> str | None:
    """The DSN of the server that runs on the folder, or None. Only a server that takes our password is ours."""
    port = _port(where)
    if port is None:
        return None
    dsn = _dsn(where, port)
    try:
        with psycopg.connect(_dsn(where, port, "postgres"), connect_timeout=5) as connection:
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    except psycopg.OperationalError:
        return None
    return dsn if row and Path(row[0]) == where.postgres else None


def start(where: Folder, facts: Made, programs: Installation, *, throw_away: bool = False) -> str:
    """Start the server; returns the DSN of its database.

    Raises:
        Unavailable: it does not start; the message holds its last words.
    """
    settings = {**SETTINGS, **(TIMESCALE if facts.timescaledb else {}), **(THROW_AWAY if throw_away else {})}
    for attempt in range(ATTEMPTS):
        port = _free_port()
        lines = [f"{name} = '{value}'\n" for name, value in {**settings, "port": str(port)}.items()]
        _write(where.postgres / "postgresql.auto.conf", "".join(lines), where.account)
        _fresh_log(where)
        done = _as_account(where, _pg_ctl(where, programs, "start", "-l", str(where.log), "-t", str(START_TIMEOUT_S)))
        if done.returncode == 0:
            _create_database(where, facts, port)
            return _dsn(where, port)
        words = _tail(where.log)
        if "could not bind" not in words or attempt == ATTEMPTS - 1:
            break
    raise Unavailable(f"the database server does not start; {where.log} ends: {_last_line(words)}")


def stop(where: Folder, programs: Installation) -> None:
    """Stop the server that runs on the folder: connections are cut, what was committed is kept.

    Raises:
        Unavailable: it does not stop.
    """
    done = _as_account(where, _pg_ctl(where, programs, "stop", "-m", "fast", "-t", str(START_TIMEOUT_S)))
    if done.returncode != 0 and (where.postgres / "postmaster.pid").exists():
        raise Unavailable(f"the database server in {where.path} does not stop: {_last_line(done.stderr)}")


def _create_database(where: Folder, facts: Made, port: int) -> None:
    with psycopg.connect(_dsn(where, port, "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount == 0:
            connection.execute(f"CREATE DATABASE {DATABASE}")
    if facts.timescaledb:
        with psycopg.connect(_dsn(where, port), autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")


def _pg_ctl(where: Folder, programs: Installation, action: str, *words: str) -> list[str | Path]:
    return [programs.bin / "pg_ctl", action, "-D", where.postgres, "-w", *words]


def _as_account(where: Folder, words: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a program of the server as its account, with nothing of our environment that could steer it."""
    who = where.account if os.geteuid() == 0 else None
    return subprocess.run(
        words,
        cwd=where.path,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        umask=0o077,
        **({"user": who.uid, "group": who.gid, "extra_groups": []} if who else {}),
    )


def _port(where: Folder) -> int | None:
    """The port in the server's own notes: they are there while it runs, and after it was killed."""
    try:
        return int((where.postgres / "postmaster.pid").read_text().splitlines()[3])
    except (OSError, IndexError, ValueError):
        return None


def _dsn(where: Folder, port: int, database: str = DATABASE) -> str:
    password = (where.path / "password").read_text("utf-8")
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}?sslmode=disable"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _fresh_log(where: Folder) -> None:
    """A log that is not endless, and the account's to write."""
    if where.log.exists() and where.log.stat().st_size > LOG_LIMIT:
        where.log.replace(where.log.with_suffix(".1"))
    where.log.touch(mode=0o600)
    os.chown(where.log, where.account.uid, where.account.gid)


def _write(path: Path, text: str, owner: places.Account | None, mode: int = 0o600) -> None:
    """Write a file that is never, not even for a moment, readable by more than `mode` says."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        if owner:
            os.fchown(file.fileno(), owner.uid, owner.gid)
        file.write(text)


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4000))
        return file.read().decode("utf-8", "replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    return (errors or lines or ["nothing"])[-1][:300]
