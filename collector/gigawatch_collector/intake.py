"""What happens to a request whatever it came over: held within the budget, decoded, stored, answered, counted."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from gigawatch_collector import refusal
from gigawatch_collector.answers import Answer
from gigawatch_collector.budget import Budget
from gigawatch_collector.decode import decode
from gigawatch_collector.load import Request
from gigawatch_collector.rejects import message
from gigawatch_collector.window import Window

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    from gigawatch_collector.batch import Batch
    from gigawatch_collector.decode import Encoding, Signal
    from gigawatch_collector.meters import Meters
    from gigawatch_collector.settings import Settings

log = logging.getLogger(__name__)

LARGE: Final = 256 * 1024
"""Bytes: a larger body is decoded beside the event loop, so that the small ones need not wait for it."""
NOUNS: Final[dict[Signal, str]] = {"metrics": "data points", "logs": "log records"}


class Intake:
    """Takes requests. Everything that it needs from outside is handed in."""

    def __init__(
        self,
        settings: Settings,
        meters: Meters,
        submit: Callable[[Request], Awaitable[None]],
        executor: Executor,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.settings = settings
        self.meters = meters
        self.budget = Budget(settings.budget)
        self._submit = submit
        self._executor = executor
        self._clock = clock
        meters.watch_bytes(lambda: self.budget.used)

    async def take(self, signal: Signal, encoding: Encoding, body: bytes) -> Answer:
        """Store what a body says, and return what to tell its sender.

        Raises:
            Refusal: nothing of it is stored.
        """
        now = self._clock()
        batch = await self._decode(signal, encoding, body, Window.around(now, self.settings.accept_window))
        request = Request(signal, batch, now // 1000)
        self.meters.accept(signal, batch)
        if batch.telemetry:
            await self._submit(request)
        rejected = batch.rejected + request.late_rejects
        said = message(batch, rejected, NOUNS[signal])
        if batch.points and rejected.total() == batch.points:
            raise refusal.nothing_acceptable(said)
        return Answer(rejected.total(), said)

    async def _decode(self, signal: Signal, encoding: Encoding, body: bytes, window: Window) -> Batch:
        if len(body) <= LARGE:
            return decode(signal, encoding, body, window)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, decode, signal, encoding, body, window)
