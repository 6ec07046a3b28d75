"""One transaction on a real database: merging, events, series, facts, freshness; on each grade the same."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, LiteralString

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from gigawatch_collector.batch import Batch, Row, Telemetry
from gigawatch_collector.columns import ACCELERATOR
from gigawatch_collector.database import Database as Target
from gigawatch_collector.decode import decode
from gigawatch_collector.load import Request
from gigawatch_collector.merge import Counts
from gigawatch_collector.senders import sender
from gigawatch_collector.settings import Settings
from gigawatch_collector.window import Window

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from gigawatch_collector.store import Store, Stored
    from gigawatch_database.testing import Database

    Gauge = Callable[..., ExportMetricsServiceRequest]
    Attributes = Callable[[dict[str, Any]], list[dict[str, Any]]]

COLUMNS = [column.name for column in ACCELERATOR.readings]
NOW = time.time_ns() // 1000


@asynccontextmanager
async def opened(database: Database, **options: Any) -> AsyncGenerator[Store]:
    store = await Target(database.dsn, Settings(dsn=database.dsn, **options)).open()
    try:
        yield store
    finally:
        await store.close()


def request_of(export: ExportMetricsServiceRequest, received: int | None = None) -> Request:
    now = time.time_ns()
    batch = decode("metrics", "protobuf", export.SerializeToString(), Window.around(now, 26 * 3600))
    assert not batch.rejected
    return Request("metrics", batch, received or now // 1000)


def rows_of(database: Database, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(query, parameters or None).fetchall()


def store_all(database: Database, *exports: ExportMetricsServiceRequest, **options: Any) -> list[Stored]:
    async def run() -> list[Stored]:
        async with opened(database, **options) as store:
            return [await store.store([request_of(export)]) for export in exports]

    return asyncio.run(run())


Point = tuple[int, int, str, int]
"""Accelerator, seconds, column, value."""
Cell = tuple[str, int, str]
points = st.tuples(
    st.integers(0, 1), st.integers(0, 3), st.sampled_from(["power", "energy", "memory_used"]), st.integers(0, 2)
)
deliveries = st.lists(st.lists(st.lists(points, max_size=6), min_size=1, max_size=3), min_size=1, max_size=5)
numbers = itertools.count()


def settle(held: dict[Cell, int], spoken: Iterable[tuple[Cell, int]]) -> tuple[dict[Cell, int], Counts]:
    """What is held after more is said, and how much of that was said before, equal or different."""
    found, counts = dict(held), Counts()
    for cell, value in spoken:
        counts += Counts(0, found.get(cell) == value, found.get(cell, value) != value)
        found.setdefault(cell, value)
    return found, counts


def telemetry_of(host: str, found: list[Point]) -> tuple[Telemetry, int, int]:
    """What one request says, and how many of its points repeat or contradict an earlier one of it."""
    named = {"gigawatch.factory.id": "sim-merge", "gigawatch.simulated": "true", "host.name": host}
    arguments: dict[str, Any] = {
        "attributes": [{"key": key, "value": {"string_value": value}} for key, value in named.items()]
    }
    telemetry = Telemetry(sender(Resource(**arguments)))
    duplicate = conflict = 0
    for accelerator, seconds, column, value in found:
        key = (f"{host}/{accelerator}", NOW + seconds * 1_000_000)
        row = telemetry.accelerators.setdefault(key, Row([None] * len(COLUMNS)))
        held = row.values[COLUMNS.index(column)]
        if held is None:
            row.values[COLUMNS.index(column)] = value
        duplicate += held == value
        conflict += held is not None and held != value
    return telemetry, duplicate, conflict


def test_any_deliveries_in_any_order_merge_point_by_point(each_database: Database) -> None:
    """Retries, halves of a batch, replays, contradictions, by two collectors of which one forgets."""

    async def run(sent: list[list[list[Point]]], forget: list[bool], stores: tuple[Store, Store]) -> None:
        host = f"n{next(numbers)}"
        cells: dict[Cell, int] = {}
        expected, found = Counts(), Counts()
        for index, batch in enumerate(sent):
            requests: list[Request] = []
            for part in batch:
                telemetry, duplicate, conflict = telemetry_of(host, part)
                one = Batch([telemetry], points=len(part), duplicate=duplicate, conflict=conflict)
                requests.append(Request("metrics", one, NOW))
                found += Counts(0, duplicate, conflict)
            # The first word counts: in a request, then among the requests of a transaction, then in the database.
            words: list[tuple[Cell, int]] = []
            for part in batch:
                spoken = [
                    ((f"{host}/{accelerator}", seconds, column), value) for accelerator, seconds, column, value in part
                ]
                firsts, counts = settle({}, spoken)
                words += firsts.items()
                expected += counts
            firsts, counts = settle({}, words)
            expected += counts
            before = len(cells)
            cells, counts = settle(cells, firsts.items())
            expected += Counts(len(cells) - before) + counts
            store = stores[index % 2]
            if forget[index % len(forget)]:
                store.last_times["accelerator_sample"].clear()
            found += (await store.store(requests)).points
        assert found == expected
        rows = rows_of(
            each_database,
            "SELECT hw_id, ((extract(epoch FROM time) * 1000000)::int8 - %s) / 1000000, power, energy, memory_used"
            " FROM accelerator_reading WHERE host_name = %s",
            NOW,
            host,
        )
        kept = {
            (hw_id, int(seconds), column): int(value)
            for hw_id, seconds, *values in rows
            for column, value in zip(["power", "energy", "memory_used"], values, strict=True)
            if value is not None
        }
        assert kept == cells

    async def both() -> None:
        async with opened(each_database) as one, opened(each_database) as other:
            loop = asyncio.get_running_loop()

            @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
            @given(sent=deliveries, forget=st.lists(st.booleans(), min_size=1, max_size=4))
            def check(sent: list[list[list[Point]]], forget: list[bool]) -> None:
                asyncio.run_coroutine_threadsafe(run(sent, forget, (one, other)), loop).result(60)

            await asyncio.to_thread(check)

    asyncio.run(both())


def test_two_collectors_that_get_the_same_rows_at_once_store_each_point_once(database: Database, gauge: Gauge) -> None:
    exports = [gauge(*range(20), hw_id=f"GPU-{index}") for index in range(6)]

    async def run() -> tuple[Stored, Stored]:
        async with opened(database) as one, opened(database) as other:
            first = gauge(1.0, time_ns=time.time_ns() - 3600 * 10**9, hw_id="GPU-0")
            await one.store([request_of(first)])
            await other.store([request_of(first)])
            return await asyncio.gather(
                one.store([request_of(export) for export in exports]),
                other.store([request_of(export) for export in reversed(exports)]),
            )

    stored = asyncio.run(run())
    assert sum(one.points.stored for one in stored) == 120
    assert sum(one.points.duplicate for one in stored) == 120
    assert rows_of(database, "SELECT count(*) FROM accelerator_sample") == [(121,)]


def test_newer_rows_take_the_direct_road_and_repeats_the_staging_road(each_database: Database, gauge: Gauge) -> None:
    now = time.time_ns() - 10 * 10**9
    first, second = gauge(1.0, time_ns=now), gauge(2.0, time_ns=now + 10**9)
    found = store_all(each_database, first, second, second)
    assert [one.points for one in found] == [Counts(1), Counts(1), Counts(0, 1)]
    assert [one.staged for one in found] == [2, 0, 1]  # with the node's row for its clock; a repeat says nothing of it


def test_clock_skew_is_told_by_live_exports_only(each_database: Database, gauge: Gauge) -> None:
    now = time.time_ns() - 60 * 10**9

    async def run() -> None:
        async with opened(each_database) as store:
            for age, received in ((0, 1.5), (30, 2.0), (0, 3.0)):
                export = gauge(1.0, time_ns=now - age * 10**9)
                await store.store([request_of(export, now // 1000 + int(received * 1e6))])

    asyncio.run(run())
    rows = rows_of(each_database, "SELECT clock_skew FROM node_reading ORDER BY time")
    assert rows == [(1.5,)]


def test_facts_follow_live_exports_and_not_replays(database: Database, gauge: Gauge) -> None:
    now = time.time_ns()

    def export(age: int, rack: str | None, driver: str) -> ExportMetricsServiceRequest:
        resource = {"gigawatch.rack.id": rack, "hw.driver_version": driver}
        return gauge(1.0, time_ns=now - age * 10**9, resource=resource)

    store_all(
        database, export(20, "r1", "580"), export(10, "r2", "590"), export(30, "r0", "570"), export(5, None, "595")
    )
    assert rows_of(database, "SELECT host_name, rack, driver_version FROM node") == [("n1", "r2", "595")]


def test_an_accelerator_that_moves_is_the_same_accelerator(
    database: Database, gauge: Gauge, attributes: Attributes
) -> None:
    def export(host: str, age: int, place: int) -> ExportMetricsServiceRequest:
        found = gauge(1.0, time_ns=time.time_ns() - age * 10**9, resource={"host.name": host})
        for key, words in (("ids", ["GPU-x"] * place + ["GPU-0"]), ("models", ["H100"] * (place + 1))):
            entry = found.resource_metrics[0].resource.attributes.add(key=f"gigawatch.accelerator.{key}")
            for word in words:
                entry.value.array_value.values.add(string_value=word)
        return found

    store_all(database, export("n1", 10, 3), export("n2", 5, 1))
    rows = rows_of(
        database,
        "SELECT hw_id, host_name, accelerator_index, model FROM accelerator JOIN node USING (node_id) WHERE hw_id = 'GPU-0'",
    )
    assert rows == [("GPU-0", "n2", 1, "H100")]
    assert rows_of(database, "SELECT DISTINCT host_name FROM accelerator_reading ORDER BY 1") == [("n1",), ("n2",)]


def test_freshness_is_the_newest_time_and_never_goes_back(database: Database, gauge: Gauge) -> None:
    now = time.time_ns() // 10**6 * 10**6
    store_all(database, gauge(1.0, time_ns=now - 10**9), gauge(1.0, time_ns=now - 3600 * 10**9))
    newest = rows_of(database, "SELECT (extract(epoch FROM newest_time) * 1000000)::int8 FROM freshness")
    assert newest == [((now - 10**9) // 1000,)]


def test_a_clock_that_runs_ahead_makes_nothing_fresher_than_now(database: Database, gauge: Gauge) -> None:
    store_all(database, gauge(1.0, time_ns=time.time_ns() + 200 * 10**9))
    assert rows_of(database, "SELECT newest_time <= received_at FROM freshness") == [(True,)]


def test_what_the_contract_does_not_know_becomes_a_series_of_its_own(each_database: Database, gauge: Gauge) -> None:
    export = gauge(1.0, 2.5, name="room.humidity", unit="%", hw_id=None, place="hall 1")
    export.resource_metrics[0].resource.attributes.add(key="service.name").value.string_value = "bms"
    export.resource_metrics[0].scope_metrics[0].schema_url = "https://example.org/1"
    assert [one.points for one in store_all(each_database, export, export)] == [Counts(2), Counts(0, 2)]
    rows = rows_of(
        each_database, "SELECT name, unit, kind, attributes, scope::jsonb, value FROM other_reading ORDER BY time"
    )
    scope = {"name": "test", "version": "1", "schema_url": "https://example.org/1"}
    series = ("room.humidity", "%", "gauge", {"place": "hall 1", "service.name": "bms"}, scope)
    assert rows == [(*series, 1.0), (*series, 2.5)]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"unit": "mW"}, "gauge"),
        ({"hw_id": None}, "gauge"),
        ({"extra": "x"}, "gauge"),
        ({"name": "hw.energy", "unit": "J"}, "gauge"),
    ],
)
def test_what_does_not_fit_the_contract_goes_beside_it_unchanged(
    database: Database, gauge: Gauge, change: dict[str, Any], kind: str
) -> None:
    store_all(database, gauge(7.0, **change))
    assert rows_of(database, "SELECT count(*) FROM accelerator_sample") == [(0,)]
    rows = rows_of(database, "SELECT name, unit, kind, value FROM other_reading")
    assert rows == [(change.get("name", "hw.power"), change.get("unit", "W"), kind, 7.0)]


def test_delta_stays_delta_and_never_enters_a_cumulative_column(database: Database, gauge: Gauge) -> None:
    export = gauge(7.0, name="hw.energy", unit="J", **{"hw.type": "gpu"})
    metric = export.resource_metrics[0].scope_metrics[0].metrics[0]
    points = list(metric.gauge.data_points)
    metric.sum.data_points.extend(points)
    metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, AGGREGATION_TEMPORALITY_DELTA
    store_all(database, export)
    assert rows_of(database, "SELECT kind, temporality, value FROM other_reading") == [("counter", "delta", 7.0)]


def test_a_factory_has_so_many_series_and_no_more(database: Database, gauge: Gauge) -> None:
    async def run() -> list[dict[str, int]]:
        async with opened(database, series_limit=2) as store:
            requests = [request_of(gauge(1.0, name=f"x{index}", hw_id=None)) for index in (0, 1, 2, 0)]
            for request in requests:
                await store.store([request])
            return [dict(request.late_rejects) for request in requests]

    assert asyncio.run(run()) == [{}, {}, {"series_limit": 1}, {}]


def test_distributions_are_kept_whole(each_database: Database, gauge: Gauge) -> None:
    now = time.time_ns()
    export = gauge(1.0)
    metric = export.resource_metrics[0].scope_metrics[0].metrics[0]
    metric.histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_DELTA
    one = metric.histogram.data_points.add(
        time_unix_nano=now, count=3, sum=4.5, explicit_bounds=[1.0], bucket_counts=[1, 2]
    )
    assert [one.points for one in store_all(each_database, export, export)] == [Counts(1), Counts(0, 1)]
    one.sum = 5.0
    assert store_all(each_database, export)[0].points == Counts(0, 0, 1)
    body = {"count": 3, "sum": 4.5, "bounds": [1.0], "counts": [1, 2]}
    rows = rows_of(
        each_database, "SELECT kind, temporality, body FROM other_distribution JOIN other_series USING (series_id)"
    )
    assert rows == [("histogram", "delta", body)]


def test_an_event_is_stored_once_and_finds_its_accelerator(each_database: Database, attributes: Attributes) -> None:
    now = time.time_ns()
    resource = {"gigawatch.factory.id": "sim-e", "gigawatch.simulated": True, "host.name": "n1"}
    said = {"hw.id": "GPU-0", "gigawatch.xid.code": 79, "log.record.uid": "an-id", "odd": "a\0b"}
    record = {"time_unix_nano": now, "event_name": "gigawatch.accelerator.xid", "severity_number": 17}
    records = [record | {"attributes": attributes(said)}, record | {"body": {"string_value": "without an id"}}]
    part = {"resource": {"attributes": attributes(resource)}, "scope_logs": [{"log_records": records}]}
    arguments: dict[str, Any] = {"resource_logs": [part]}
    body = ExportLogsServiceRequest(**arguments).SerializeToString()

    async def run() -> list[Counts]:
        async with opened(each_database) as store:
            window = Window.around(now, 60)
            requests = [Request("logs", decode("logs", "protobuf", body, window), now // 1000) for _ in range(2)]
            return [(await store.store([request])).records for request in requests]

    assert asyncio.run(run()) == [Counts(2), Counts(0, 2)]
    rows = rows_of(
        each_database,
        "SELECT event_id, host_name, hw_id, severity_number, xid_code, body, attributes ->> 'odd' FROM event_reading ORDER BY hw_id",
    )
    assert rows[0] == ("an-id", "n1", "GPU-0", 17, 79, None, "a\N{REPLACEMENT CHARACTER}b")
    assert rows[1][1:] == ("n1", None, 17, None, "without an id", None)


def test_what_was_learnt_of_one_database_is_not_used_on_another(database: Database, gauge: Gauge) -> None:
    """A database that was emptied under the collector: a new connection starts with nothing learnt."""
    store_all(database, gauge(1.0))
    with database.connect() as connection:
        connection.execute("TRUNCATE factory, accelerator_sample, node_sample CASCADE")
    store_all(database, gauge(2.0))
    assert rows_of(database, "SELECT power FROM accelerator_reading") == [(2.0,)]
