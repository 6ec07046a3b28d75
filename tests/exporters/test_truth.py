"""What the library shows is what arrives: every metric of the contract, in unit, type and value."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

from gigawatch_contract.metrics import METRICS, STATES, columns
from gigawatch_exporters import nvml
from gigawatch_exporters.fake.python import FakeNvml
from gigawatch_exporters.fake.scene import MODELS, full_node
from gigawatch_exporters.fake.state import AcceleratorState, NodeState
from gigawatch_exporters.points import metrics_data
from gigawatch_exporters.simulator import node_source
from gigawatch_exporters.snapshot import AcceleratorReading, NodeIdentity, Snapshot
from gigawatch_exporters.testing import Export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gigawatch_exporters.fake.scene import Scene


UNKNOWN = {0xFFFFFFFF}
EXAMPLES = settings(
    max_examples=25, deadline=None, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large)
)


def whole(most: int) -> st.SearchStrategy[int]:
    return st.integers(0, most).filter(lambda number: number not in UNKNOWN)


def scaled(most: int, per: int) -> st.SearchStrategy[float]:
    return whole(most).map(lambda number: number / per)


def reading(column: str, model: str) -> st.SearchStrategy[Any]:
    """A value that NVML can express, in the contract's unit; NVML's own unit and range, from its documentation."""
    if "utilization" in column:
        return scaled(100, 100)
    if column.startswith("power"):
        return scaled(2**32 - 2, 1000)
    if column == "energy":
        return scaled(2**50, 1000)
    if column.startswith("throttle"):
        return scaled(2**50, 10**9)
    if column.endswith("temperature"):
        return whole(150)
    if column.endswith("clock"):
        return whole(5000).map(lambda megahertz: megahertz * 10**6)
    if column.startswith("nvlink") and "B200" not in model:
        return whole(2**50).map(lambda kibibytes: kibibytes * 1024)
    return whole(2**60)


READ = [metric.column for metric in columns("accelerator") if metric.column[:7] not in {"status_", "reading"}]


@st.composite
def states(draw: st.DrawFn) -> NodeState:
    return NodeState(
        accelerators=tuple(
            AcceleratorState(
                hw_id=f"GPU-{index}",
                model=model,
                pci_bus_id="",
                readings={column: draw(st.none() | reading(column, model)) for column in READ},
                recovery_action=draw(st.sampled_from((0, 0, 1, 2, 4))),
            )
            for index, model in enumerate(MODELS)
        )
    )


Told = dict[tuple[str, str, str, frozenset[tuple[str, str]]], tuple[type, float]]


def truth(node: NodeState) -> Told:
    """What must arrive, from the contract and the scenario alone."""
    found: Told = {}
    for accelerator in node.accelerators:
        state = "degraded" if accelerator.recovery_action else "ok"
        shown = dict(accelerator.readings) | {f"status_{each}": int(each == state) for each in STATES}
        for metric in columns("accelerator"):
            value = shown.get(metric.column)
            if value is not None:
                key = (
                    metric.name,
                    metric.unit,
                    metric.kind,
                    frozenset({("hw.id", accelerator.hw_id), *metric.attributes}),
                )
                found[key] = (float if metric.type.startswith("float") else int, value)
    return found


def told(export: Export) -> Told:
    """What arrived of the accelerators, but for the age."""
    return {
        (point.name, point.unit, point.kind, point.attributes): (type(point.value), point.value)  # pyright: ignore[reportReturnType] - attributes of points are text
        for point in export.points()
        if "hw.id" in dict(point.attributes) and point.name != "gigawatch.accelerator.reading.age"
    }


def read_at(export: Export) -> float:
    """When the oldest reading of an export was made (Unix time)."""
    ages = [point for point in export.points() if point.name == "gigawatch.accelerator.reading.age"]
    return min(point.time_unix_nano / 1e9 - point.value for point in ages)


@pytest.fixture
def play(scene: Scene) -> Callable[[NodeState], Export]:
    """Shows a state to the real exporter process through the compiled library; the first export that was read since."""
    scene.start("--interval", "0.2")

    def play(state: NodeState) -> Export:
        shown = time.time()
        scene.show(state)
        latest = scene.receiver.accepted
        return scene.receiver.wait_for(lambda: next((each for each in latest()[-3:] if read_at(each) > shown), None))

    return play


def test_what_the_compiled_library_shows_arrives_from_the_real_process_in_unit_type_and_value(
    play: Callable[[NodeState], Export],
) -> None:
    @EXAMPLES
    @given(states())
    def arrives(state: NodeState) -> None:
        assert told(play(state)) == truth(state)

    arrives()


class _Shown:
    state = NodeState(accelerators=())


@pytest.fixture
def read_fake() -> Iterator[Callable[[NodeState], Export]]:
    """Reads a state through pynvml and the fake below it, and encodes it."""
    shown = _Shown()
    shown.state = full_node()
    nvml.use(FakeNvml(lambda: shown.state))
    library = nvml.Nvml()
    devices = [device for index in range(library.count()) if (device := library.open(index))]

    def read(state: NodeState) -> Export:
        shown.state = state
        readings = [(device, device.read()) for device in devices]
        snapshot = Snapshot(
            time_unix_nano=2,
            counters_since_unix_nano=1,
            accelerators=tuple(
                AcceleratorReading(
                    hw_id=device.hw_id,
                    model=device.model,
                    state=reading.condition,
                    age=0.0,
                    values={**reading.values, **reading.counters},
                )
                for device, reading in readings
            ),
        )
        identity = NodeIdentity(factory="sim-test", host_name="node-1", simulated=True)
        return Export({}, 200, metrics=encode_metrics(metrics_data(identity, snapshot)))

    read(full_node())  # NVLink is looked for at the first reading
    yield read
    library.close()


def test_what_the_fake_in_python_shows_is_encoded_in_unit_type_and_value(
    read_fake: Callable[[NodeState], Export],
) -> None:
    @settings(EXAMPLES, max_examples=50)
    @given(states())
    def equals(state: NodeState) -> None:
        assert told(read_fake(state)) == truth(state)

    equals()


def test_an_accelerator_that_supports_all_emits_all_of_the_contract_and_nothing_else(
    play: Callable[[NodeState], Export],
) -> None:
    export = play(full_node())
    emitted = {
        (point.name, point.unit, point.kind, frozenset(pair for pair in point.attributes if pair[0] != "hw.id"))
        for point in export.points()
    }
    assert emitted == {(metric.name, metric.unit, metric.kind, frozenset(metric.attributes)) for metric in METRICS}


def test_blanks_of_the_library_are_absent_and_not_figures(
    read_fake: Callable[[NodeState], Export], scene: Scene
) -> None:
    blank = {
        "power": 0xFFFFFFFF / 1000,  # milliwatts
        "memory_temperature": 0xFFFFFFFF,
        "energy": None,
        "pcie_receive": 9223372036854775794,
        "ecc_corrected": 0xFFFFFFFFFFFFFFFF,
        "utilization": None,
        "memory_controller_utilization": 0.25,
        "memory_total": None,
        "memory_used": 1024,
    }
    arrived = {
        key[0]: value
        for key, (_, value) in told(read_fake(scene.change(0, readings=blank))).items()
        if ("hw.id", "GPU-0") in key[3]
    }
    del arrived["hw.status"]
    assert arrived == {
        "gigawatch.accelerator.memory_controller.utilization": 0.25,
        "hw.gpu.memory.usage": 1024,
    }


def test_the_real_process_on_a_scenario_sends_the_node_of_the_scenario(scene: Scene) -> None:
    host_name, start = "aurora-r01n01", time.time()
    daemon = ("--library", "fake", "--scenario", "incident", "--scenario-start", str(start), "--host-name", host_name)
    scene.start("--factory", "sim-aurora", *daemon)
    export = scene.next()
    shown = node_source("incident", host_name, start, clock=lambda: read_at(export))()
    assert len(shown.accelerators) == 8
    constant = ("hw.gpu.memory.limit", "gigawatch.accelerator.power.limit", "hw.errors")
    assert {key: value for key, value in told(export).items() if key[0] in constant} == {
        key: value for key, value in truth(shown).items() if key[0] in constant
    }
    assert export.resource()["gigawatch.accelerator.models"] == tuple(each.model for each in shown.accelerators)


def test_the_resource_says_whose_telemetry_it_is_and_that_it_is_simulated(
    play: Callable[[NodeState], Export],
) -> None:
    resource = play(full_node()).resource()
    assert resource["gigawatch.factory.id"] == "sim-test"
    assert resource["host.name"] == "node-1"
    assert resource["gigawatch.simulated"] is True
    assert resource["hw.driver_version"] == full_node().driver_version
    assert resource["gigawatch.accelerator.ids"] == ("GPU-0", "GPU-1", "GPU-2")
    assert resource["gigawatch.accelerator.models"] == MODELS
