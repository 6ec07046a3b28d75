"""A collector for tests: the real command in a process of its own, on free ports."""

from __future__ import annotations

import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_collector.meters import PREFIX

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

READY: Final = re.compile(r"ready: OTLP/HTTP on (http://\S+), gRPC (?:on (\S+)|off), database (\w+) grade")
COMMAND: Final = "import sys; from gigawatch_collector.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the collector answered over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes


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

    def post(self, body: bytes, *, signal: str = "metrics", json: bool = False, gzipped: bool = False) -> Reply:
        """Send an export over HTTP."""
        headers = {"content-type": "application/json" if json else "application/x-protobuf"}
        if gzipped:
            headers["content-encoding"] = "gzip"
        return ask(f"{self.http}/v1/{signal}", gzip.compress(body) if gzipped else body, headers)

    def figures(self) -> dict[str, float]:
        """The collector's figures about itself, without the prefix: `stored_points_total{signal="metrics"}`."""
        lines = ask(f"{self.http}/metrics").body.decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line.startswith(PREFIX))
        return {name.removeprefix(PREFIX): float(value) for name, _, value in pairs}

    @contextmanager
    def half_sent(self, body: bytes) -> Generator[None]:
        """A sender that has sent all of its body but the last byte, and waits."""
        host, _, port = self.http.removeprefix("http://").rpartition(":")
        head = (
            f"POST /v1/metrics HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(body) + 1}\r\n\r\n"
        )
        with socket.create_connection((host, int(port)), 10) as sender:
            sender.sendall(head.encode() + body)
            while self.figures()["in_flight_bytes"] < len(body):
                time.sleep(0.01)
            yield

    def peak_memory(self) -> int:
        """The most bytes of memory that it has had."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Let go of what a collector that has ended leaves behind."""
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

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
        collector.close()


def _listen(collector: Collector) -> None:
    """Keep what it logs: a full pipe would stop it."""
    assert collector.process.stderr is not None
    collector.log.extend(line.rstrip() for line in collector.process.stderr)


def ask(
    url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, method: str | None = None
) -> Reply:
    """One HTTP request; an error status is a reply like any other."""
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return Reply(answer.status, {key.lower(): value for key, value in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, {key.lower(): value for key, value in error.headers.items()}, error.read())
