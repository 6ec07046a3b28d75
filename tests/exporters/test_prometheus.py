"""/metrics says what the OTLP export says, under names made from the contract's."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gigawatch_contract.metrics import METRICS, names
from gigawatch_exporters.fake.scene import READINGS
from gigawatch_exporters.points import metrics_data
from gigawatch_exporters.prometheus import NodeCollector, label, prometheus_name
from gigawatch_exporters.sending import Tally
from gigawatch_exporters.snapshot import AcceleratorReading, NodeIdentity, Snapshot
from gigawatch_exporters.testing import Export

if TYPE_CHECKING:
    from gigawatch_exporters.fake.scene import Scene

IDENTITY = NodeIdentity(factory="jaif", host_name="node-1", rack='r"1\\', driver_version="580.1")
SNAPSHOT = Snapshot(
    time_unix_nano=2,
    counters_since_unix_nano=1,
    accelerators=(
        AcceleratorReading(
            hw_id="GPU-0",
            model="NVIDIA H200",
            state="ok",
            age=0.5,
            values={column: value for column, value in READINGS.items() if value is not None},
        ),
        AcceleratorReading(hw_id="GPU-1", model="NVIDIA H200", state="lost", age=900.0),
    ),
    node={metric.column: 7 for metric in METRICS if metric.table == "node"},
)


def page(identity: NodeIdentity) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(lambda: (identity, SNAPSHOT), Tally()))
    return generate_latest(registry).decode()


def test_the_page_holds_every_point_of_the_otlp_export_and_no_other_of_the_contract() -> None:
    export = Export({}, 200, metrics=encode_metrics(metrics_data(IDENTITY, SNAPSHOT)))
    entry = {name: entries[0] for name, entries in names().items()}
    sent = Counter(
        (
            prometheus_name(entry[point.name]) + ("_total" if point.kind == "counter" else ""),
            frozenset((label(key), str(value)) for key, value in point.attributes),
            float(point.value),
        )
        for point in export.points()
    )
    contract = {prometheus_name(metric) for metric in METRICS}
    shown = Counter(
        (sample.name, frozenset(sample.labels.items()), sample.value)
        for family in text_string_to_metric_families(page(IDENTITY))
        for sample in family.samples
        if family.name in contract
    )
    assert shown == sent
    assert len(sent) > len(METRICS)


def test_no_description_of_the_contract_is_lost() -> None:
    helps = {family.name: family.documentation for family in text_string_to_metric_families(page(IDENTITY))}
    assert [metric.column for metric in METRICS if metric.description not in helps[prometheus_name(metric)]] == []


def test_units_and_kinds_are_in_the_names_as_prometheus_wants_them() -> None:
    found = {metric.name: prometheus_name(metric) for metric in METRICS}
    assert found["hw.power"] == "hw_power_watts"
    assert found["hw.energy"] == "hw_energy_joules"
    assert found["hw.gpu.utilization"] == "hw_gpu_utilization_ratio"
    assert found["hw.status"] == "hw_status"
    assert found["gigawatch.accelerator.throttle.time"] == "gigawatch_accelerator_throttle_time_seconds"
    assert found["hw.temperature"] == "hw_temperature_celsius"
    assert found["hw.errors"] == "hw_errors"
    kinds = {family.name: family.type for family in text_string_to_metric_families(page(IDENTITY))}
    assert {kinds[prometheus_name(metric)] for metric in METRICS if metric.kind == "counter"} == {"counter"}
    assert {kinds[prometheus_name(metric)] for metric in METRICS if metric.kind != "counter"} == {"gauge"}


def test_simulated_readings_say_so_on_every_sample_and_real_ones_on_none() -> None:
    simulated = NodeIdentity(factory="sim-test", host_name="node-1", simulated=True)
    contract = {prometheus_name(metric) for metric in METRICS}
    for identity, expected in ((simulated, {"true"}), (IDENTITY, {None})):
        families = [each for each in text_string_to_metric_families(page(identity)) if each.name in contract]
        said = {sample.labels.get("gigawatch_simulated") for family in families for sample in family.samples}
        assert said == expected


def test_the_target_says_whose_page_it_is() -> None:
    [target] = [family for family in text_string_to_metric_families(page(IDENTITY)) if family.name == "target_info"]
    assert target.samples[0].labels["gigawatch_factory_id"] == "jaif"
    assert target.samples[0].labels["gigawatch_rack_id"] == 'r"1\\'


def test_the_running_exporter_serves_its_page_its_health_and_nothing_else(scene: Scene) -> None:
    daemon = scene.start()
    scene.next()
    with urllib.request.urlopen(f"{daemon.page}/metrics") as answer:
        assert (
            'hw_power_watts{gigawatch_simulated="true",hw_id="GPU-0",hw_type="gpu"} 612.345' in answer.read().decode()
        )
    with urllib.request.urlopen(f"{daemon.page}/healthz") as answer:
        health = json.load(answer)
    assert health["alive"] is True
    assert health["accelerators"] == {"GPU-0": "ok", "GPU-1": "ok", "GPU-2": "ok"}
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        urllib.request.urlopen(f"{daemon.page}/secret")
    refused.value.close()
