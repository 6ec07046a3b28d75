"""The pages, served by the real command while a test runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

START_S: Final = 60
STOP_S: Final = 15


@contextmanager
def serving(dsn: str, *flags: str) -> Generator[str]:
    """The address of the pages on a database, while they are served; they must end cleanly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gigawatch_dashboards", "--port", "0", *flags],
        env={**os.environ, "GIGAWATCH_DSN": dsn},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # it is a pipe
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline()
        watchdog.cancel()
        assert line.startswith("ready: http://"), f"the pages did not start: {line!r}"
        yield line.split()[1]
    finally:
        watchdog.cancel()
        process.terminate()
        code = process.wait(STOP_S)
        process.stdout.close()
        assert code == 0, f"the pages ended with {code}"
