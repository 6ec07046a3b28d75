"""Metrics: each point of an export goes to its column, to another series, or is rejected with a reason."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import orjson
from opentelemetry.proto.metrics.v1 import metrics_pb2

from gigawatch_collector.attributes import LENGTH_LIMIT, dumped, mapping, text
from gigawatch_collector.batch import Batch, Distribution, Row, Telemetry, combine
from gigawatch_collector.columns import ACCELERATOR, NODE
from gigawatch_collector.distributions import Malformed, body
from gigawatch_collector.senders import Objection, sender, service
from gigawatch_collector.series import Source, series
from gigawatch_collector.values import CONTRACT, Known, fits, stored
from gigawatch_contract.resource import HW_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    from gigawatch_collector.batch import Series, Time, Value
    from gigawatch_collector.window import Window
    from gigawatch_contract.metrics import Table

NO_RECORDED_VALUE: Final = metrics_pb2.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
CUMULATIVE: Final = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
TEMPORALITY: Final = {CUMULATIVE: "cumulative", metrics_pb2.AGGREGATION_TEMPORALITY_DELTA: "delta"}


def decode_metrics(request: ExportMetricsServiceRequest, window: Window) -> Batch:
    """What an export of metrics says."""
    batch = Batch()
    for part in request.resource_metrics:
        try:
            telemetry = Telemetry(sender(part.resource))
        except Objection as objection:
            points = sum(_count(metric) for scope in part.scope_metrics for metric in scope.metrics)
            batch.points += points
            batch.reject(objection.reason, points, objection.message)
            continue
        batch.telemetry.append(telemetry)
        services = service(part.resource)
        for scope in part.scope_metrics:
            url = scope.schema_url or part.schema_url
            source = Source.of(telemetry.sender, services, scope.scope, url)
            for metric in scope.metrics:
                _Reader(batch, telemetry, source, metric, window).read()
    return batch


def _count(metric: metrics_pb2.Metric) -> int:
    data = metric.WhichOneof("data")
    return len(getattr(metric, data).data_points) if data else 0


class _Reader:
    """Reads one metric into a batch."""

    def __init__(
        self, batch: Batch, telemetry: Telemetry, source: Source, metric: metrics_pb2.Metric, window: Window
    ) -> None:
        self._batch = batch
        self._telemetry = telemetry
        self._source = source
        self._metric = metric
        self._window = window
        self._temporality = ""

    def read(self) -> None:
        metric = self._metric
        data = metric.WhichOneof("data")
        points = _count(metric)
        self._batch.points += points
        if not data or not points:
            return
        if len(metric.name) > LENGTH_LIMIT or len(metric.unit) > LENGTH_LIMIT or not metric.name:
            self._batch.reject("too_long", points)
        elif data in {"sum", "histogram", "exponential_histogram"} and not self._take_temporality(data):
            self._batch.reject("temporality", points)
        elif data == "gauge":
            self._numbers("gauge", metric.gauge.data_points)
        elif data == "sum":
            self._numbers("counter" if metric.sum.is_monotonic else "updowncounter", metric.sum.data_points)
        else:
            self._distributions(data)

    def _take_temporality(self, data: str) -> bool:
        self._temporality = TEMPORALITY.get(getattr(self._metric, data).aggregation_temporality, "")
        return self._temporality != ""

    def _numbers(self, kind: str, points: Iterable[metrics_pb2.NumberDataPoint]) -> None:
        known = CONTRACT.get(self._metric.name)
        if known is not None and (objection := self._objection(known, kind)):
            self._mismatched(known, objection, _count(self._metric))
            known = None
        earliest, latest = self._window.earliest, self._window.latest
        for point in points:
            time = point.time_unix_nano
            if not earliest <= time <= latest:
                self._batch.reject(self._window.objection(time) or "too_old")
                continue
            value: Value = None
            if not point.flags & NO_RECORDED_VALUE:
                field = point.WhichOneof("value")
                if field is None:
                    self._batch.reject("no_value")
                    continue
                value = point.as_double if field == "as_double" else point.as_int
                if not math.isfinite(value):
                    self._batch.nulled["not_finite"] += 1
                    value = None
            self._batch.exemplars += len(point.exemplars)
            if known is None or not self._typed(known, point, value):
                self._other(kind, point, value)

    def _objection(self, known: Known, kind: str) -> str | None:
        """Why the metric is not what the contract says, which is never mended silently; None when it is."""
        if known.unit != self._metric.unit:
            return f"its unit is {known.unit!r}, not {text(self._metric.unit)!r}"
        if known.kind != kind:
            return f"it is a {known.kind}, not a {kind}"
        if self._temporality == "delta":
            return "it is cumulative, not delta"
        if self._telemetry.sender.host_name is None:
            return "the resource attribute host.name is missing"
        return None

    def _mismatched(self, known: Known, objection: str, points: int = 1) -> None:
        """Count points that have a name of the contract and are not what it says, and tell their sender."""
        self._batch.mismatched += points
        self._batch.note(f"{known.name} is stored beside the contract: {objection}")

    def _typed(self, known: Known, point: metrics_pb2.NumberDataPoint, value: Value) -> bool:
        """Put a point of the contract into its row; False when it names no thing or column, or has another type."""
        words: list[tuple[str, str]] = []
        hw_id = ""
        for entry in point.attributes:
            word = entry.value.string_value
            if entry.key == HW_ID:
                hw_id = word
            else:
                words.append((entry.key, word))
        slot = known.place(words, hw_id)
        if isinstance(slot, str):
            self._mismatched(known, slot)
            return False
        if value is not None:
            if not fits(value, slot.type):
                self._mismatched(known, "it counts, and has no fraction")
                return False
            value = stored(value, slot.type)
            if value is None:
                self._batch.nulled["out_of_range"] += 1
        row = self._row(known.table, text(hw_id), point.time_unix_nano // 1000)
        since = point.start_time_unix_nano // 1000 if slot.counter and point.start_time_unix_nano else None
        if since is not None and (row.since is None or row.since < since):
            row.since = since
        held = row.values[slot.index]
        if value is None:
            row.blanks += 1
        elif held is None:
            row.values[slot.index] = value
        elif held == value:
            self._batch.duplicate += 1
        else:
            self._batch.conflict += 1
        return True

    def _row(self, table: Table, hw_id: str, time: Time) -> Row:
        """The row that a point belongs to."""
        if table == "accelerator":
            rows, key = self._telemetry.accelerators, (hw_id, time)
            row = rows.get(key)
            if row is None:
                row = rows[key] = Row([None] * len(ACCELERATOR.readings))
            return row
        return self._telemetry.nodes.setdefault(time, Row([None] * len(NODE.readings)))

    def _other(self, kind: str, point: metrics_pb2.NumberDataPoint, value: Value) -> None:
        identity = self._series(kind, point.attributes)
        if identity is None:
            self._batch.reject("too_long")
            return
        row = Row([None if value is None else float(value)], _since(point), int(value is None))
        held = self._telemetry.others.setdefault((identity, point.time_unix_nano // 1000), row)
        if held is not row:
            duplicate, conflict = combine(held, row)
            self._batch.duplicate += duplicate
            self._batch.conflict += conflict

    def _distributions(self, kind: str) -> None:
        for point in getattr(self._metric, kind).data_points:
            objection = self._window.objection(point.time_unix_nano)
            if objection is not None:
                self._batch.reject(objection)
                continue
            identity = self._series(kind, point.attributes)
            if identity is None:
                self._batch.reject("too_long")
                continue
            try:
                found: dict[str, Any] = {} if point.flags & NO_RECORDED_VALUE else body(kind, point)
            except Malformed as error:
                self._batch.reject(error.reason)
                continue
            if kind != "summary":
                self._batch.exemplars += len(point.exemplars)
            entry = Distribution(identity, point.time_unix_nano // 1000, _since(point), orjson.dumps(found).decode())
            self._telemetry.distributions.append(entry)

    def _series(self, kind: str, attributes: Iterable[KeyValue]) -> Series | None:
        found = dumped(mapping(attributes) | self._source.service)
        return None if found is None else series(self._source, self._metric, kind, self._temporality, found)


def _since(point: Any) -> int | None:
    return point.start_time_unix_nano // 1000 or None
