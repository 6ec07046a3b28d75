"""Keeps a reader at work: starts, replaces and ends reader processes, and hands on what the one in charge says."""

from __future__ import annotations

import logging
import select
from typing import TYPE_CHECKING

from gigawatch_exporters.child import Child
from gigawatch_exporters.messages import Answered, Inventory
from gigawatch_exporters.replacing import Patience, after_death, after_try, cause, does_as_well, healthy

if TYPE_CHECKING:
    from gigawatch_exporters.messages import Message
    from gigawatch_exporters.reader import Plan
    from gigawatch_exporters.watchdog import Watch

log = logging.getLogger(__name__)


class Readers:
    """The reader in charge, at times a successor on trial, and killed ones that do not die."""

    def __init__(self, plan: Plan, *, hang: float, trial: float = 15.0) -> None:
        self._plan = plan
        self._hang = hang
        self._trial = trial
        self._successor: Child | None = None
        self._said_by_successor: list[Message] = []
        self._stuck: list[Child] = []
        self._deaths = Patience()
        self._tries = Patience()
        self._counts = False
        self.restarts = 0
        """Times a reader was replaced because it hung or died."""
        self._in_charge: Child | None = Child(plan)

    def pids(self) -> list[int]:
        """Of the readers that do work."""
        return [child.pid for child in (self._in_charge, self._successor) if child]

    def hear(self, seconds: float, now: float) -> list[Message]:
        """What the reader in charge says within so many seconds; soon back when there is something."""
        children = [child for child in (self._in_charge, self._successor) if child]
        ready, _, _ = select.select([child.pipe for child in children], [], [], seconds)
        found: list[Message] = []
        for child in children:
            if child.pipe not in ready:
                continue
            said = child.hear()
            if child is self._in_charge:
                found = self._succeed(now) if said is None else said
            elif said is None:
                self._give_up(now)
            else:
                self._said_by_successor += said
        return found

    def tend(self, watch: Watch, now: float) -> list[Message]:
        """Start, promote or end readers as is due; what a promoted one said on trial."""
        self._stuck = [child for child in self._stuck if not child.is_gone()]
        if healthy(watch):
            self._tries = Patience()
        if self._in_charge is None:
            if now >= self._deaths.not_before:
                self._in_charge = Child(self._plan)
                self.restarts += 1
        elif self._successor is None:
            age = now - self._in_charge.started
            why = cause(watch, self._tries, now, reader_age=age, hang=self._hang, stuck=len(self._stuck))
            if why:
                log.info("another reader is tried beside the present one: %s", why)
                self._counts = why == "hung"
                self._tries = after_try(self._tries, now)
                self._successor = Child(self._plan)
        elif does_as_well(watch, *_heard_on_trial(self._said_by_successor)):
            return self._promote()
        elif now - self._successor.started > self._trial:
            self._give_up(now)
        return []

    def end(self) -> None:
        """End all readers, without waiting for those that hang."""
        for child in (self._in_charge, self._successor):
            if child:
                child.let_go()

    def _promote(self) -> list[Message]:
        assert self._in_charge
        last_words = self._in_charge.hear() or []
        self._discard(self._in_charge)
        self.restarts += self._counts
        self._in_charge, self._successor = self._successor, None
        said, self._said_by_successor = self._said_by_successor, []
        return last_words + said

    def _succeed(self, now: float) -> list[Message]:
        """The reader in charge has ended: the one on trial takes over with what it said, else one is started later."""
        assert self._in_charge
        dead = self._in_charge
        log.error("the reader (process %d) has ended", dead.pid)
        self._deaths = after_death(self._deaths, now, now - dead.started)
        self._discard(dead)
        self.restarts += self._successor is not None
        self._in_charge, self._successor = self._successor, None
        said, self._said_by_successor = self._said_by_successor, []
        return said

    def _give_up(self, now: float) -> None:
        if self._successor:
            log.warning("the new reader (process %d) does no better; the present one stays", self._successor.pid)
            self._discard(self._successor)
        self._successor, self._said_by_successor = None, []
        self._tries = after_try(self._tries, now)

    def _discard(self, child: Child) -> None:
        child.kill()
        self._stuck.append(child)


def _heard_on_trial(said: list[Message]) -> tuple[set[str], bool]:
    """Who answered a reader on trial, and whether it has counted all that is on the bus."""
    answered = {message.hw_id for message in said if isinstance(message, Answered)}
    return answered, any(isinstance(message, Inventory) for message in said)
