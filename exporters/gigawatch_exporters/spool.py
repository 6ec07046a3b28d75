"""Exports on disk until the collector has them: bounded by size and age, oldest dropped first, dropped ones counted.

One file is one export, gzipped as it goes over the wire; its name holds the time of its content, its number and kind. A
file appears whole or not at all, so what a killed daemon leaves behind is either an export or a `.part` to be removed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import threading
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from gigawatch_exporters.otlp import Kind

log = logging.getLogger(__name__)

NAME: Final = re.compile(r"(\d{20})-(\d{6})\.(metrics|logs)\.gz")
PART: Final = ".part"
MOST_IN_MEMORY: Final = 100
"""Exports that are kept while the disk takes none."""


@dataclass(frozen=True, order=True, slots=True)
class Entry:
    """One export that waits."""

    time_unix_nano: int
    number: int
    kind: Kind
    size: int = field(compare=False)
    body: bytes | None = field(compare=False, default=None, repr=False)
    """The export itself where the disk did not take it."""

    @property
    def name(self) -> str:
        """Its file."""
        return f"{self.time_unix_nano:020d}-{self.number:06d}.{self.kind}.gz"


class Spool:
    """A folder of exports, and which of them were never tried. Safe to use from several threads.

    Raises:
        ConfigurationError: the folder cannot be used, or another daemon uses it.
    """

    def __init__(self, folder: Path, *, max_bytes: int, max_age: float) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age_nano = int(max_age * 1e9)
        self._changed = threading.Condition()
        self._number = 0
        self.dropped = 0
        """Exports dropped because the spool was full, or they too old to be accepted."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._lock_file = _locked(folder / "lock")
            self._entries = self._left_behind()
        except BlockingIOError as error:
            raise ConfigurationError(f"spool: another exporter uses {folder}; give each its own") from error
        except OSError as error:
            raise ConfigurationError(f"spool: {folder} cannot be used: {error.strerror}") from error
        self._untried: set[Entry] = set()

    @property
    def size(self) -> int:
        """Bytes that wait."""
        with self._changed:
            return sum(entry.size for entry in self._entries)

    @property
    def count(self) -> int:
        """Exports that wait."""
        with self._changed:
            return len(self._entries)

    def put(self, kind: Kind, time_unix_nano: int, body: bytes) -> None:
        """Take an export. Where the disk does not take it, it is kept in memory, and lost with the daemon."""
        with self._changed:
            self._number = (self._number + 1) % 1_000_000
            entry = Entry(time_unix_nano, self._number, kind, len(body))
        try:
            self._write(entry, body)
        except OSError as error:
            log.error("spool %s: %s; the export is kept in memory", self._folder, error.strerror)  # noqa: TRY400 - no traceback
            entry = Entry(time_unix_nano, entry.number, kind, len(body), body)
        with self._changed:
            self._entries.append(entry)
            self._entries.sort()
            self._untried.add(entry)
            self._make_room(time_unix_nano)
            self._changed.notify_all()

    def newest_untried(self, kind: Kind) -> Entry | None:
        """What is live: the latest export that was not tried yet."""
        with self._changed:
            return max((entry for entry in self._untried if entry.kind == kind), default=None)

    def oldest(self, kind: Kind) -> Entry | None:
        """The head of the backlog."""
        with self._changed:
            return next((entry for entry in self._entries if entry.kind == kind), None)

    def read(self, entry: Entry) -> bytes | None:
        """An export; None when its file cannot be read any more."""
        if entry.body is not None:
            return entry.body
        try:
            return (self._folder / entry.name).read_bytes()
        except OSError:
            return None

    def tried(self, entry: Entry) -> None:
        """It was not accepted: it now belongs to the backlog."""
        with self._changed:
            self._untried.discard(entry)

    def remove(self, entry: Entry) -> None:
        """It is done with."""
        with self._changed:
            self._forget(entry)

    def wait(self, seconds: float) -> None:
        """Return when there is a new export, or after so many seconds."""
        with self._changed:
            self._changed.wait(seconds)

    def close(self) -> None:
        """Let another daemon have the folder."""
        self._lock_file.close()

    def wake(self) -> None:
        """Make a wait return."""
        with self._changed:
            self._changed.notify_all()

    def _left_behind(self) -> list[Entry]:
        found: list[Entry] = []
        for path in self._folder.iterdir():
            if path.name.endswith(PART):
                path.unlink()
            elif match := NAME.fullmatch(path.name):
                time, number, kind = match.groups()
                found.append(
                    Entry(int(time), int(number), "logs" if kind == "logs" else "metrics", path.stat().st_size)
                )
        return sorted(found)

    def _write(self, entry: Entry, body: bytes) -> None:
        path = self._folder / entry.name
        part = path.with_name(path.name + PART)
        with part.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())  # a name that survives a power cut must not have lost its content
        part.rename(path)

    def _make_room(self, now_unix_nano: int) -> None:
        total = sum(entry.size for entry in self._entries)
        while self._entries and (
            total > self._max_bytes or now_unix_nano - self._entries[0].time_unix_nano > self._max_age_nano
        ):
            total -= self._entries[0].size
            self._drop(self._entries[0])
        for entry in [entry for entry in self._entries if entry.body is not None][:-MOST_IN_MEMORY]:
            self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        self._forget(entry)
        self.dropped += 1

    def _forget(self, entry: Entry) -> None:
        if entry in self._entries:
            self._entries.remove(entry)
            self._untried.discard(entry)
            (self._folder / entry.name).unlink(missing_ok=True)


def _locked(path: Path) -> IO[str]:
    """An open file that no other process has locked."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
