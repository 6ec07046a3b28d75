from __future__ import annotations

import gzip
import itertools
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gigawatch_contract import events, resource
from gigawatch_exporters.otlp import Wire
from gigawatch_exporters.simulator.fleet import Export, Fleet, bodies
from gigawatch_exporters.simulator.happenings import happenings, log_body
from gigawatch_exporters.simulator.readings import identity
from gigawatch_exporters.simulator.world import World

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.scenario import Scenario

START = 1_800_000_000
START_NS = START * 10**9


def run(scenario: Scenario, seconds: int, interval: float = 15, history: int = 0) -> list[Export]:
    fleet = Fleet(scenario, START_NS, interval, history)
    return [export for _ in range(history + seconds) for export in fleet.second()]


def test_every_node_sends_once_an_interval_at_its_own_moment(incident: Scenario) -> None:
    sent: dict[str, list[int]] = defaultdict(list)
    for export in run(incident, 300, interval=10):
        sent[export.host_name].append(export.time_unix_nano)
    assert len(sent) == 36
    assert all(len(times) == 30 for times in sent.values())
    assert all(b - a == 10 * 10**9 for times in sent.values() for a, b in itertools.pairwise(times))
    phases = Counter(times[0] % (10 * 10**9) // 10**9 for times in sent.values())
    assert len(phases) >= 8


def test_exports_come_in_order_of_time(tiny: Scenario) -> None:
    times = [export.time_unix_nano for export in run(tiny, 240, interval=2.5)]
    assert times == sorted(times)
    assert times[0] >= START_NS
    assert times[-1] < START_NS + 240 * 10**9


def test_the_interval_changes_how_often_is_read_and_not_what(tiny: Scenario) -> None:
    def energy(interval: float) -> dict[tuple[str, int], float]:
        return {
            (export.host_name, export.time_unix_nano // 10**9): value
            for export in run(tiny, 120, interval)
            if export.kind == "metrics"
            for value in values(export.body, "hw.energy")
        }

    often, seldom = energy(1), energy(15)
    assert seldom.items() <= often.items()
    assert len(seldom) > 20


def test_the_same_scenario_and_start_give_the_same_bytes(tiny: Scenario) -> None:
    assert run(tiny, 100) == run(tiny, 100)


def test_a_silent_node_sends_nothing_and_its_counters_go_on(tiny: Scenario) -> None:
    found = [
        (export.time_unix_nano / 1e9 - START, values(export.body, "hw.energy"))
        for export in run(tiny, 240, interval=5)
        if export.host_name == "tiny-r01n02" and export.kind == "metrics"
    ]
    assert not [into for into, _ in found if 70 <= into < 150]
    before = [energy for into, energy in found if into < 70][-1]
    after = next(energy for into, energy in found if into >= 150)
    assert all(later - earlier > 80 * 72 for later, earlier in zip(after, before, strict=True))


def test_a_lost_accelerator_is_named_lost_and_never_reads_again(tiny: Scenario) -> None:
    hw_id = tiny.factories[0].layout.hw_id(0, 1)
    seen = 0
    for export in run(tiny, 240, interval=5):
        into = export.time_unix_nano / 1e9 - START
        if export.host_name != "tiny-r01n01" or export.kind != "metrics" or into < 61:
            continue
        seen += 1
        said = named(export.body, hw_id)
        assert set(said) == {"hw.status", "gigawatch.accelerator.reading.age"}
        assert said["hw.status"] == {"ok": 0, "degraded": 0, "failed": 0, "unresponsive": 0, "lost": 1}
        assert said["gigawatch.accelerator.reading.age"] == {"": pytest.approx(into - 60)}
    assert seen > 30


def test_a_hung_accelerator_is_unresponsive_until_it_answers_again(tiny: Scenario) -> None:
    hw_id = tiny.factories[0].layout.hw_id(2, 0)
    for export in run(tiny, 240, interval=5):
        into = export.time_unix_nano / 1e9 - START
        if export.host_name == "tiny-r02n01" and export.kind == "metrics":
            said = named(export.body, hw_id)
            assert said["hw.status"]["unresponsive"] == int(100 <= into < 130)
            assert ("hw.power" in said) == (not 100 <= into < 130)
            assert named(export.body, None)["gigawatch.node.accelerator.count"] == {"": 1 if 100 <= into < 130 else 2}


def test_events_are_sent_once_with_the_id_of_what_they_say(tiny: Scenario) -> None:
    records = [
        record
        for export in run(tiny, 240)
        if export.kind == "logs"
        for scope in ExportLogsServiceRequest.FromString(export.body).resource_logs[0].scope_logs
        for record in scope.log_records
    ]
    told = [(record.event_name, (record.time_unix_nano - START_NS) / 1e9) for record in records]
    assert told == [
        (events.XID.name, 60),
        (events.LOST.name, 61),
        (events.UNRESPONSIVE.name, 100),
        (events.RECOVERED.name, 130),
    ]
    xid = {each.key: each.value for each in records[0].attributes}
    hw_id = tiny.factories[0].layout.hw_id(0, 1)
    assert xid[resource.HW_ID].string_value == hw_id
    assert xid[events.XID_CODE].int_value == 79
    expected = events.event_id(events.XID.name, hw_id, records[0].time_unix_nano, "79")
    assert xid[events.EVENT_ID].string_value == expected


def test_what_happens_on_a_silent_node_is_known_and_not_told(tiny: Scenario) -> None:
    (untold,) = [event for event in happenings(tiny, tiny.factories[0]) if not event.reported]
    assert (untold.code, untold.at, untold.host_name) == (31, 80, "tiny-r01n02")


def test_events_are_encoded_as_by_the_exporter(tiny: Scenario) -> None:
    world, wire = World(tiny, tiny.factories[0]), Wire("http://127.0.0.1:1", timeout=1)
    for event in happenings(tiny, tiny.factories[0]):
        who, happened = identity(world, event.node), event.happened(START_NS)
        assert log_body(happened, who) == gzip.decompress(wire.logs(who, happened))


def test_history_runs_into_the_story_without_a_seam(tiny: Scenario) -> None:
    sent = [export for export in run(tiny, 60, interval=5, history=120) if export.host_name == "tiny-r01n01"]
    into = [export.time_unix_nano / 1e9 - START for export in sent if export.kind == "metrics"]
    assert into[0] < -110
    assert all(b - a == pytest.approx(5) for a, b in itertools.pairwise(into))
    joules = [values(export.body, "hw.energy")[0] for export in sent if export.kind == "metrics"]
    assert all(72 * 5 * 0.99 < b - a <= 700 * 5 for a, b in itertools.pairwise(joules))


def test_bodies_say_that_they_are_simulated(tiny_file: object) -> None:
    for time, kind, host, body in bodies(str(tiny_file), START, 62):
        assert START_NS <= time < START_NS + 62 * 10**9
        if kind == "metrics":
            (first,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
        else:
            (first,) = ExportLogsServiceRequest.FromString(body).resource_logs
        said = {each.key: each.value for each in first.resource.attributes}
        assert said[resource.SIMULATED].bool_value is True
        assert said[resource.FACTORY].string_value == "sim-tiny"
        assert said[resource.HOST_NAME].string_value == host


def values(body: bytes, name: str) -> list[float]:
    """The double values of a metric, in order."""
    request = ExportMetricsServiceRequest.FromString(body)
    return [
        point.as_double
        for metric in request.resource_metrics[0].scope_metrics[0].metrics
        if metric.name == name
        for point in (metric.gauge.data_points or metric.sum.data_points)
    ]


def named(body: bytes, hw_id: str | None) -> dict[str, dict[str, float]]:
    """What one accelerator (None: the node) said: values by name, then by state (or "")."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for metric in ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.gauge.data_points or metric.sum.data_points:
            attributes = {each.key: each.value.string_value for each in point.attributes}
            if attributes.get("hw.id") == hw_id:
                value = point.as_double if point.HasField("as_double") else point.as_int
                found[metric.name][attributes.get("hw.state", "")] = value
    return found
