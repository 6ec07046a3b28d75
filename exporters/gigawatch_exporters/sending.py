"""From the spool to the collector: what is live at once, the backlog behind it and slowly."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from gigawatch_exporters.otlp import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_exporters.otlp import Answer, Kind
    from gigawatch_exporters.spool import Entry, Spool

log = logging.getLogger(__name__)

Verdict = Literal["accepted", "refused", "later"]
AT_FAULT: Final = frozenset({400, 413, 415, 422})
"""Statuses that say the export itself is wrong: it would be refused for ever. All other refusals (a wrong token, a wrong
address, an overload) are mended on the other side or in the settings, and the export is kept."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
LONGEST_ASKED: Final = 600.0
REPLAY_PAUSE: Final = 0.25
"""Mean seconds between exports of the backlog."""

LOOK_AGAIN: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast one kind of export may go (monotonic times)."""

    failures: int = 0
    not_before: float = 0.0
    replay_not_before: float = math.inf
    """Never before something live was accepted."""


def verdict(answer: Answer) -> Verdict:
    """What becomes of an export."""
    if answer.status is not None and 200 <= answer.status < 300:
        return "accepted"
    return "refused" if answer.status in AT_FAULT else "later"


def after(pace: Pace, answer: Answer, now: float, luck: float, spread: float) -> Pace:
    """The pace after an answer.

    `luck`, from 0 to 1, keeps nodes from acting in step: after an outage, thousands of them begin their replay spread
    over `spread` seconds.
    """
    if verdict(answer) == "later":
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(pace.failures, 10)) * (0.5 + luck)
        asked = min(LONGEST_ASKED, answer.retry_after or 0.0)
        return replace(pace, failures=pace.failures + 1, not_before=now + max(pause, asked))
    if pace.failures or pace.replay_not_before == math.inf:
        return Pace(replay_not_before=now + spread * luck)
    return Pace(replay_not_before=max(pace.replay_not_before, now + 2 * REPLAY_PAUSE * luck))


def due(pace: Pace, live: Entry | None, backlog: Entry | None, now: float) -> tuple[Entry | None, float | None]:
    """What to send now, or in how many seconds to look again (None: when there is something new)."""
    if live:
        return (live, None) if now >= pace.not_before else (None, pace.not_before - now)
    if backlog:
        begin = max(pace.not_before, pace.replay_not_before)
        return (backlog, None) if now >= begin else (None, begin - now)
    return None, None


@dataclass(kw_only=True, slots=True)
class Tally:
    """What became of the exports, for the daemon's own figures."""

    accepted: int = 0
    refused: int = 0
    failed: int = 0
    last_accepted: float = 0.0
    """Unix time."""
    paces: dict[Kind, Pace] = field(default_factory=dict["Kind", "Pace"])


class Sender:
    """A thread that empties the spool."""

    def __init__(self, spool: Spool, post: Callable[[Kind, bytes], Answer], spread: float) -> None:
        self._spool = spool
        self._spread = spread
        self._post = post
        self._stopped = threading.Event()
        self.tally = Tally(paces=dict.fromkeys(KINDS, Pace()))
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it still does."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Begin no other export; what was not sent stays in the spool."""
        self._stopped.set()
        self._spool.wake()

    def _run(self) -> None:
        while not self._stopped.is_set():
            waits = [LOOK_AGAIN]
            for kind in KINDS:
                live, backlog = self._spool.newest_untried(kind), self._spool.oldest(kind)
                entry, wait = due(self.tally.paces[kind], live, backlog, time.monotonic())
                if entry:
                    self._send(entry)
                    waits.append(0.0)
                elif wait is not None:
                    waits.append(wait)
            self._spool.wait(min(waits))

    def _send(self, entry: Entry) -> None:
        body = self._spool.read(entry)
        if body is None:
            self._spool.remove(entry)
            return
        answer = self._post(entry.kind, body)
        self._keep_pace(entry.kind, answer)
        match verdict(answer):
            case "accepted":
                self._spool.remove(entry)
                self.tally.accepted += 1
                self.tally.last_accepted = time.time()
                if answer.reason:
                    log.warning("the collector took the %s but not all: %s", entry.kind, answer.reason)
            case "refused":
                self._spool.remove(entry)
                self.tally.refused += 1
                log.error("the collector refuses these %s for good, they are dropped: %s", entry.kind, answer.reason)
            case "later":
                self._spool.tried(entry)
                self.tally.failed += 1
                pace = self.tally.paces[entry.kind]
                if pace.failures in {1, 10, 100} or pace.failures % 1000 == 0:
                    log.warning(
                        "%s could not be sent (%d times now), %d wait in the spool: %s",
                        entry.kind, pace.failures, self._spool.count, answer.reason,
                    )  # fmt: skip

    def _keep_pace(self, kind: Kind, answer: Answer) -> None:
        now, luck = time.monotonic(), random.random()  # noqa: S311 - spreads load
        paces = self.tally.paces
        paces[kind] = after(paces[kind], answer, now, luck, self._spread)
        if verdict(answer) == "accepted":
            for other in KINDS:  # the backlog of a kind that has nothing live begins then too
                if paces[other].replay_not_before == math.inf:
                    paces[other] = replace(paces[other], replay_not_before=now + self._spread * luck)
