"""What the kernel says of this machine and of the daemon's own processes."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
import uuid
from pathlib import Path
from typing import Final

APPLICATION: Final = uuid.UUID("0b6d3f1a-7c58-4f0e-9d55-27f1c6a4be93")
"""machine-id(5): the machine's id is confidential, an application hashes it with a key of its own."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def host_id(path: Path = Path("/etc/machine-id")) -> str | None:
    """An id of this machine that only this application knows; None on a machine without an id."""
    try:
        machine = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError):
        return None
    digest = hmac.new(machine, APPLICATION.bytes, hashlib.sha256).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def boot_id() -> str:
    """Another after each start of the machine; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def boot_time_unix_nano() -> int:
    """When this machine started; now, where the kernel does not tell."""
    try:
        lines = Path("/proc/stat").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("btime ")) * 1_000_000_000
    except (OSError, StopIteration):
        return time.time_ns()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far; 0 when it has gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / TICKS


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE
    except OSError:
        return 0


class CpuTime:
    """CPU time of this process and of readers that come and go: it never falls."""

    def __init__(self) -> None:
        self._of_readers: dict[int, float] = {}

    def seconds(self, readers: list[int]) -> float:
        """So far, with that of readers that have ended."""
        for pid in readers:
            self._of_readers[pid] = max(self._of_readers.get(pid, 0.0), cpu_seconds(pid))
        return time.process_time() + sum(self._of_readers.values())
