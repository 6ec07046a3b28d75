"""The collector's figures about itself, named after the OpenTelemetry Collector's.

Every point that is decoded is accepted, and then ends in exactly one of stored, duplicate, conflict, rejected and failed
(answered with an error that says "again later": the sender still has it), or is in flight:
accepted = stored + duplicate + conflict + rejected + failed + in_flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from gigawatch_collector.merge import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gigawatch_collector.batch import Batch
    from gigawatch_collector.decode import Signal

PREFIX: Final = "gigawatch_collector_"
POINTS: Final = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Meters:
    """All of them, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        signal = ["signal"]
        self.requests = self._counter("requests", "Requests answered.", ["transport", "signal", "status"])
        self.refused = self._counter("refused_requests", "Requests refused as a whole.", ["reason"])
        self.accepted = self._counter("accepted_points", "Data points (logs: records) decoded.", signal)
        self.stored = self._counter("stored_points", "Points committed.", signal)
        self.duplicate = self._counter("duplicate_points", "Points that were there already, equal.", signal)
        self.conflict = self._counter(
            "conflict_points", "Points that were there already, different: not stored.", signal
        )
        self.rejected = self._counter("rejected_points", "Points that may not be stored.", ["signal", "reason"])
        self.failed = self._counter("failed_points", "Points whose sender was told to try again.", signal)
        self.in_flight = self._gauge("in_flight_points", "Points decoded and not answered yet.", signal)
        self.nulled = self._counter("nulled_values", "Values stored as NULL.", ["reason"])
        self.mismatched = self._counter(
            "mismatched_points",
            "Points with a name of the contract and another unit, kind, type or attributes: stored as other.",
        )
        self.exemplars = self._counter("dropped_exemplars", "Exemplars, which are not stored.")
        self.staged = self._counter("merged_rows", "Rows that may have been there already and took the staging road.")
        self.batch_points = Histogram(
            f"{PREFIX}batch_points", "Points of one transaction.", buckets=POINTS, registry=self.registry
        )
        self.commit = Histogram(
            f"{PREFIX}commit_seconds", "Time of one transaction.", buckets=SECONDS, registry=self.registry
        )
        self.database_up = self._gauge("database_up", "1 while the database takes what is sent.", [])

    def watch_bytes(self, used: Callable[[], float]) -> None:
        """Show the bytes in flight."""
        self._gauge("in_flight_bytes", "Bytes held for requests that are not answered yet.", []).set_function(used)

    def accept(self, signal: Signal, batch: Batch) -> None:
        """Count what was decoded, and what is decided already."""
        self.accepted.labels(signal).inc(batch.points)
        self.settle(signal, Counts(0, batch.duplicate, batch.conflict))
        self.reject(signal, batch.rejected)
        self.mismatched.inc(batch.mismatched)
        self.exemplars.inc(batch.exemplars)
        for reason, count in batch.nulled.items():
            self.nulled.labels(reason).inc(count)

    def settle(self, signal: Signal, counts: Counts) -> None:
        """Count what became of points."""
        self.stored.labels(signal).inc(counts.stored)
        self.duplicate.labels(signal).inc(counts.duplicate)
        self.conflict.labels(signal).inc(counts.conflict)

    def reject(self, signal: Signal, rejected: Mapping[str, int]) -> None:
        """Count points that may not be stored, by reason."""
        for reason, count in rejected.items():
            self.rejected.labels(signal, reason).inc(count)

    def _counter(self, name: str, text: str, labels: list[str] | None = None) -> Counter:
        return Counter(f"{PREFIX}{name}", text, labels or [], registry=self.registry)

    def _gauge(self, name: str, text: str, labels: list[str]) -> Gauge:
        return Gauge(f"{PREFIX}{name}", text, labels, registry=self.registry)
