"""How every command ends: errors that a person reads become one line on stderr and an exit code, never a traceback."""

from __future__ import annotations

import logging
import os
import select
import sys
import time
from typing import TYPE_CHECKING

from gigawatch_contract.errors import GigawatchError

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130


def run(prog: str, action: Callable[[], int | None]) -> int:
    """Run a command's action and return its exit code."""
    try:
        code = action() or 0
        sys.stdout.flush()  # a reader that is gone is noticed here, not in the interpreter's last moment
        return code  # noqa: TRY300 - the flush belongs to the action
    except GigawatchError as error:
        print(f"{prog}: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to its person
        return error.exit_code
    except BrokenPipeError:
        if not _reader_is_gone():  # then a connection broke, which is no success
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def _reader_is_gone() -> bool:
    """Whether nobody reads stdout any more: `gigawatch … | head` has seen enough."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return bool(poll.poll(0))


def log_to_stderr(level: str = "info") -> None:
    """Send log records to stderr, one line each, with the time in UTC."""
    logging.Formatter.converter = staticmethod(time.gmtime)
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(asctime)sZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        force=True,
    )
