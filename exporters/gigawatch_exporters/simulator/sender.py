"""Sends the exports of a fleet over several connections, with bounded patience, and counts what became of them."""

from __future__ import annotations

import contextlib
import http.client
import queue
import threading
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from gigawatch_contract.errors import Unavailable
from gigawatch_exporters.simulator.transport import Answer, Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_exporters.simulator.fleet import Export, Kind

ATTEMPTS: Final = 6
LONGEST_WAIT: Final = 30.0
"""Seconds; a receiver that asks for more patience than this is asked again after this."""
GRACE: Final = 0.5
"""Seconds that a connection gets to finish its request when all must stop."""
RETRYABLE: Final = frozenset({408, 429, 502, 503, 504})
WAITING: Final = 64
"""Exports that wait for one connection, before the simulation itself waits."""


class Post(Protocol):
    """A connection to a receiver."""

    def post(self, kind: Kind, body: bytes) -> Answer:
        """Send one export; raises OSError or HTTPException when there is no answer."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the exports so far."""

    exports: int = 0
    """Exports that the receiver acknowledged."""
    points: int = 0
    """Points and log records in them, without those it rejected."""
    rejected: int = 0
    """Points and log records that the receiver did not take, in acknowledged exports or refused ones."""
    errors: int = 0
    """Attempts that failed, those that were repeated with success included."""
    given_up: int = 0
    """Exports that were not acknowledged."""
    last_error: str = ""


def delay(answer: Answer | None, attempt: int) -> float | None:
    """Seconds to wait before the next attempt (the first is attempt 1), or None: there is to be none."""
    if attempt >= ATTEMPTS or (answer is not None and answer.status not in RETRYABLE):
        return None
    if answer is not None and answer.retry_after is not None:
        return min(answer.retry_after, LONGEST_WAIT)
    return min(0.25 * 2**attempt, LONGEST_WAIT)


class Sender:
    """Each node's exports go over the same connection, in order, as from a real node."""

    def __init__(self, connect: Callable[[], Post], connections: int) -> None:
        self._lock: Final = threading.Lock()
        self._tally: Tally = Tally()
        self._stop: Final = threading.Event()
        self._queues: Final = [queue.Queue["Export | None"](WAITING) for _ in range(connections)]
        self._threads: Final = [
            threading.Thread(target=self._work, args=(waiting, connect()), daemon=True) for waiting in self._queues
        ]
        for thread in self._threads:
            thread.start()

    @property
    def tally(self) -> Tally:
        """What became of the exports so far."""
        return self._tally

    def put(self, export: Export) -> None:
        """Queue an export; waits while its connection has too many."""
        self._queues[zlib.crc32(export.host_name.encode()) % len(self._queues)].put(export)

    def close(self, *, at_once: bool = False) -> Tally:
        """Send what is queued, hang up, and tell what became of it all; `at_once`: leave what is not sent yet."""
        if at_once:
            self._stop.set()
        for waiting, thread in zip(self._queues, self._threads, strict=True):
            if not at_once:
                waiting.put(None)
            else:
                with contextlib.suppress(queue.Full):  # a thread that has more to do looks at _stop first
                    waiting.put_nowait(None)
            thread.join(GRACE if at_once else None)
        return self._tally

    def _work(self, waiting: queue.Queue[Export | None], connection: Post) -> None:
        while (export := waiting.get()) is not None and not self._stop.is_set():
            self._send(export, connection)
        connection.close()

    def _send(self, export: Export, connection: Post) -> None:
        attempt = 0
        while True:
            attempt += 1
            answer: Answer | None = None
            try:
                answer = connection.post(export.kind, export.body)
                error = answer.message
            except (OSError, http.client.HTTPException) as failure:
                error = str(failure) or type(failure).__name__
            if answer is not None and answer.status == http.client.OK:
                self._add(exports=1, points=export.points - answer.rejected, rejected=answer.rejected, last_error=error)
                return
            wait = delay(answer, attempt)
            if wait is None or self._stop.wait(wait):
                self._add(errors=1, given_up=1, rejected=export.points if answer else 0, last_error=error)
                return
            self._add(errors=1, last_error=error)

    def _add(self, *, last_error: str = "", **counts: int) -> None:
        with self._lock:
            now = self._tally
            sums = {name: getattr(now, name) + count for name, count in counts.items()}
            self._tally = replace(now, **sums, last_error=last_error or now.last_error)


def check_reachable(endpoint: str) -> None:
    """Refuse to start when nobody listens.

    Raises:
        Unavailable: the receiver does not answer; says how to start one.
    """
    connection = Connection(endpoint)
    try:
        connection.post("metrics", b"")
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(
            f"{endpoint} does not answer ({error}): start `gigawatch collector`, or give --endpoint"
        ) from error
    finally:
        connection.close()
