"""The command as a person meets it: what it says when something is wrong, and that the docs say what it does."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gigawatch_collector.meters import Meters
from gigawatch_collector.rejects import REASONS
from gigawatch_collector.settings import Settings
from gigawatch_collector.testing import COMMAND, running

if TYPE_CHECKING:
    from gigawatch_database.testing import Database, Server

DOCS = Path(__file__).parents[2] / "docs" / "collector.md"


def collector(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIGAWATCH_")}
    command = [sys.executable, "-c", COMMAND, *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=kept | environment)


def complaint(*options: str, code: int, **environment: str) -> str:
    """The one line that a failing command says."""
    done = collector(*options, **environment)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--http-port", "web"), "http_port = 'web' is not a whole number"),
        (("--http-port", "70000"), "http_port = 70000: a port is from 0 to 65535"),
        (("--accept-window", "0"), "accept_window = 0.0: must be more than 0"),
        (("--budget", "10"), "budget = 10: holds at least one request"),
        (("--log-level", "loud"), "log_level = 'loud'"),
        (("--dsn", "nonsense"), "GIGAWATCH_DSN (--dsn) cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(options: tuple[str, ...], words: str) -> None:
    assert words in complaint(
        "--grpc-port", "0", *options, *(() if "--http-port" in options else ("--http-port", "0")), code=2
    )


def test_a_database_that_does_not_answer_is_named() -> None:
    said = complaint("--dsn", "postgresql://x@127.0.0.1:1/y", "--http-port", "0", "--grpc-port", "0", code=4)
    assert "127.0.0.1:1" in said


def test_an_old_schema_is_told_with_the_command_that_helps(timescale: Server) -> None:
    with timescale.database(template=None) as empty:
        said = complaint("--http-port", "0", "--grpc-port", "0", code=3, GIGAWATCH_DSN=empty.dsn)
    assert "run `gigawatch migrate`" in said


@pytest.mark.parametrize("key", ["http-port", "grpc-port"])
def test_a_taken_port_is_told_with_its_holder(database: Database, key: str) -> None:
    other = "grpc-port" if key == "http-port" else "http-port"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = complaint("--dsn", database.dsn, f"--{key}", port, f"--{other}", "0", code=2)
    assert f"port {port}" in said
    assert f"process {os.getpid()}" in said
    assert f"--{key}" in said


def test_help_teaches() -> None:
    done = collector("--help")
    assert done.returncode == 0
    for field in dataclasses.fields(Settings):
        assert f"--{field.name.replace('_', '-')}" in done.stdout
    assert "examples:" in done.stdout


def test_it_ends_with_code_0_and_says_where_it_listens(database: Database) -> None:
    with running(database.dsn) as found:
        assert found.stop() == 0
    assert found.grade == "apache"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", found.http)


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the first table under a heading of the docs, by their first cell."""
    section = DOCS.read_text("utf-8").partition(heading)[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")
    ]
    return {row[0].strip("`"): [cell.strip("`") for cell in row[1:]] for row in rows[2:]}


def test_the_docs_have_every_setting() -> None:
    expected = {
        field.name: [
            field.metadata["shared"] or f"GIGAWATCH_COLLECTOR_{field.name.upper()}",
            "" if field.default is None else str(field.default),
            field.metadata["help"],
        ]
        for field in dataclasses.fields(Settings)
    }
    assert table("\n## Settings") == expected


def test_the_docs_have_every_figure() -> None:
    meters = Meters()
    meters.watch_bytes(lambda: 0)
    families = [family for family in meters.registry.collect() if family.name.startswith("gigawatch_")]
    expected = {
        f"{family.name}_total" if family.type == "counter" else family.name: family.documentation for family in families
    }
    assert {name: row[1] for name, row in table("\n## Its own figures").items()} == expected


def test_the_docs_have_every_reason() -> None:
    assert {name: row[0] for name, row in table("A point is rejected for one of these reasons:").items()} == REASONS
