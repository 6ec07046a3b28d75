"""A collector for tests: the real command in a process of its own, on free ports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

READY: Final = re.compile(r"ready: OTLP/HTTP on (http://\S+), gRPC (?:on (\S+)|off), database (\w+) grade")
COMMAND: Final = "import sys; from gigawatch_collector.cli import main; sys.exit(main())"


@dataclass(slots=True)
class Collector:
    """A running collector."""

    process: subprocess.Popen[str]
    http: str
    """http://host:port"""
    grpc: str
    """host:port; empty when it is off"""
    grade: str
    log: list[str] = field(default_factory=list[str])
    """Its lines on stderr."""

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as a service manager does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def start(dsn: str, *options: str) -> Collector:
    """Start a collector and wait until it is ready.

    Raises:
        RuntimeError: it ended instead; the message is what it said.
    """
    command = [sys.executable, "-c", COMMAND, "--dsn", dsn, "--http-port", "0", "--grpc-port", "0", *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("GIGAWATCH_")},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = READY.match(line)
    if found is None:
        _, said = process.communicate(timeout=30)
        raise RuntimeError(f"the collector did not start: {line}{said}")
    collector = Collector(process, found[1], found[2] or "", found[3])
    threading.Thread(target=_listen, args=(collector,), daemon=True).start()
    return collector


@contextmanager
def running(dsn: str, *options: str) -> Generator[Collector]:
    """A collector while the context lasts."""
    collector = start(dsn, *options)
    try:
        yield collector
    finally:
        if collector.process.poll() is None:
            collector.stop()
        for stream in (collector.process.stdout, collector.process.stderr):
            if stream is not None:
                stream.close()


def _listen(collector: Collector) -> None:
    """Keep what it logs: a full pipe would stop it."""
    assert collector.process.stderr is not None
    collector.log.extend(line.rstrip() for line in collector.process.stderr)
