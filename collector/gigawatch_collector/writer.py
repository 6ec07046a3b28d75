"""The one task that writes: it takes all requests that wait, commits them together, and then answers each of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import psycopg

from gigawatch_collector import refusal
from gigawatch_collector.verdict import verdict
from gigawatch_contract.errors import GigawatchError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gigawatch_collector.load import Request
    from gigawatch_collector.meters import Meters
    from gigawatch_collector.store import Stored

log = logging.getLogger(__name__)

ATTEMPTS: Final = 3
"""Tries of a transaction that met another collector's."""
LONGEST_WAIT_S: Final = 5.0
"""Between two tries to connect."""
NO_DATABASE: Final = "the database does not answer; nothing of this request counts as stored, send it again"


class Sink(Protocol):
    """Where requests are stored: one connection to a database."""

    async def store(self, requests: Sequence[Request]) -> Stored:
        """Commit all of them, or raise and store nothing."""
        ...

    async def close(self) -> None:
        """Let the connection go."""
        ...


@dataclass(slots=True)
class _Waiting:
    request: Request
    answer: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """Writes what is submitted, in the order in which it came, in as few transactions as the load allows."""

    def __init__(
        self, connect: Callable[[], Awaitable[Sink]], meters: Meters, *, batch_points: int, timeout: float
    ) -> None:
        self._connect = connect
        self._meters = meters
        self._batch_points = batch_points
        self._timeout = timeout
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue()
        self._sink: Sink | None = None

    @property
    def up(self) -> bool:
        """Whether the database takes what is sent, as far as is known."""
        return self._sink is not None

    async def start(self) -> None:
        """Connect for the first time; raises what stands in the way."""
        self._take(await self._connect())

    async def submit(self, request: Request) -> None:
        """Return when everything that the request says is committed.

        Raises:
            Refusal: it is not stored, and why.
        """
        if self._sink is None:
            self._meters.failed.labels(request.signal).inc(request.points)
            raise refusal.unavailable(NO_DATABASE)
        self._meters.in_flight.labels(request.signal).inc(request.points)
        waiting = _Waiting(request)
        self._queue.put_nowait(waiting)
        await waiting.answer

    def finish(self) -> None:
        """Have `run` return when all that was submitted is answered."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        """Write until `finish`."""
        ending = False
        while not ending:
            batch, ending = await self._next()
            if batch:
                await self._settle(batch)
            if self._sink is None and not ending:
                ending = await self._reconnect()
        if self._sink is not None:
            await self._drop()

    async def _next(self) -> tuple[list[_Waiting], bool]:
        """All requests that wait, up to a bound of points; and whether the end has come."""
        batch: list[_Waiting] = []
        points = 0
        while points < self._batch_points and (not batch or not self._queue.empty()):
            waiting = await self._queue.get()
            if waiting is None:
                return batch, True
            batch.append(waiting)
            points += waiting.request.batch.points
        return batch, False

    async def _settle(self, batch: list[_Waiting]) -> None:
        """Store a batch and answer each request in it; what spoils it for the others is found by halving."""
        outcome = await self._store([waiting.request for waiting in batch])
        if outcome is None or outcome.reason != "poison":
            self._answer(batch, outcome)
        elif len(batch) == 1:
            log.error("a request of %s is refused", _senders(batch[0].request))
            self._answer(batch, outcome)
        else:
            half = len(batch) // 2
            await self._settle(batch[:half])
            await self._settle(batch[half:])

    async def _store(self, requests: Sequence[Request]) -> refusal.Refusal | None:
        """Store requests, trying again where that may help; returns what stands in the way, or None."""
        for attempt in range(1, ATTEMPTS + 1):
            if self._sink is None:
                break
            try:
                started = time.perf_counter()
                async with asyncio.timeout(self._timeout):
                    stored = await self._sink.store(requests)
            except Exception as error:
                judged = verdict(error)
                if judged == "poison":
                    ours = None if isinstance(error, psycopg.Error) else error  # a fault of our own: with its traceback
                    said = (len(requests), type(error).__name__, _line(error))
                    log.warning("one of %d requests cannot be stored: %s: %s", *said, exc_info=ours)
                    return refusal.poison()
                if judged == "down":
                    log.warning("the database does not take it: %s: %s", type(error).__name__, _line(error))
                    await self._drop()
                    if attempt == 1 and not isinstance(error, TimeoutError):
                        await self._try_connect()
            else:
                self._count(requests, stored, time.perf_counter() - started)
                return None
        return refusal.unavailable(NO_DATABASE)

    def _count(self, requests: Sequence[Request], stored: Stored, seconds: float) -> None:
        self._meters.settle("metrics", stored.points)
        self._meters.settle("logs", stored.records)
        self._meters.staged.inc(stored.staged)
        self._meters.batch_points.observe(sum(request.batch.points for request in requests))
        self._meters.commit.observe(seconds)

    def _answer(self, batch: Sequence[_Waiting], outcome: refusal.Refusal | None = None) -> None:
        for waiting in batch:
            signal, points = waiting.request.signal, waiting.request.points
            self._meters.in_flight.labels(signal).dec(points)
            if outcome is None:
                self._meters.reject(signal, waiting.request.late_rejects)
            elif outcome.retry_after is None:
                self._meters.reject(signal, {outcome.reason: points})
            else:
                self._meters.failed.labels(signal).inc(points)
            if waiting.answer.done():  # its sender has gone
                continue
            if outcome is None:
                waiting.answer.set_result(None)
            else:
                waiting.answer.set_exception(outcome)

    def _take(self, sink: Sink) -> None:
        self._sink = sink
        self._meters.database_up.set(1)

    async def _drop(self) -> None:
        """Forget the connection, and what was learnt through it."""
        sink, self._sink = self._sink, None
        self._meters.database_up.set(0)
        if sink is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await sink.close()

    async def _try_connect(self) -> None:
        try:
            self._take(await self._connect())
        except (GigawatchError, psycopg.Error, OSError) as error:
            log.warning("no connection to the database: %s", _line(error))

    async def _reconnect(self) -> bool:
        """Try until there is a connection, answering meanwhile what still waits; True when the end has come."""
        wait = 0.2
        while self._sink is None:
            while not self._queue.empty():
                waiting = self._queue.get_nowait()
                if waiting is None:
                    return True
                self._answer([waiting], refusal.unavailable(NO_DATABASE))
            await asyncio.sleep(random.uniform(wait / 2, wait))  # noqa: S311 - spreads load
            wait = min(2 * wait, LONGEST_WAIT_S)
            await self._try_connect()
        log.info("the database takes what is sent again")
        return False


def _senders(request: Request) -> str:
    names = {f"{one.sender.factory}/{one.sender.host_name!a}" for one in request.batch.telemetry}
    return ", ".join(sorted(names)[:3])


def _line(error: Exception) -> str:
    """The first line of an error: a log has one line for each thing that happened."""
    return str(error).partition("\n")[0]
