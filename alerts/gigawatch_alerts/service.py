"""The service: a thread for each rule group, workers for the receiver, and an end that leaves nothing half-done."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import psycopg
from prometheus_client import start_http_server

from gigawatch_alerts import address, outbox, queue
from gigawatch_alerts.delivery import Clock, Receiver, Worker, utc_now
from gigawatch_alerts.evaluate import Context, Outcome, evaluate
from gigawatch_alerts.selfmetrics import Backlog, SelfMetrics
from gigawatch_contract.errors import ConfigurationError, GigawatchError, Unavailable

if TYPE_CHECKING:
    from datetime import timedelta

    from gigawatch_alerts.rules import Group

log = logging.getLogger(__name__)

Connect = Callable[[], psycopg.Connection]


@dataclass(frozen=True, kw_only=True)
class Service:
    """All that runs; `run` returns when `stop` is set."""

    connect: Connect
    groups: Sequence[Group]
    context: Context
    interval: timedelta
    receiver: Receiver | None = None
    workers: int = 1
    metrics_at: tuple[str, int] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    metrics: SelfMetrics = field(default_factory=SelfMetrics)

    def run(self, ready: Callable[[str], None]) -> None:
        """Evaluate and deliver until told to stop.

        Raises:
            Unavailable: a part of the service ended by itself.
            ConfigurationError: the port of the metrics is taken.
        """
        where = self._register()
        self._serve_metrics()
        threads: list[threading.Thread] = [Evaluator(self, group) for group in self.groups]
        if self.receiver:
            receiver = self.receiver
            threads += [
                Worker(
                    self.connect,
                    receiver,
                    self.stop,
                    delivered=lambda verdict: self.metrics.deliveries.labels(receiver.name, verdict).inc(),
                )
                for _ in range(self.workers)
            ]
        for thread in threads:
            thread.start()
        count = sum(len(group.rules) for group in self.groups)
        ready(f"ready: {count} rules, {where}")
        try:
            while not self.stop.wait(1):
                dead = [thread.name for thread in threads if not thread.is_alive()]
                if dead:
                    raise Unavailable(f"{dead[0]} ended with an error (see the log): restart the service")
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def _register(self) -> str:
        """Make the receiver known in the database, and what fires known to it; where alerts go, in words."""
        if self.receiver is None:
            return "no receiver: alerts are only written to the database (give --webhook)"
        try:
            asyncio.run(address.pin(self.receiver.url, self.receiver.policy))
        except address.Refused as refused:
            raise ConfigurationError(f"webhook: {refused}") from refused
        except httpx.ConnectError as error:
            log.warning("receiver %s: %s now; it is asked again with each message", self.receiver.name, error)
        digest = hashlib.sha256(str(self.receiver.url).encode()).hexdigest()
        with self.connect() as connection:
            disabled = outbox.register(connection, self.receiver.name, digest)
            queue.catch_up(connection, self.context.routes, utc_now())
        if disabled:
            log.warning(
                "receiver %s is disabled: %s; `gigawatch alerts enable %s` delivers again",
                *(self.receiver.name, disabled, self.receiver.name),
            )
        return f"delivering to {address.origin(self.receiver.url)}"

    def _serve_metrics(self) -> None:
        if self.metrics_at is None:
            return
        self.metrics.registry.register(Backlog(self.connect))
        host, port = self.metrics_at
        try:
            start_http_server(port, host, registry=self.metrics.registry)
        except OSError as error:
            raise ConfigurationError(f"metrics_port = {port}: cannot listen on {host}: {error.strerror}") from error


class Evaluator(threading.Thread):
    """Evaluates one group at its interval; what takes longer than that leaves evaluations out and says so."""

    def __init__(self, service: Service, group: Group, clock: Clock = utc_now) -> None:
        super().__init__(name=f"group {group.name}", daemon=True)
        self._service = service
        self._group = group
        self._clock = clock
        self._interval = group.interval or service.interval

    def run(self) -> None:
        """Evaluate until told to stop; a database that goes away is waited for."""
        while not self._service.stop.is_set():
            try:
                with self._service.connect() as connection:
                    self._evaluate(connection)
            except (GigawatchError, psycopg.Error) as error:
                log.warning("group %s waits for the database: %s", self._group.name, str(error).partition("\n")[0])
                self._service.stop.wait(min(2, self._interval.total_seconds()))

    def _evaluate(self, connection: psycopg.Connection) -> None:
        seconds = self._interval.total_seconds()
        due = time.monotonic()
        while not self._service.stop.is_set():
            # Half an interval: where several processes share a group, each round is done once, by whoever is first.
            outcome = evaluate(
                connection, self._group, self._clock(), self._service.context, unless_within=self._interval / 2
            )
            if outcome:
                self._count(outcome)
            missed = int((time.monotonic() - due) // seconds)
            if missed:
                self._service.metrics.missed.labels(self._group.name).inc(missed)
                log.warning("group %s takes longer than its interval of %g s", self._group.name, seconds)
            due += seconds * (missed + 1)
            self._service.stop.wait(max(0.0, due - time.monotonic()))

    def _count(self, outcome: Outcome) -> None:
        metrics, group = self._service.metrics, self._group.name
        metrics.duration.labels(group).observe(outcome.duration_s)
        for rule in outcome.failures:
            metrics.failures.labels(group, rule).inc()
        for change in outcome.changes:
            for name in change.step.changes:
                metrics.changes.labels(name).inc()
                log.info("%s %s %s", change.rule, name, dict(change.labels))
