"""The demo's child processes: started in order, watched, stopped in reverse; none outlives the demo."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gigawatch_contract.errors import GigawatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STOP_SECONDS: Final = 15.0


def says_ready(line: str) -> bool:
    """Every part prints one line that starts with `ready:` when it can do its work."""
    return line.startswith("ready:")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A subcommand to run beside the others."""

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    ready: Callable[[str], bool] = says_ready
    """Whether a line that it printed says that it can do its work."""
    wait: float = 60.0
    """Seconds it may take to become ready."""


class Child:
    """One running part; its output is kept in a file of the data folder, and each line handed on."""

    def __init__(self, part: Part, log: Path, on_line: Callable[[str], None] | None = None) -> None:
        self.part = part
        self.log = log
        self._ready = threading.Event()
        self._on_line = on_line
        # The kernel ends the child when the demo dies, however it dies.
        guard = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()
        self._process = subprocess.Popen(
            (*guard, sys.executable, "-u", "-m", "gigawatch", *part.words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **part.environment},
            start_new_session=True,  # Ctrl-C in the terminal reaches the demo, which stops its parts in order
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name=f"read {part.name}", daemon=True)
        self._reader.start()

    def wait_ready(self) -> None:
        """Return when the part says that it is ready.

        Raises:
            GigawatchError: it ended or took too long; the message holds its last words.
        """
        deadline = time.monotonic() + self.part.wait
        while not self._ready.wait(0.05):
            if self._process.poll() is not None:
                self._reader.join(2)
                raise GigawatchError(f"the {self.part.name} ended at once: {self._last_words()}")
            if time.monotonic() > deadline:
                raise GigawatchError(
                    f"the {self.part.name} was not ready within {self.part.wait:.0f} s: {self._last_words()}"
                )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to end, and see that it and all it started has ended."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join(2)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with self.log.open("w", encoding="utf-8") as log:
            for line in stream:
                log.write(line)
                log.flush()
                if not self._ready.is_set() and self.part.ready(line):
                    self._ready.set()
                if self._on_line:
                    self._on_line(line)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
            if lines:
                return f"{lines[-1]} (all of it: {self.log})"
        return f"it said nothing ({self.log})"
