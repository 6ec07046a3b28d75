"""Every command ends in an exit code; what a person must know is one line on stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gigawatch_contract import command, errors

if TYPE_CHECKING:
    from collections.abc import Callable


def failing(error: BaseException) -> Callable[[], int | None]:
    def action() -> int | None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.GigawatchError("x"), 1),
        (errors.ConfigurationError("x"), 2),
        (errors.SchemaError("x"), 3),
        (errors.Unavailable("x"), 4),
    ],
)
def test_an_error_for_a_person_is_one_line_and_its_own_exit_code(
    error: errors.GigawatchError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run("gigawatch x", failing(error)) == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "gigawatch x: x\n")


def test_an_error_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        command.run("gigawatch x", failing(ZeroDivisionError()))


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (7, 7)])
def test_an_action_that_returns_nothing_succeeded(returned: int | None, code: int) -> None:
    assert command.run("gigawatch x", lambda: returned) == code


def test_control_c_ends_quietly_with_the_code_that_shells_expect(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("gigawatch x", failing(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("lines", [2, 100_000], ids=["less than the buffer", "more than the pipe"])
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(lines: int) -> None:
    """`gigawatch … | head`, in a process of its own: the interpreter's end is part of it."""
    script = (
        "import sys; from gigawatch_contract import command\n"
        f"def action():\n    sys.stdin.read()\n    for number in range({lines}): print(number)\n"
        "sys.exit(command.run('gigawatch x', action))"
    )
    read, write = os.pipe()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(write)
        os.close(read)  # before the first line is written
        _, said = process.communicate(b"", timeout=30)
    assert (process.returncode, said) == (0, b"")


def test_a_connection_that_breaks_is_not_taken_for_a_reader_that_left() -> None:
    with pytest.raises(BrokenPipeError):
        command.run("gigawatch x", failing(BrokenPipeError()))


def test_log_lines_carry_the_time_in_utc_the_level_and_the_part() -> None:
    script = (
        "import logging; from gigawatch_contract import command\n"
        "command.log_to_stderr('info'); logging.getLogger('gigawatch.x').info('hello')\n"
        "logging.getLogger('gigawatch.x').debug('not said')"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"TZ": "Asia/Tokyo"}
    )
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.endswith("Z INFO gigawatch.x: hello")
