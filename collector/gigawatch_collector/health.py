"""Whether the collector can do its work now."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from gigawatch_contract.errors import GigawatchError

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD_FOR_S: Final = 1.0
"""An answer is kept this long: probes from many sides cost the database no more than one."""


class Health:
    """Readiness: the database answers, its schema fits, and the collector is not about to end."""

    def __init__(self, check: Callable[[], object]) -> None:
        self._check = check
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._objection: str | None = None
        self.ending = False

    async def objection(self) -> str | None:
        """Why the collector is not ready, in a sentence; None when it is."""
        if self.ending:
            return "the collector is ending"
        async with self._lock:
            if time.monotonic() > self._until:
                self._objection = await self._look()
                self._until = time.monotonic() + GOOD_FOR_S
        return self._objection

    async def _look(self) -> str | None:
        try:
            await asyncio.to_thread(self._check)
        except GigawatchError as error:
            return str(error)
        return None
