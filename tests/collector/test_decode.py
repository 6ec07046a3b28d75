"""The decoder against an oracle that reads the same export the slow and plain way, and against hostile bytes."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gigawatch_collector.decode import decode
from gigawatch_collector.refusal import Refusal
from gigawatch_collector.window import Window
from gigawatch_contract import metrics as contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from gigawatch_collector.batch import Batch

    Messages = Callable[[type[Message]], st.SearchStrategy[Any]]

NOW = 1_795_434_867_696_295_400
WINDOW = Window.around(NOW, 26 * 3600)
COLUMNS = {table: [metric.column for metric in contract.columns(table)] for table in contract.TABLES}

hosts = st.sampled_from(["n1", "n2"])
times = st.sampled_from([NOW, NOW - 15 * 10**9, NOW - 15 * 10**9 + 999]) | st.sampled_from(
    [0, NOW - 27 * 3600 * 10**9, NOW + 301 * 10**9, 2**64 - 1]
)
numbers: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.floats().map(lambda value: {"as_double": value}),
    st.integers(-5, 5).map(lambda value: {"as_double": float(value)}),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: {"as_int": value}),
    st.integers(0, 70_000).map(lambda value: {"as_int": value}),
    st.just({}),
)


@st.composite
def metric(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly a metric of the contract as it should be, sometimes with another unit, kind, temporality or attribute."""
    known = draw(st.sampled_from(contract.METRICS))
    entries = contract.names()[known.name]
    unit = draw(st.sampled_from([known.unit] * 5 + ["mW"]))
    kind = draw(st.sampled_from([known.kind] * 5 + ["gauge", "counter", "updowncounter"]))
    points: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 4))):
        attributes = dict(draw(st.sampled_from(entries)).attributes)
        if known.table == "accelerator" or draw(st.booleans()):
            attributes["hw.id"] = draw(st.sampled_from(["GPU-0", "GPU-0", "GPU-1", ""]))
        if draw(st.integers(0, 9)) == 0:
            attributes["more"] = "x"
        flags = draw(st.sampled_from([0, 0, 0, 1]))
        start = draw(st.sampled_from([0, NOW - 10**12, NOW - 10**11]))
        points.append(
            {"time_unix_nano": draw(times), "flags": flags, **draw(numbers)} | {"start_time_unix_nano": start}
        )
        points[-1]["attributes"] = [{"key": key, "value": {"string_value": value}} for key, value in attributes.items()]
    found: dict[str, Any] = {"name": known.name, "unit": unit}
    if kind == "gauge":
        return found | {"gauge": {"data_points": points}}
    temporality = draw(st.sampled_from([2, 2, 2, 1, 0]))
    sums = {"data_points": points, "is_monotonic": kind == "counter", "aggregation_temporality": temporality}
    return found | {"sum": sums}


@st.composite
def export(draw: st.DrawFn) -> ExportMetricsServiceRequest:
    parts: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 2))):
        factory = draw(st.sampled_from(["sim-a"] * 5 + ["jaif", ""]))
        attributes = [
            {"key": "gigawatch.factory.id", "value": {"string_value": factory}},
            {"key": "gigawatch.simulated", "value": {"bool_value": True}},
            {"key": "host.name", "value": {"string_value": draw(hosts)}},
        ]
        found = draw(st.lists(metric(), max_size=4))
        parts.append({"resource": {"attributes": attributes}, "scope_metrics": [{"metrics": found}]})
    arguments: dict[str, Any] = {"resource_metrics": parts}
    return ExportMetricsServiceRequest(**arguments)


def oracle(request: ExportMetricsServiceRequest) -> dict[tuple[str, str, str, int, str], float | int]:
    """The first value of each cell: (table, host, hw.id, time in µs, column), as the column keeps it."""
    cells: dict[tuple[str, str, str, int, str], float | int] = {}
    for part in request.resource_metrics:
        resource = {entry.key: entry.value for entry in part.resource.attributes}
        if not resource["gigawatch.factory.id"].string_value.startswith("sim-"):
            continue
        for scope in part.scope_metrics:
            for one in scope.metrics:
                for known in contract.METRICS:
                    for point in of_kind(one, known):
                        words = {entry.key: entry.value.string_value for entry in point.attributes}
                        hw_id = words.pop("hw.id", "")
                        named = bool(hw_id) == (known.table == "accelerator")
                        value = cell_value(point, known.type)
                        if named and words == dict(known.attributes) and in_window(point) and value is not None:
                            host = resource["host.name"].string_value
                            key = (known.table, host, hw_id, point.time_unix_nano // 1000, known.column)
                            cells.setdefault(key, value)
    return cells


def of_kind(one: Any, known: contract.Metric) -> Any:
    """The points of a metric, if it is what the contract says."""
    if (one.name, one.unit) != (known.name, known.unit):
        return []
    if known.kind == "gauge":
        return one.gauge.data_points
    fits = one.sum.aggregation_temporality == 2 and one.sum.is_monotonic == (known.kind == "counter")
    return one.sum.data_points if fits else []


def in_window(point: Any) -> bool:
    return NOW - 26 * 3600 * 10**9 <= point.time_unix_nano <= NOW + 300 * 10**9


def cell_value(point: Any, kind: str) -> float | int | None:
    field = point.WhichOneof("value")
    if field is None or point.flags & 1:
        return None
    value = getattr(point, field)
    if not math.isfinite(value):
        return None
    if kind == "float8":
        return float(value)
    if kind == "float4":
        with np.errstate(over="ignore"):
            rounded = float(np.float32(value))
        return rounded if math.isfinite(rounded) else None
    limits = np.iinfo(kind.replace("int2", "int16").replace("int4", "int32").replace("int8", "int64"))
    return int(value) if value == int(value) and int(limits.min) <= value <= int(limits.max) else None


def cells_of(batch: Batch) -> dict[tuple[str, str, str, int, str], float | int]:
    cells: dict[tuple[str, str, str, int, str], float | int] = {}
    for part in batch.telemetry:
        host = part.sender.host_name or ""
        rows = [("accelerator", hw_id, time, row) for (hw_id, time), row in part.accelerators.items()]
        rows += [("node", "", time, row) for time, row in part.nodes.items()]
        for table, hw_id, time, row in rows:
            for column, value in zip(
                COLUMNS["accelerator" if table == "accelerator" else "node"], row.values, strict=True
            ):
                if value is not None:
                    cells.setdefault((table, host, hw_id, time, column), value)
    return cells


def accounted(batch: Batch) -> int:
    rows = [
        row
        for part in batch.telemetry
        for rows in (part.accelerators, part.nodes, part.others)
        for row in rows.values()
    ]
    others = sum(len(part.distributions) + len(part.events) for part in batch.telemetry)
    return sum(row.points for row in rows) + others + batch.rejected.total() + batch.duplicate + batch.conflict


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(request=export())
def test_every_cell_is_what_the_plain_reading_says(request: ExportMetricsServiceRequest) -> None:
    batch = decode("metrics", "protobuf", request.SerializeToString(), WINDOW)
    assert cells_of(batch) == oracle(request)
    assert accounted(batch) == batch.points


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Bytes changed, cut, repeated or put in, here and there."""
    found = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(5):
            case 0:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del found[at:]
            case 2:
                del found[at : at + chance.randint(1, 9)]
            case 3:
                found[at:at] = chance.randbytes(chance.randint(1, 9))
            case _:
                found[at:at] = found[at : at + chance.randint(1, 40)]
    return bytes(found)


def check_hostile(body: bytes, kind: Any, signal: Any) -> bool:
    """Either the oracle refuses the body too, or every point of it is accounted for."""
    try:
        kind.FromString(body)
    except DecodeError:
        with pytest.raises(Refusal, match="is not an"):
            decode(signal, "protobuf", body, WINDOW)
        return False
    batch = decode(signal, "protobuf", body, WINDOW)
    assert accounted(batch) == batch.points
    for part in batch.telemetry:
        assert part.sender.simulated == part.sender.factory.startswith("sim-")
    return True


def hostile(messages: Messages, examples: int) -> None:
    accepted = Counter[bool]()

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(request=export() | messages(ExportMetricsServiceRequest), seed=st.integers())
    def metrics(request: ExportMetricsServiceRequest, seed: int) -> None:
        chance = random.Random(seed)
        body = request.SerializeToString()
        accepted[check_hostile(body, ExportMetricsServiceRequest, "metrics")] += 1
        for _ in range(5):
            accepted[check_hostile(mutated(body, chance), ExportMetricsServiceRequest, "metrics")] += 1

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(request=messages(ExportLogsServiceRequest), seed=st.integers())
    def logs(request: ExportLogsServiceRequest, seed: int) -> None:
        chance = random.Random(seed)
        body = request.SerializeToString()
        check_hostile(body, ExportLogsServiceRequest, "logs")
        for _ in range(5):
            check_hostile(mutated(body, chance), ExportLogsServiceRequest, "logs")

    metrics()
    logs()
    assert accepted[True] > examples / 2
    assert accepted[False] > examples / 2


def test_hostile_bytes_are_refused_or_accounted_for(messages: Messages) -> None:
    hostile(messages, 60)


@pytest.mark.soak
def test_many_hostile_bytes_are_refused_or_accounted_for(messages: Messages) -> None:
    hostile(messages, 5_000)


@given(body=st.binary(max_size=200))
def test_random_bytes_are_refused_or_accounted_for(body: bytes) -> None:
    check_hostile(body, ExportMetricsServiceRequest, "metrics")
    check_hostile(body, ExportLogsServiceRequest, "logs")
