"""One reader process, seen from the daemon."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Final

from gigawatch_exporters.messages import Decoder

if TYPE_CHECKING:
    from gigawatch_exporters.messages import Message
    from gigawatch_exporters.reader import Plan

CHUNK: Final = 1 << 16
GRACE: Final = 2.0


class Child:
    """Starts a reader; no call here waits for the driver."""

    def __init__(self, plan: Plan) -> None:
        self._process = subprocess.Popen(plan.words(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._decoder = Decoder()
        self.started = time.monotonic()
        assert self._process.stdout is not None
        self.pipe = self._process.stdout.fileno()
        os.set_blocking(self.pipe, False)

    @property
    def pid(self) -> int:
        return self._process.pid

    def hear(self) -> list[Message] | None:
        """What it said since; None when it has ended, or says what no reader says."""
        found: list[Message] = []
        try:
            while data := os.read(self.pipe, CHUNK):
                found.extend(self._decoder.feed(data))
        except BlockingIOError:
            return found
        except ValueError:
            pass
        return found or None

    def kill(self) -> None:
        """End it; one stuck in the driver ends whenever the driver lets it."""
        self._process.kill()
        self._close()

    def let_go(self) -> None:
        """Ask it to close its library and end; kill it when it does not."""
        self._close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def is_gone(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
