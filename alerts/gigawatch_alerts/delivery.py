"""Workers that bring messages to one receiver: claim, send, settle. HTTP never happens inside a transaction.

A worker that dies in between leaves a lease that ends; whoever comes next sends the same message under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

import httpx
import psycopg

from gigawatch_alerts import outbox, webhook
from gigawatch_alerts.address import PinnedTransport, Policy, Refused
from gigawatch_alerts.answers import Answer, Verdict, judge, pause
from gigawatch_contract.errors import GigawatchError

if TYPE_CHECKING:
    from standardwebhooks import Webhook

log = logging.getLogger(__name__)
for _name in ("httpx", "httpcore"):  # they log whole URLs, and a webhook's path is often a secret
    logging.getLogger(_name).setLevel(logging.WARNING)

MOST_OF_AN_ANSWER: Final = 16 * 1024
"""Bytes read of a receiver's answer, so that the connection can be used again; they are not looked at."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Sender(Protocol):
    """Makes one attempt; an attempt that fails is an answer, never an exception."""

    async def send(self, content: str, headers: dict[str, str]) -> Answer:
        """Post the message."""
        ...


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Where messages go, and how long it may take."""

    name: str
    url: httpx.URL = field(repr=False)
    policy: Policy = field(default_factory=Policy)
    signing: Sequence[Webhook] = field(default=(), repr=False)
    timeout: timedelta = timedelta(seconds=15)
    give_up_after: timedelta = timedelta(hours=72)
    external_url: str = ""

    @property
    def lease(self) -> timedelta:
        """Longer than any attempt lasts: an attempt has a deadline over all of it."""
        return self.timeout + timedelta(seconds=15)


class HttpSender:
    """Posts to a receiver through the pinned transport, within a deadline over the whole exchange."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._client = httpx.AsyncClient(
            transport=PinnedTransport(receiver.policy),
            follow_redirects=False,
            trust_env=False,
            timeout=receiver.timeout.total_seconds(),
        )

    async def send(self, content: str, headers: dict[str, str]) -> Answer:
        """Post the message."""
        seconds = self._receiver.timeout.total_seconds()
        try:
            async with (
                asyncio.timeout(seconds),  # httpx bounds each step; a receiver that sends drop by drop takes many
                self._client.stream("POST", self._receiver.url, content=content.encode(), headers=headers) as response,
            ):
                answer = Answer(status=response.status_code, retry_after=response.headers.get("retry-after"))
                read = 0
                async for part in response.aiter_raw():
                    read += len(part)
                    if read > MOST_OF_AN_ANSWER:
                        break
                return answer
        except TimeoutError:
            return Answer(error=f"no answer within {seconds:g} s")
        except Refused as refused:
            return Answer(error=str(refused))
        except httpx.ConnectError as error:
            return Answer(error=f"cannot connect: {str(error)[:200]}")
        except (httpx.HTTPError, httpx.InvalidURL):
            return Answer(error="the connection broke before an answer")
        except Exception as error:  # noqa: BLE001 - a fault of ours with one message must not stop all others
            return Answer(error=f"a fault of gigawatch: {type(error).__name__}")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def deliver_one(
    connection: psycopg.Connection,
    receiver: Receiver,
    sender: Sender,
    *,
    clock: Clock = utc_now,
    chance: random.Random | None = None,
) -> Verdict | None:
    """Make one attempt at the message that is due longest; None when nothing is due."""
    message = outbox.claim(connection, receiver.name, clock(), receiver.lease, receiver.external_url)
    if message is None:
        return None
    headers = webhook.headers(str(message.message_id), message.body, receiver.signing, clock())
    answer = await sender.send(message.body, headers)
    now = clock()
    verdict = judge(answer, age=now - message.created_at, give_up_after=receiver.give_up_after)
    wait = pause(answer, message.number, now, chance or random.SystemRandom())
    outbox.settle(connection, message, answer, verdict, now=now, pause=wait)
    _report(receiver, message, answer, verdict)
    return verdict


def _report(receiver: Receiver, message: outbox.Message, answer: Answer, verdict: Verdict) -> None:
    if verdict == "delivered":
        log.info("receiver %s: message %s delivered, attempt %d", receiver.name, message.message_id, message.number)
        return
    ends: dict[Verdict, str] = {
        "again": "will be tried again",
        "dead": "given up: it is a dead letter now",
        "gone": "the receiver wants no more: it is disabled until `gigawatch alerts enable` or a new --webhook",
    }
    reason = answer.error or f"status {answer.status}"
    log.warning(
        "receiver %s: message %s, attempt %d: %s; %s",
        receiver.name,
        message.message_id,
        message.number,
        reason,
        ends[verdict],
    )


class Worker(threading.Thread):
    """Delivers to one receiver until told to stop; an attempt that has begun is brought to its end."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection],
        receiver: Receiver,
        stop: threading.Event,
        *,
        poll_s: float = 0.5,
        delivered: Callable[[Verdict], None] = lambda _: None,
    ) -> None:
        super().__init__(name=f"delivery to {receiver.name}", daemon=True)
        self._connect = connect
        self._receiver = receiver
        self._stop_asked = stop
        self._poll_s = poll_s
        self._delivered = delivered

    def run(self) -> None:
        """Deliver; a database that goes away is waited for."""
        with asyncio.Runner() as runner:
            sender = runner.run(_sender(self._receiver))
            while not self._stop_asked.is_set():
                try:
                    with self._connect() as connection:
                        self._deliver(runner, connection, sender)
                except (GigawatchError, psycopg.Error) as error:
                    log.warning("delivery waits for the database: %s", str(error).partition("\n")[0])
                    self._stop_asked.wait(2)
            runner.run(sender.aclose())

    def _deliver(self, runner: asyncio.Runner, connection: psycopg.Connection, sender: HttpSender) -> None:
        while not self._stop_asked.is_set():
            verdict = runner.run(deliver_one(connection, self._receiver, sender))
            if verdict is None:
                self._stop_asked.wait(self._poll_s)
            else:
                self._delivered(verdict)


async def _sender(receiver: Receiver) -> HttpSender:
    return HttpSender(receiver)
