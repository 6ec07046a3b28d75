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
        ({"hw.type": "cpu"}, "gauge"),
        ({"hw_id": "G" * 256}, "gauge"),
        ({"name": "hw.energy", "unit": "J"}, "gauge"),
    ],
)
def test_what_does_not_fit_the_contract_goes_beside_it_unchanged(
    database: Database, gauge: Gauge, change: dict[str, Any], kind: str
) -> None:
    export = gauge(7.0, **change)
    batch = request_of(export).batch
    assert batch.mismatched == 1
    assert len(batch.details) == 1
    assert batch.details[0].startswith(f"{change.get('name', 'hw.power')} is stored beside the contract: ")
    store_all(database, export)
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


def test_a_factory_has_so_many_nodes_and_no_more(database: Database, gauge: Gauge) -> None:
    def export(host: str) -> ExportMetricsServiceRequest:
        found = gauge(1.0, 2.0, hw_id=f"{host}/0", resource={"host.name": host})
        found.resource_metrics.extend(
            gauge(3.0, name="x", hw_id=None, resource={"host.name": host}).resource_metrics
        )  # a series of the node
        return found

    async def run() -> list[tuple[Counts, dict[str, int]]]:
        outcomes: list[tuple[Counts, dict[str, int]]] = []
        for _ in range(2):  # another collector, or this one after a new start, counts what is there
            async with opened(database, node_limit=2) as store:
                for host in ("n0", "n1", "n2"):
                    request = request_of(export(host))
                    outcomes.append(((await store.store([request])).points, dict(request.late_rejects)))
                other = request_of(gauge(1.0, hw_id="other", resource={"gigawatch.factory.id": "sim-other"}))
                assert (await store.store([other])).points == Counts(1), "another factory has its own"
        return outcomes

    expected: tuple[Counts, dict[str, int]] = (Counts(), {"node_limit": 3})
    assert asyncio.run(run()) == [(Counts(3), {}), (Counts(3), {}), expected] * 2
    hosts = rows_of(database, "SELECT host_name FROM node WHERE factory_id = 'sim-test' ORDER BY 1")
    assert hosts == [("n0",), ("n1",)]
    assert rows_of(database, "SELECT count(*) FROM other_series") == [(2,)]


def test_a_factory_has_so_many_accelerators_and_no_more(
    database: Database, gauge: Gauge, attributes: Attributes
) -> None:
    now = time.time_ns()
    resource = {"gigawatch.factory.id": "sim-test", "gigawatch.simulated": True, "host.name": "n1"}
    body = logs(attributes, resource, *({"attributes": {"hw.id": f"GPU-{index}"}} for index in range(3)))

    async def run() -> None:
        async with opened(database, accelerator_limit=2) as store:
            metrics = [request_of(gauge(1.0, hw_id=f"GPU-{index}", time_ns=now + index * 10**9)) for index in range(3)]
            assert (await store.store(metrics)).points == Counts(2)
            assert [dict(one.late_rejects) for one in metrics] == [{}, {}, {"accelerator_limit": 1}]
            events = Request("logs", decode("logs", "protobuf", body, Window.around(now, 60)), now // 1000)
            assert (await store.store([events])).records == Counts(2)
            assert dict(events.late_rejects) == {"accelerator_limit": 1}

    asyncio.run(run())
    assert rows_of(database, "SELECT hw_id FROM accelerator ORDER BY 1") == [("GPU-0",), ("GPU-1",)]
    # What was not stored makes no factory fresher.
    newest = rows_of(
        database,
        "SELECT (extract(epoch FROM newest_time) * 1000000)::int8 <= %s FROM freshness",
        now // 1000 + 1_000_000,
    )
    assert newest == [(True,)]


def logs(attributes: Attributes, resource: dict[str, Any], *records: dict[str, Any]) -> bytes:
    """An export of events, a microsecond apart; a record's attributes as a dict."""
    now = time.time_ns()
    given = [
        {"time_unix_nano": now - index * 1000, "event_name": "an.event"}
        | record
        | {"attributes": attributes(record.get("attributes", {}))}
        for index, record in enumerate(records)
    ]
    part = {"resource": {"attributes": attributes(resource)}, "scope_logs": [{"log_records": given}]}
    arguments: dict[str, Any] = {"resource_logs": [part]}
    return ExportLogsServiceRequest(**arguments).SerializeToString()


def store_logs(database: Database, *bodies: bytes, together: bool = False) -> list[Counts]:
    """What became of the records of some exports, each in a transaction, or all in one."""

    async def run() -> list[Counts]:
        async with opened(database) as store:
            now = time.time_ns()
            window = Window.around(now, 60)
            requests = [Request("logs", decode("logs", "protobuf", body, window), now // 1000) for body in bodies]
            assert not any(request.batch.rejected for request in requests)
            batches = [requests] if together else [[request] for request in requests]
            return [(await store.store(batch)).records for batch in batches]

    return asyncio.run(run())


def test_an_event_id_is_its_factorys_own(each_database: Database, attributes: Attributes) -> None:
    now = time.time_ns()

    def export(factory: str, body: str) -> bytes:
        resource = {"gigawatch.factory.id": factory, "gigawatch.simulated": True, "host.name": "n1"}
        said = {"log.record.uid": "an-id", "hw.id": "GPU-0"}
        return logs(attributes, resource, {"time_unix_nano": now, "body": {"string_value": body}, "attributes": said})

    one, other, changed = export("sim-one", "first"), export("sim-other", "theirs"), export("sim-one", "changed")
    found = store_logs(each_database, one, other, one, changed)
    assert found == [Counts(1), Counts(1), Counts(0, 1), Counts(0, 0, 1)]
    rows = rows_of(each_database, "SELECT factory_id, event_id, body FROM event_reading ORDER BY 1")
    assert rows == [("sim-one", "an-id", "first"), ("sim-other", "an-id", "theirs")]


def test_of_events_with_one_id_in_one_transaction_the_first_stays(
    each_database: Database, attributes: Attributes
) -> None:
    now = time.time_ns()
    resource = {"gigawatch.factory.id": "sim-one", "gigawatch.simulated": True}
    bodies = [
        logs(
            attributes,
            resource,
            {"time_unix_nano": now, "severity_number": severity, "attributes": {"log.record.uid": "an-id"}},
        )
        for severity in (17, 17, 9)
    ]
    assert store_logs(each_database, *bodies, together=True) == [Counts(1, 1, 1)]
    assert rows_of(each_database, "SELECT severity_number FROM event") == [(17,)]


LONG = "".join(chr(0x1F300 + index * 7 % 1500) for index in range(255))
"""As many bytes as a name may have, which do not compress well."""


def test_no_value_of_an_event_refuses_the_others(each_database: Database, attributes: Attributes) -> None:
    resource = {
        "gigawatch.factory.id": "sim-e",
        "gigawatch.simulated": True,
        "host.name": LONG,
        "gigawatch.rack.id": "r\0",
        "hw.vendor": "\0",
    }
    odd: list[dict[str, Any]] = [
        *({"severity_number": number} for number in (-(2**31), -1, 0, 25, 32768, 2**31 - 1)),
        *({"attributes": {"gigawatch.xid.code": code}} for code in (2**63 - 1, -(2**63), 1e308, 5e-324, "9" * 200)),
        {"attributes": {"hw.id": LONG, "log.record.uid": LONG[::-1]}, "event_name": LONG},
        {"attributes": {"hw.id": "\0", "log.record.uid": "\0", "\0": "\0"}, "event_name": "\0"},
        {"attributes": {"nan": float("nan"), "infinite": float("-inf")}, "body": {"string_value": "\0"}},
        {"body": {"bytes_value": b"\0"}},
        {"observed_time_unix_nano": 2**64 - 1, "flags": 2**32 - 1},
    ]
    assert store_logs(each_database, logs(attributes, resource, *odd)) == [Counts(len(odd))]
    rows = rows_of(each_database, "SELECT DISTINCT severity_number, xid_code FROM event_reading")
    assert rows == [(None, None)]
    now = time.time_ns()
    batch = decode("logs", "protobuf", logs(attributes, resource, *odd), Window.around(now, 60))
    assert batch.nulled == {"out_of_range": 5}, "0 says nothing and is not out of range"


def test_no_value_of_a_point_refuses_the_others(each_database: Database, gauge: Gauge) -> None:
    def of(*values: float, start: int = 0, **options: Any) -> ExportMetricsServiceRequest:
        found = gauge(*values, **options)
        for point in found.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points:
            point.start_time_unix_nano = start
        return found

    resource = {"host.name": LONG, "host.id": "\0", "hw.driver_version": "5\0"}
    exports = [
        of(3.5e38, -1e308, 1e-320, float("nan"), start=2**64 - 1, hw_id=LONG, resource=resource),
        of(1e300, -(2.0**63), name="gigawatch.accelerator.memory.used", unit="By", hw_id="\0"),
        of(1e308, 5e-324, float("inf"), start=1, name=LONG, unit=LONG, hw_id=None, **{"\0": "\0"}),
        of(1.0, name="\0", unit="\0", hw_id="\0", start=2**64 - 1),
    ]
    assert sum(one.points.stored for one in store_all(each_database, *exports)) == 10
    assert rows_of(each_database, "SELECT count(*) FROM accelerator_sample") >= [(4,)]


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
