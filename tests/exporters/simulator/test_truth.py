"""The truth, computed a second time from what was sent, by other means: protobuf, dictionaries, plain arithmetic."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gigawatch_contract import events
from gigawatch_exporters.simulator.fleet import bodies
from gigawatch_exporters.simulator.ledger import truth
from gigawatch_exporters.simulator.scale import only

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.scenario import Scenario
    from gigawatch_exporters.simulator.truth import Truth

START = 1_800_000_000
STATUS_OK = ("hw.status", "ok")
THERMAL = [("gigawatch.accelerator.throttle.time", f"{who}_thermal") for who in ("software", "hardware")]
POWER_CAP = ("gigawatch.accelerator.throttle.time", "software_power_cap")
ENERGY = ("hw.energy", "")
TOLD_BY = ("hw.state", "gigawatch.throttle.reason")

Key = tuple[str, str]


@dataclass
class Received:
    """What a receiver knows of a run: readings by accelerator and time, events, and which node has which accelerator."""

    readings: dict[str, dict[float, dict[Key, float]]] = field(default_factory=lambda: defaultdict(dict))
    heard: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    events: list[tuple[float, str, dict[str, str | int]]] = field(default_factory=list)

    def growth(self, hw_id: str, key: Key) -> float:
        values = [reading[key] for reading in self.readings[hw_id].values() if key in reading]
        return values[-1] - values[0]


def receive(scenario: Scenario, seconds: int, interval: float) -> Received:
    found = Received()
    for time, kind, host, body in bodies(scenario, START, seconds, interval):
        into = (time - START * 10**9) / 1e9
        if kind == "logs":
            for record in ExportLogsServiceRequest.FromString(body).resource_logs[0].scope_logs[0].log_records:
                said = {each.key: each.value.string_value or each.value.int_value for each in record.attributes}
                found.events.append((record.time_unix_nano / 1e9 - START, record.event_name, said))
            continue
        found.heard[host].append(into)
        for metric in ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics[0].metrics:
            if metric.name not in {"hw.status", "gigawatch.accelerator.throttle.time", "hw.energy"}:
                continue
            for point in metric.sum.data_points:
                attributes = {each.key: each.value.string_value for each in point.attributes}
                which = next((attributes[name] for name in TOLD_BY if name in attributes), "")
                value = point.as_double if point.HasField("as_double") else float(point.as_int)
                found.readings[attributes["hw.id"]].setdefault(into, {})[metric.name, which] = value
    return found


@pytest.fixture(scope="module")
def aurora(incident: Scenario) -> Scenario:
    return only(incident, "sim-aurora")


@pytest.fixture(scope="module")
def told(aurora: Scenario) -> Truth:
    return truth(aurora, START * 10**9, 1800)


@pytest.fixture(scope="module")
def received(aurora: Scenario) -> Received:
    return receive(aurora, 1801, 15)


def into(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() - START


def test_thermal_seconds_of_each_accelerator_are_those_in_its_counters(told: Truth, received: Received) -> None:
    lost = {each.accelerator for each in told.accelerators if each.lost_at}
    for each in told.accelerators:
        counted = sum(received.growth(each.accelerator, key) for key in THERMAL)
        known = each.throttled_s["software_thermal"] + each.throttled_s["hardware_thermal"]
        if each.accelerator in lost:  # what happened between its last reading and the loss, nobody was told
            assert known - 15 <= counted <= known
        else:
            assert counted == known
        assert (known > 0) == (each.rack == "r02")


def test_thermal_seconds_of_a_rack_are_those_of_its_accelerators(told: Truth) -> None:
    for rack in told.racks:
        mine = [each for each in told.accelerators if each.rack == rack.rack]
        for reason, seconds in rack.throttled_s.items():
            assert seconds == sum(each.throttled_s[reason] for each in mine)
        assert rack.energy_j == pytest.approx(sum(each.energy_j for each in mine))


def test_coverage_of_each_minute_is_that_of_the_samples(told: Truth, received: Received) -> None:
    for number, minute in enumerate(told.coverage):
        begin, end = number * 60, number * 60 + 60
        nodes = sum(begin <= time < end for times in received.heard.values() for time in times)
        samples = sum(
            reading[STATUS_OK]
            for readings in received.readings.values()
            for time, reading in readings.items()
            if begin <= time < end
        )
        assert nodes / 4 == minute.nodes_reporting
        assert samples / 4 == pytest.approx(minute.accelerators_reporting, abs=0.02)  # lost one second into a minute
    assert len(told.coverage) == 30
    assert min(minute.nodes_reporting for minute in told.coverage) == 15
    assert sum(minute.nodes_reporting < 16 for minute in told.coverage) == 2


def test_events_are_those_in_the_log_records(told: Truth, received: Received) -> None:
    assert [(into(event.time), event.name, event.event_id, event.accelerator, event.xid) for event in told.events] == [
        (time, name, said[events.EVENT_ID], said["hw.id"], said.get(events.XID_CODE))
        for time, name, said in received.events
    ]


def test_the_story_happens_in_its_order(told: Truth) -> None:
    first_hot = min(into(alert.fires_at) for alert in told.alerts if alert.rule == "ThermalThrottling")
    (xid,) = [into(event.time) for event in told.events if event.xid == 79]
    (lost,) = [into(each.lost_at) for each in told.accelerators if each.lost_at]
    silent = [into(minute.minute) for minute in told.coverage if minute.nodes_reporting < minute.nodes_expected]
    cool = [into(alert.resolves_at) for alert in told.alerts if alert.rule == "ThermalThrottling" and alert.resolves_at]
    assert 300 < first_hot < xid < lost < silent[0] < silent[-1] < 1200 < min(cool) <= max(cool) < 1320
    assert (xid, lost, silent) == (720, 721, [840, 900])


def test_the_thermal_alerts_are_those_of_the_rule_on_the_samples(told: Truth, received: Received) -> None:
    """The rule over samples every 15 s fires up to 15 s later than on seconds, and ends at most 15 s from it."""
    alerts = {alert.labels["accelerator"]: alert for alert in told.alerts if alert.rule == "ThermalThrottling"}
    assert len(alerts) == 32
    for hw_id, alert in alerts.items():
        total = {
            time: sum(reading[key] for key in THERMAL)
            for time, reading in received.readings[hw_id].items()
            if all(key in reading for key in THERMAL)
        }
        held = [
            time
            for time in total
            if total[time] - min(total[other] for other in total if time - 60 <= other <= time) > 6
        ]
        assert into(alert.fires_at) <= held[0] <= into(alert.fires_at) + 15
        if alert.resolves_at:
            assert abs(held[-1] - into(alert.resolves_at)) <= 15


def test_only_the_lost_accelerator_stays_in_alert(told: Truth) -> None:
    (lost,) = [each.accelerator for each in told.accelerators if each.lost_at]
    still = {(alert.rule, alert.labels["accelerator"]) for alert in told.alerts if alert.resolves_at is None}
    assert still == {("AcceleratorLost", lost), ("ThermalThrottling", lost)}
    (silent,) = [alert for alert in told.alerts if alert.rule == "NodeSilent"]
    assert (into(silent.fires_at), into(silent.resolves_at or "")) == (900, 960)
    (xid,) = [alert for alert in told.alerts if alert.rule == "XidEvent"]
    assert (into(xid.fires_at), into(xid.resolves_at or "")) == (720, 1620)
    assert xid.labels["event_id"] == told.events[0].event_id


def test_hours_are_delivered_or_lost_or_idle(told: Truth) -> None:
    (factory,) = told.factories
    assert factory.lost_accelerator_hours == pytest.approx((1800 - 721) / 3600)
    assert sum(factory.delivered_hours.values()) + factory.lost_accelerator_hours <= factory.accelerators / 2


def test_a_lost_accelerator_delivers_nothing_to_the_job_that_held_it(aurora: Scenario) -> None:
    without_others = dataclasses.replace(aurora, mixes=())
    (factory,) = truth(without_others, START * 10**9, 900).factories
    assert factory.delivered_hours == {"research": pytest.approx(32 * 900 / 3600 - (900 - 721) / 3600)}


def test_pages_say_what_is_missing_and_what_is_back(told: Truth) -> None:
    at = {into(page.at): page for page in told.pages}
    before, silent, after = at[345], at[885], at[1800]
    assert before.accelerators_reporting == before.accelerators_expected == 128
    assert silent.nodes_silent == ["aurora-r02n02"]
    assert silent.accelerators_reporting == 119
    assert len(silent.accelerators_lost) == 1
    assert silent.throttling_by_rack == {"r02": 31}
    assert after.nodes_silent == []
    assert after.accelerators_reporting == 127
    assert after.throttling_by_rack == {}


def test_energy_and_power_cap_are_those_in_the_counters(tiny: Scenario) -> None:
    told, received = truth(tiny, START * 10**9, 240), receive(tiny, 241, 1)
    for each in told.accelerators:
        if each.lost_at is None:
            assert received.growth(each.accelerator, ENERGY) == pytest.approx(each.energy_j, abs=1e-5)
            assert received.growth(each.accelerator, POWER_CAP) == each.throttled_s["software_power_cap"]
    assert sum(each.throttled_s["software_power_cap"] for each in told.accelerators) > 0
    assert told.factories[0].energy_j == pytest.approx(sum(each.energy_j for each in told.accelerators))


def test_the_truth_of_jobs_follows_their_times(tiny: Scenario) -> None:
    hours = truth(tiny, START * 10**9, 240).factories[0].delivered_hours
    assert hours["public"] * 3600 == pytest.approx(2 * 60, abs=2)
    assert hours["startup"] * 3600 == pytest.approx(2 * 150, abs=2)
    assert hours["sme"] * 3600 == pytest.approx(4 * 240 - 179, abs=4)


def test_truth_is_told_as_json(tiny: Scenario) -> None:
    document = json.loads(json.dumps(truth(tiny, START * 10**9, 62).document()))
    assert document["start"] == "2027-01-15T08:00:00.000Z"
    assert [event["time"] for event in document["events"]] == ["2027-01-15T08:01:00.000Z", "2027-01-15T08:01:01.000Z"]
    assert len(document["accelerators"]) == 8
