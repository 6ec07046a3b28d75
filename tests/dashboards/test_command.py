"""The command as a person types it: what is wrong is one line, a code, and no traceback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gigawatch_database.testing import Database, Server


def run(*flags: str, dsn: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gigawatch", "dashboards", *flags],
        env={**os.environ, "GIGAWATCH_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(found: subprocess.CompletedProcess[str]) -> str:
    assert found.stderr.count("\n") == 1, found.stderr
    return found.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_address_beyond_this_machine_is_refused_with_the_way_around(host: str) -> None:
    found = run("--host", host, dsn="postgresql://x@127.0.0.1:1/x")
    assert found.returncode == 2
    assert "host = " in told(found)
    assert "no sign-in" in found.stderr
    assert "ssh -L 8050:127.0.0.1:8050" in found.stderr


def test_a_taken_port_is_named_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        found = run("--port", str(port), dsn="postgresql://x@127.0.0.1:1/x")
    assert found.returncode == 2
    assert f"port {port} on 127.0.0.1 is taken by process {os.getpid()}" in told(found)


def test_a_database_that_is_away_is_named_without_its_password() -> None:
    found = run("--port", "0", dsn="postgresql://reader:secret@127.0.0.1:1/gigawatch")
    assert found.returncode == 4
    assert "127.0.0.1:1" in told(found)
    assert "secret" not in found.stderr


def test_a_database_without_the_schema_names_the_command_to_run(timescale: Server) -> None:
    with timescale.database(template=None) as empty:
        found = run("--port", "0", dsn=empty.dsn)
    assert found.returncode == 3
    assert "gigawatch migrate" in told(found)


@pytest.mark.parametrize("flags", [["--port", "70000"], ["--port", "eight"], ["--export-interval", "0"]])
def test_a_setting_that_makes_no_sense_is_named(flags: list[str]) -> None:
    found = run(*flags, dsn="postgresql://x@127.0.0.1:1/x")
    assert found.returncode == 2
    assert flags[0].removeprefix("--").replace("-", "_") in told(found)


def test_ctrl_c_ends_it_cleanly_and_leaves_nothing(database: Database) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gigawatch", "dashboards", "--port", "0"],
        env={**os.environ, "GIGAWATCH_DSN": database.dsn},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready: http://127.0.0.1:")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
