"""What the alert service says of itself, for Prometheus."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gigawatch_contract.errors import GigawatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True)
class SelfMetrics:
    """Counted in this process. The names are an interface: a site's own alerts rest on them."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    duration: Histogram = field(init=False)
    failures: Counter = field(init=False)
    missed: Counter = field(init=False)
    changes: Counter = field(init=False)
    deliveries: Counter = field(init=False)

    def __post_init__(self) -> None:
        make: dict[str, Counter | Histogram] = {
            "duration": Histogram(
                "gigawatch_alerts_evaluation_duration_seconds",
                "Time that an evaluation of a rule group took.",
                ["group"],
                registry=self.registry,
            ),
            "failures": Counter(
                "gigawatch_alerts_rule_failures",
                "Evaluations of a rule that failed or overran.",
                ["group", "rule"],
                registry=self.registry,
            ),
            "missed": Counter(
                "gigawatch_alerts_iterations_missed",
                "Evaluations left out because the one before took longer than the interval.",
                ["group"],
                registry=self.registry,
            ),
            "changes": Counter(
                "gigawatch_alerts_changes", "Changes of an alert's state.", ["change"], registry=self.registry
            ),
            "deliveries": Counter(
                "gigawatch_alerts_deliveries",
                "Attempts to deliver a message: delivered, again, dead, gone.",
                ["receiver", "result"],
                registry=self.registry,
            ),
        }
        for name, metric in make.items():
            object.__setattr__(self, name, metric)


class Backlog(Collector):
    """What waits in the outbox, asked of the database when somebody looks: the depth is that of all processes."""

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        self._connect = connect

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """No question to the database when the metrics are registered."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Depth and oldest age by receiver; absent, not zero, while the database does not answer."""
        depth = GaugeMetricFamily(
            "gigawatch_alerts_outbox_depth", "Changes that a receiver has yet to hear.", labels=["receiver"]
        )
        age = GaugeMetricFamily(
            "gigawatch_alerts_outbox_oldest_seconds", "Age of the oldest such change.", labels=["receiver"]
        )
        disabled = GaugeMetricFamily(
            "gigawatch_alerts_receiver_disabled", "1 while the receiver is disabled.", labels=["receiver"]
        )
        try:
            with self._connect() as connection:
                rows = connection.execute(
                    "SELECT receiver, changes, coalesce(extract(epoch FROM now() - oldest), 0)::float8, "
                    "disabled_at IS NOT NULL FROM alert_backlog"
                ).fetchall()
        except (GigawatchError, psycopg.Error):
            return
        for receiver, changes, oldest_s, is_disabled in rows:
            depth.add_metric([receiver], changes)
            age.add_metric([receiver], oldest_s)
            disabled.add_metric([receiver], int(is_disabled))
        yield from (depth, age, disabled)
