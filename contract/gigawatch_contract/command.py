"""How every command ends: errors that a person reads become one line on stderr and an exit code, never a traceback."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from gigawatch_contract.errors import GigawatchError

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130


def run(prog: str, action: Callable[[], int | None]) -> int:
    """Run a command's action and return its exit code."""
    try:
        return action() or 0
    except GigawatchError as error:
        print(f"{prog}: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to its person
        return error.exit_code
    except BrokenPipeError:  # `gigawatch … | head`: the reader has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def log_to_stderr(level: str = "info") -> None:
    """Send log records to stderr, one line each, with the time in UTC."""
    logging.Formatter.converter = staticmethod(__import__("time").gmtime)
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(asctime)sZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        force=True,
    )
