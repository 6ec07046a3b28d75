"""From a snapshot to OpenTelemetry's own types, by the contract; pure."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as OtelMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gigawatch_contract import resource as attributes
from gigawatch_contract.metrics import SCHEMA_URL, STATES, Metric, Table, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gigawatch_exporters.snapshot import AcceleratorReading, NodeIdentity, Snapshot, Value

VERSION: Final = version("gigawatch-exporters")
SCOPE: Final = InstrumentationScope("gigawatch.exporter", VERSION, SCHEMA_URL)
INTEGERS: Final = frozenset({"int2", "int4", "int8"})

Row = tuple["Mapping[str, str]", "Mapping[str, Value]", int]
"""What names a thing on its points, its values by column, and since when its counters count."""


def resource(identity: NodeIdentity) -> Resource:
    """The OTLP resource of a node: the same bytes in every export as long as nothing changes."""
    found: dict[str, str | bool | tuple[str, ...] | None] = {
        "service.name": "gigawatch-exporter",
        "service.version": VERSION,
        attributes.FACTORY: identity.factory,
        attributes.HOST_NAME: identity.host_name,
        attributes.HOST_ID: identity.host_id,
        attributes.RACK: identity.rack,
        attributes.SIMULATED: True if identity.simulated else None,
        attributes.VENDOR: "NVIDIA",
        attributes.DRIVER_VERSION: identity.driver_version,
        attributes.ACCELERATOR_IDS: identity.accelerator_ids or None,
        attributes.ACCELERATOR_MODELS: identity.accelerator_models or None,
    }
    return Resource({key: value for key, value in found.items() if value is not None}, SCHEMA_URL)


def metrics_data(identity: NodeIdentity, snapshot: Snapshot) -> MetricsData:
    """One export of one node."""
    since = snapshot.counters_since_unix_nano
    accelerators: list[Row] = [
        ({attributes.HW_ID: reading.hw_id}, values(reading), reading.counters_since_unix_nano or since)
        for reading in snapshot.accelerators
    ]
    node: list[Row] = [({}, snapshot.node, since)]
    found = [*_metrics("accelerator", accelerators, snapshot), *_metrics("node", node, snapshot)]
    scope = ScopeMetrics(scope=SCOPE, metrics=found, schema_url=SCHEMA_URL)
    return MetricsData([ResourceMetrics(resource=resource(identity), scope_metrics=[scope], schema_url=SCHEMA_URL)])


def values(reading: AcceleratorReading) -> dict[str, Value]:
    """All columns of a reading: what the accelerator said, its state as 0 and 1, and the age."""
    states = {f"status_{state}": int(state == reading.state) for state in STATES}
    return {**reading.values, **states, "reading_age": reading.age}


def _metrics(table: Table, rows: Sequence[Row], snapshot: Snapshot) -> Iterator[OtelMetric]:
    """The metrics of a table that have at least one point, in the contract's order."""
    for name, entries in names().items():
        if entries[0].table != table:
            continue
        points = [
            _point(entry, identity, found[entry.column], since, snapshot.time_unix_nano)
            for identity, found, since in rows
            for entry in entries
            if entry.column in found
        ]
        if points:
            data = Gauge(points) if entries[0].kind == "gauge" else _sum(entries[0], points)
            yield OtelMetric(name=name, description="", unit=entries[0].unit, data=data)


def _sum(metric: Metric, points: Sequence[NumberDataPoint]) -> Sum:
    return Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=metric.kind == "counter")


def _point(metric: Metric, identity: Mapping[str, str], value: Value, since: int, time: int) -> NumberDataPoint:
    return NumberDataPoint(
        attributes={**identity, **dict(metric.attributes)},
        start_time_unix_nano=0 if metric.kind == "gauge" else since,
        time_unix_nano=time,
        value=int(value) if metric.type in INTEGERS else float(value),
    )
