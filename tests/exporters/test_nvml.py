"""What differs between drivers and models, on the fake below pynvml: old ones, blanks, wraps, NVLink's two ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_contract.errors import Unavailable
from gigawatch_exporters import nvml
from gigawatch_exporters.device import CannotOpenError
from gigawatch_exporters.fake.python import SUCCESS, FakeNvml
from gigawatch_exporters.fake.scene import READINGS, full_node
from gigawatch_exporters.fake.state import AcceleratorState, NodeState
from gigawatch_exporters.fields import BYTES_OF_EACH_LINK, Answer, Collected, Raw, choose_links

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_exporters.device import Reading


class OldDriver(FakeNvml):
    """A driver without the newer fields and calls, and with the older ones."""

    def nvmlDeviceGetPowerUsage(self, _handle: Any, milliwatts: Any) -> int:  # noqa: N802 - the library's name
        milliwatts._obj.value = 123_456
        return SUCCESS

    def nvmlDeviceGetTemperature(self, _handle: Any, _sensor: Any, degrees: Any) -> int:  # noqa: N802
        degrees._obj.value = 55
        return SUCCESS

    def __getattribute__(self, name: str) -> Any:
        if name in {"nvmlDeviceGetTemperatureV", "nvmlDeviceGetMemoryInfo_v2", "nvmlEventSetWait_v2"}:
            raise AttributeError(name)
        return super().__getattribute__(name)


def node(model: str = "NVIDIA H100", **readings: float | None) -> NodeState:
    return NodeState(accelerators=(AcceleratorState(hw_id="GPU-0", model=model, pci_bus_id="", readings=readings),))


@pytest.fixture
def read() -> Callable[[FakeNvml], Reading]:
    """The first reading of the first accelerator of a library."""

    def reading(library: FakeNvml) -> Reading:
        nvml.use(library)
        device = nvml.Nvml().open(0)
        assert device is not None
        return device.read()

    return reading


def test_an_old_driver_gives_what_it_has_and_is_no_error(read: Callable[[FakeNvml], Reading]) -> None:
    reading = read(OldDriver(lambda: node(utilization=0.5, memory_used=1024)))
    assert reading.condition == "ok"
    assert reading.values == {"power": 123.456, "temperature": 55, "utilization": 0.5}


def test_power_of_the_old_call_is_not_taken_where_a_field_gives_it(read: Callable[[FakeNvml], Reading]) -> None:
    assert read(OldDriver(lambda: node(power_average=50.0))).values["power_average"] == 50.0
    assert "power" not in read(OldDriver(lambda: node(power_average=50.0))).values


def test_waiting_for_xids_on_a_driver_without_events_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "EVENT_PAUSE", 0.0)
    nvml.use(OldDriver(full_node))
    assert nvml.Nvml().wait_for_xid(0.01) is None


def test_nvlink_is_summed_over_all_links_of_either_generation(read: Callable[[FakeNvml], Reading]) -> None:
    kibibytes = read(FakeNvml(lambda: node("NVIDIA H100", nvlink_receive=18 * 1024)))
    assert kibibytes.counters == {"nvlink_receive": 18 * 1024}
    of_bytes = read(FakeNvml(lambda: node("NVIDIA GB200", nvlink_receive=1_000_003)))
    assert of_bytes.counters == {"nvlink_receive": 1_000_003}


def test_a_sum_that_lacks_a_link_is_no_sum() -> None:
    found = Collected()
    found.links([Answer(202, 0, Raw(5)), Answer(202, 1, None), Answer(204, 0, Raw(7)), Answer(204, 1, Raw(8))])
    assert found.counters == {"nvlink_receive": 15}


def test_bytes_of_each_link_are_taken_before_kibibytes_of_all() -> None:
    answers = [Answer(138, 0xFFFFFFFF, Raw(0)), *(Answer(field, link, Raw(1)) for field, link in BYTES_OF_EACH_LINK)]
    assert choose_links(answers) == BYTES_OF_EACH_LINK
    assert choose_links(answers[:1]) == ((138, 0xFFFFFFFF),)
    assert choose_links([Answer(138, 0xFFFFFFFF, None)]) == ()


def test_a_lost_accelerator_says_so_and_one_in_trouble_cannot_be_opened() -> None:
    state = full_node()
    library = FakeNvml(lambda: state)
    nvml.use(library)
    connected = nvml.Nvml()
    device = connected.open(0)
    assert device is not None
    state = NodeState(accelerators=())
    assert device.read().condition == "lost"
    assert connected.open(1) is None
    with pytest.raises(CannotOpenError):
        connected.open(99)


def test_a_missing_library_or_driver_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for code, advice in ((9, "NVIDIA's driver is not loaded"), (18, "differ in version: reboot the node")):
        library = FakeNvml(full_node)
        monkeypatch.setattr(library, "nvmlInitWithFlags", lambda _, code=code: code)
        nvml.use(library)
        with pytest.raises(Unavailable, match=advice):
            nvml.Nvml()


def test_every_column_of_the_scene_is_read(read: Callable[[FakeNvml], Reading]) -> None:
    reading = read(FakeNvml(full_node))
    assert {**reading.values, **reading.counters} == READINGS
