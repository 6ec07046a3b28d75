from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psycopg
import pytest

from gigawatch_database import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gigawatch_database import testing


@pytest.fixture
def data(server_folder: Path) -> Iterator[Path]:
    path = server_folder / "command"
    yield path
    cli.main(["stop", "--data", str(path)])
    shutil.rmtree(path)


def test_the_server_is_started_looked_at_and_stopped(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--data", str(data)]
    assert cli.main(["status", *place]) == 1
    assert "Not running" in capsys.readouterr().out
    assert cli.main(["start", *place, "--timescale", "false"]) == 0
    assert f"Running: plain PostgreSQL, without TimescaleDB, data in {data}" in capsys.readouterr().out
    assert cli.main(["status", *place]) == 0
    shown = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert shown["grade"].strip() == "plain PostgreSQL, without TimescaleDB"
    assert shown["PostgreSQL"].strip().startswith("16.")
    assert shown["TimescaleDB"].strip() == "none"
    assert shown["data folder"].strip() == str(data)
    assert "MB" in shown["size"]
    assert cli.main(["dsn", *place]) == 0
    with psycopg.connect(capsys.readouterr().out.strip()) as connection:
        assert connection.execute("SELECT count(*) FROM accelerator_reading").fetchone() == (0,)
    assert cli.migrate(place) == 0
    assert "up to date" in capsys.readouterr().out
    assert cli.main(["stop", *place]) == 0
    assert cli.main(["dsn", *place]) == 4
    assert "start it with `gigawatch database start`" in capsys.readouterr().err


def test_a_database_that_is_named_is_migrated_and_the_files_are_told(
    timescale: testing.Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with timescale.database(template=None) as empty:
        assert cli.migrate(["--dsn", empty.dsn]) == 0
        told = capsys.readouterr().out
        assert "migrations/telemetry/0001_telemetry.sql" in told
        assert "(TimescaleDB, Apache licence)" in told


@pytest.mark.parametrize(
    ("dsn", "code", "words"),
    [("no dsn", 2, "GIGAWATCH_DSN (--dsn) cannot be read"), ("postgresql://u:p@127.0.0.1:1/d", 4, "does not answer")],
)
def test_an_error_is_one_line_and_a_code(dsn: str, code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.migrate(["--dsn", dsn], "gigawatch migrate") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gigawatch migrate: ")
    assert words in line


@pytest.mark.parametrize("words", [["--help"], ["start", "--help"], ["status", "--help"]])
def test_help_teaches(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 0
    assert "GIGAWATCH_DATA" in capsys.readouterr().out or words == ["--help"]
