from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gigawatch_contract import metrics
from gigawatch_exporters.points import metrics_data
from gigawatch_exporters.simulator.otlp import Encoder
from gigawatch_exporters.simulator.readings import Readings, read, snapshot
from gigawatch_exporters.simulator.world import World

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.scenario import Scenario

START = 1_800_000_000_000_000_000


def by_sdk(encoder: Encoder, readings: Readings) -> list[bytes]:
    """The oracle: the exporter's own points, through the SDK's own encoder."""
    return [
        encode_metrics(metrics_data(who, snapshot(readings, row, who))).SerializeToString()
        for row, who in enumerate(encoder.who(node) for node in readings.nodes.tolist())
    ]


def test_all_nodes_of_all_models_are_encoded_as_by_the_sdk(incident: Scenario) -> None:
    for factory in incident.factories:
        world = World(incident, factory)
        encoder, nodes = Encoder(world), np.arange(factory.layout.nodes)
        for tick in (0, 725, 900):
            world.run_to(tick)
            readings = read(world, nodes, START + tick * 1_000_000_000 + nodes * 1_000_000, START)
            assert encoder.encode(readings) == by_sdk(encoder, readings)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_state_of_any_nodes_is_encoded_as_by_the_sdk(tiny: Scenario, data: st.DataObject) -> None:
    world = World(tiny, tiny.factories[0])
    random = np.random.default_rng(data.draw(st.integers(0, 2**32), label="seed"))
    shape = world.alive.shape
    for name in ("energy_mj", "power_mw", "power_average_mw", "memory_used", "ecc_corrected", "ecc_uncorrected"):
        setattr(world, name, random.integers(0, 2 ** int(random.integers(1, 62)), shape))
    for group in (world.nvlink_kib, world.pcie_bytes, world.throttle_ns):
        for way in group:
            group[way] = random.integers(0, 2 ** int(random.integers(1, 50)), shape)
    world.temperature = random.normal(60, 40, shape)
    world.alive = random.random(shape) < data.draw(st.floats(0, 1), label="share alive")
    world.hung = random.random(shape) < data.draw(st.floats(0, 1), label="share hung")
    count = data.draw(st.integers(1, 4), label="nodes")
    nodes = np.sort(random.choice(4, count, replace=False))
    time = START + random.integers(0, 10**9, count)
    encoder = Encoder(world)
    for _ in range(2):  # the second time by the skeletons of the first
        readings = read(world, nodes, time, START)
        assert encoder.encode(readings) == by_sdk(encoder, readings)


def test_points_are_counted_as_they_are_in_the_bodies(tiny: Scenario) -> None:
    world = World(tiny, tiny.factories[0])
    encoder, nodes = Encoder(world), np.arange(4)
    for tick in (0, 65, 110):
        world.run_to(tick)
        readings = read(world, nodes, np.full(4, START + tick * 10**9), START)
        counts = [len(list(points(body))) for body in encoder.encode(readings)]
        assert encoder.points(readings).tolist() == counts


def test_an_sxm_node_says_everything_that_the_contract_knows(tiny: Scenario) -> None:
    world = World(tiny, tiny.factories[0])
    encoder = Encoder(world)
    body = encoder.encode(read(world, np.array([0]), np.array([START]), START))[0]
    said = {metrics.BY_KEY[key].column for key in points(body)}
    assert said == {metric.column for metric in metrics.METRICS}


def points(body: bytes) -> list[tuple[str, frozenset[tuple[str, str]]]]:
    """The contract's key of each number point."""
    request = ExportMetricsServiceRequest.FromString(body)
    return [
        (
            metric.name,
            frozenset((each.key, each.value.string_value) for each in point.attributes if each.key != "hw.id"),
        )
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in (metric.gauge.data_points or metric.sum.data_points)
    ]
