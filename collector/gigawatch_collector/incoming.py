"""The body of an HTTP request on its way in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]

DISCARD_S: Final = 5.0


class Gone(Exception):  # noqa: N818 - what happened, no fault
    """The sender closed the connection before its request was complete."""


class Incoming:
    """Hands on a body in the chunks in which it comes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        """What is still to come.

        Raises:
            Gone: it will not come any more.
        """
        while not self._complete:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise Gone
            self._complete = not event.get("more_body", False)
            yield event.get("body", b"")

    async def discard(self, limit: int) -> None:
        """Let the rest come, and drop it: who is answered while still sending sees a broken connection, no answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_S):
                async for chunk in self.chunks():
                    limit -= len(chunk)
                    if limit < 0:
                        return
