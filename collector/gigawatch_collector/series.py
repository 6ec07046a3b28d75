"""What tells a series outside the contract from all others: a hash of factory, node, service, scope, metric, attributes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gigawatch_collector.attributes import LENGTH_LIMIT, text
from gigawatch_collector.batch import Series

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

    from gigawatch_collector.batch import Sender


@dataclass(frozen=True, slots=True)
class Source:
    """Where a metric comes from: one scope of one service on one host."""

    owner: bytes
    """What of the sender identifies it, as bytes for the hash."""
    service: dict[str, str]
    scope: str
    """JSON: name, version, schema_url."""

    @classmethod
    def of(cls, sender: Sender, service: dict[str, str], scope: InstrumentationScope, schema_url: str) -> Source:
        """The source of a ScopeMetrics."""
        found = {"name": scope.name, "version": scope.version, "schema_url": schema_url}
        kept = {key: text(value)[:LENGTH_LIMIT] for key, value in found.items() if value}
        return cls(orjson.dumps([sender.factory, sender.host_name]), service, orjson.dumps(kept).decode())


def series(source: Source, metric: Metric, kind: str, temporality: str, attributes: str) -> Series:
    """The series of a point; `attributes` is JSON with sorted keys."""
    name, unit = text(metric.name), text(metric.unit)
    parts = orjson.dumps([source.scope, name, unit, kind, temporality, attributes])
    identity = hashlib.blake2b(source.owner + parts, digest_size=16).digest()
    return Series(identity, name, unit, kind, temporality, attributes, source.scope)
