"""The daemon: a reader process is heard and watched, and what it says is shown, sent and kept until it has arrived.

reader process ─▶ main thread: what is believed ─▶ outbox thread: an export every interval, an event at once
                          │                                     └▶ spool ─▶ sender thread ─▶ collector
                          └▶ /metrics
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from gigawatch_contract.errors import ConfigurationError, GigawatchError, Unavailable
from gigawatch_exporters import ledger, machine, memory
from gigawatch_exporters.happened import Moment
from gigawatch_exporters.messages import Failed
from gigawatch_exporters.otlp import Wire
from gigawatch_exporters.outbox import Outbox
from gigawatch_exporters.prometheus import NodeCollector, Page
from gigawatch_exporters.readers import Readers
from gigawatch_exporters.sending import Sender
from gigawatch_exporters.snapshot import NodeIdentity
from gigawatch_exporters.spool import Spool
from gigawatch_exporters.watchdog import Watch, heard, judged, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gigawatch_exporters.happened import Happened
    from gigawatch_exporters.messages import Message
    from gigawatch_exporters.settings import Settings
    from gigawatch_exporters.snapshot import Snapshot

log = logging.getLogger(__name__)

TURN: Final = 0.5
"""Seconds after which the main loop looks at the time, when nothing is said."""
STALLED: Final = 10.0


class Exporter:
    """One node's daemon.

    Raises:
        ConfigurationError: a setting cannot be met: the spool, the port.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._started = Moment.now()
        self._stopped = threading.Event()
        self._plan = settings.plan(time.time())
        self._era = f"{self._plan.scenario} {self._plan.start}" if self._plan.scenario else machine.boot_id()
        self._host_id = machine.host_id()
        self._cpu = machine.CpuTime()
        self._turned_at = self._started.monotonic
        self._spool = Spool(
            settings.spool_folder,
            max_bytes=settings.spool_size * 1_000_000,
            max_age=settings.spool_hours * 3600,
        )
        began = int(self._plan.start * 1e9) if self._plan.scenario else machine.boot_time_unix_nano()
        since, totals = ledger.load(settings.spool_folder, self._era, began)
        self._watch = Watch(counters_since_unix_nano=since, known_totals=totals)
        wire = Wire(settings.endpoint, settings.timeout)
        self._outbox = Outbox(wire, self._spool, self._seen_and_kept, self._is_time)
        self._sender = Sender(self._spool, wire.post, spread=settings.interval)
        collector = NodeCollector(self.seen, self._sender.tally)
        self._page = (
            Page(settings.prometheus_address, settings.prometheus_port, collector, self.health)
            if settings.prometheus
            else None
        )
        self._readers = Readers(self._plan, hang=settings.hang)
        memory.give_back()

    def run(self, on_ready: Callable[[str], None]) -> None:
        """Work until stopped; `on_ready` is told once, when the reader knows what is on the bus.

        Raises:
            GigawatchError: the library cannot be used; says what to do.
        """
        try:
            if self._page:
                self._page.start()
            self._sender.start()
            self._outbox.start(self._settings.node, self._settings.interval)
            ready = False
            while not self._stopped.is_set():
                self._turn()
                if self._watch.complete and not ready:
                    ready = True
                    on_ready(self._describe())
                if not (self._sender.is_alive() and self._outbox.is_alive()):
                    raise GigawatchError("a thread of the exporter has ended; see the log above")
        finally:
            self._end()

    def stop(self) -> None:
        """End soon. May be called from a signal handler."""
        self._stopped.set()

    def seen(self) -> tuple[NodeIdentity, Snapshot]:
        """Who this is and what is believed now."""
        watch, readers = self._watch, self._readers.pids()
        figures = {
            "exporter_cpu_time": self._cpu.seconds(readers),
            "exporter_memory": sum(map(machine.resident_bytes, (os.getpid(), *readers))),
            "reader_restarts": self._readers.restarts,
            "spool_size": self._spool.size,
            "spool_dropped": self._spool.dropped,
        }
        found = snapshot(watch, Moment.now(), self._started.unix_nano, figures)
        identity = NodeIdentity(
            factory=self._settings.factory,
            host_name=self._settings.node,
            host_id=self._host_id,
            rack=self._settings.rack,
            simulated=self._settings.is_simulated,
            driver_version=watch.driver_version,
            accelerator_ids=tuple(each.hw_id for each in found.accelerators),
            accelerator_models=tuple(each.model for each in found.accelerators),
        )
        return identity, found

    def health(self) -> dict[str, Any]:
        """For /healthz: alive unless the daemon itself is stuck. A sick accelerator is no reason to restart it."""
        states = {each.hw_id: each.state for each in self._watch.in_order()}
        return {
            "alive": time.monotonic() - self._turned_at < STALLED,
            "accelerators": states,
            "spooled": self._spool.count,
            "last_accepted": self._sender.tally.last_accepted or None,
        }

    def _turn(self) -> None:
        """Hear, judge, and see to the reader."""
        now = time.monotonic()
        self._turned_at = now
        self._believe(self._readers.hear(min(TURN, self._settings.period / 2), now))
        self._watch, happened = judged(self._watch, Moment.now(), self._settings.deadline)
        self._tell(happened)
        self._believe(self._readers.tend(self._watch, time.monotonic()))

    def _believe(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if isinstance(message, Failed):
                self._refuse(message)
            self._watch, happened = heard(self._watch, message, Moment.now())
            self._tell(happened)

    def _refuse(self, failure: Failed) -> None:
        """A library that never worked ends the daemon; one that did may come back, after a driver's update say."""
        if not self._watch.complete:
            kind = ConfigurationError if failure.exit_code == ConfigurationError.exit_code else Unavailable
            raise kind(failure.text)
        log.error("%s", failure.text)

    def _tell(self, happened: Iterable[Happened]) -> None:
        for each in happened:
            log.warning("%s [%s]", each.body, each.id)
            self._outbox.put(each)

    def _is_time(self) -> bool:
        """Whether all accelerators have answered, or there is no use in waiting for them any longer."""
        watch = self._watch
        told = watch.complete and all(each.state for each in watch.accelerators.values())
        return told or time.monotonic() > self._started.monotonic + self._settings.hang

    def _seen_and_kept(self) -> tuple[NodeIdentity, Snapshot]:
        """What is seen now, with the counters behind it kept for the next daemon."""
        watch = self._watch
        totals = {**watch.known_totals, **{each.hw_id: each.totals for each in watch.accelerators.values()}}
        ledger.save(self._settings.spool_folder, self._era, watch.counters_since_unix_nano, totals)
        return self.seen()

    def _describe(self) -> str:
        where = f"/metrics at {self._page.address}/metrics; " if self._page else ""
        return (
            f"accelerators of {self._settings.node} that are read: {len(self._watch.accelerators)}; {where}"
            f"sending to {self._settings.endpoint} every {self._settings.interval:g} s"
        )

    def _end(self) -> None:
        self._outbox.stop()
        self._sender.stop()
        if self._page:
            self._page.stop()
        self._readers.end()
        self._spool.close()
