"""From what is believed to the spool: an export at the node's place in each interval, an event at once."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Final

from gigawatch_exporters.points import metrics_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_exporters.happened import Happened
    from gigawatch_exporters.otlp import Wire
    from gigawatch_exporters.snapshot import NodeIdentity, Snapshot
    from gigawatch_exporters.spool import Spool

ENDING: Final = 2.0
LOOK_AGAIN: Final = 0.05


def place(name: str, interval: float) -> float:
    """Where in the interval a node exports: spreads the nodes of a fleet evenly, and a node keeps its place."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * interval


def seconds_to_next(place: float, interval: float, now_unix: float) -> float:
    """From a time to the node's next place."""
    return interval - (now_unix - place) % interval


class Outbox:
    """A thread that encodes and spools. `ready` tells when there is something to export, or no use in waiting."""

    def __init__(
        self, wire: Wire, spool: Spool, seen: Callable[[], tuple[NodeIdentity, Snapshot]], ready: Callable[[], bool]
    ) -> None:
        self._wire = wire
        self._spool = spool
        self._seen = seen
        self._ready = ready
        self._happened: queue.SimpleQueue[Happened | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._interval = self._place = 0.0

    def start(self, node: str, interval: float) -> None:
        """Begin to export, first as soon as there is something."""
        self._interval, self._place = interval, place(node, interval)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it still does."""
        return self._thread.is_alive()

    def put(self, happened: Happened) -> None:
        """Send an event."""
        self._happened.put(happened)

    def stop(self) -> None:
        """Spool the events that are left, and end."""
        self._happened.put(None)
        if self._thread.is_alive():
            self._thread.join(ENDING)

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            if time.monotonic() >= due:
                if self._ready():
                    self._export()
                    due = time.monotonic() + seconds_to_next(self._place, self._interval, time.time())
                else:
                    due = time.monotonic() + LOOK_AGAIN
            try:
                happened = self._happened.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                continue
            if happened is None:
                return
            identity, _ = self._seen()
            self._spool.put("logs", happened.time_unix_nano, self._wire.logs(identity, happened))

    def _export(self) -> None:
        identity, snapshot = self._seen()
        self._spool.put("metrics", snapshot.time_unix_nano, self._wire.metrics(metrics_data(identity, snapshot)))
