"""What goes wrong with one accelerator, or with the reader, stays there; the real process on the compiled library."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_exporters.fake.scene import of, state, value
from gigawatch_exporters.fake.state import AcceleratorState, NodeState, XidEvent

if TYPE_CHECKING:
    from gigawatch_exporters.fake.scene import Scene
    from gigawatch_exporters.testing import Export, Point

AGE = "gigawatch.accelerator.reading.age"
RESTARTS = "gigawatch.exporter.reader.restarts"


@pytest.fixture
def running(scene: Scene) -> Scene:
    """The scene with an exporter at work."""
    scene.start()
    return scene


def attributes(record: Any) -> dict[str, Any]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in record.attributes}


def energy(export: Export, hw_id: str) -> Point:
    return next(point for point in of(export, hw_id) if point.name == "hw.energy")


def test_a_hung_call_makes_its_accelerator_unresponsive_and_the_others_go_on(running: Scene) -> None:
    running.show(running.change(1, hang=True))
    export = running.until(lambda each: state(each, "GPU-1") == "unresponsive")
    assert {point.name for point in of(export, "GPU-1")} == {"hw.status", AGE}
    assert value(export, AGE, "GPU-1") > 1
    assert value(export, "gigawatch.node.accelerator.count") == 2
    later = running.next()
    for hw_id in ("GPU-0", "GPU-2"):
        assert state(later, hw_id) == "ok"
        assert value(later, "hw.power", hw_id) == 612.345
        assert value(later, AGE, hw_id) < value(later, AGE, "GPU-1")
    [record] = running.event("unresponsive")
    assert attributes(record)["hw.id"] == "GPU-1"
    running.show(running.node)
    [recovered] = running.event("recovered")
    assert attributes(recovered)["hw.id"] == "GPU-1"
    assert state(running.next(), "GPU-1") == "ok"


def test_a_lost_accelerator_is_told_with_its_xid_and_stays_lost_when_the_bus_is_looked_at_anew(running: Scene) -> None:
    [daemon] = running.daemons
    [reader] = daemon.readers()
    lost = running.change(2, lost=True)
    running.show(replace(lost, events=(XidEvent(hw_id="GPU-2", code=79, sequence=0),)))
    export = running.until(lambda each: state(each, "GPU-2") == "lost")
    assert isnan(value(export, "hw.power", "GPU-2"))
    [xid] = running.event("xid")
    [gone] = running.event("lost")
    assert attributes(xid)["gigawatch.xid.code"] == 79
    assert attributes(xid)["log.record.uid"] != attributes(gone)["log.record.uid"]
    assert xid.severity_number == gone.severity_number == 17
    assert "XID 79" in xid.body.string_value
    running.receiver.wait_for(lambda: reader not in daemon.readers() and len(daemon.readers()) == 1)
    later = running.next()
    assert later.resource()["gigawatch.accelerator.ids"] == ("GPU-0", "GPU-1", "GPU-2")
    assert [state(later, f"GPU-{index}") for index in range(3)] == ["ok", "ok", "lost"]
    assert len(running.events("lost")) == 1
    assert value(later, RESTARTS) == 0, "looking anew is no fault"


def test_an_accelerator_that_vanished_while_no_reader_looked_is_lost(running: Scene) -> None:
    [reader] = running.daemons[0].readers()
    os.kill(reader, signal.SIGSTOP)
    running.show(replace(running.node, accelerators=running.node.accelerators[:2]))
    os.kill(reader, signal.SIGKILL)
    [gone] = running.event("lost")
    assert attributes(gone)["hw.id"] == "GPU-2"
    running.show(running.node)
    running.daemons[0].end()
    running.start()
    running.until(lambda each: state(each, "GPU-2") == "ok")


def test_the_same_xid_twice_is_two_events_and_each_is_sent_once(running: Scene) -> None:
    events = tuple(XidEvent(hw_id="GPU-0", code=31, sequence=sequence) for sequence in range(2))
    running.show(replace(running.node, events=events))
    records = running.event("xid", 2)
    running.next()
    assert len({attributes(record)["log.record.uid"] for record in records}) == len(running.events("xid")) == 2


def test_a_killed_reader_is_replaced_and_all_go_on(running: Scene) -> None:
    [reader] = running.daemons[0].readers()
    os.kill(reader, signal.SIGKILL)
    running.until(lambda each: value(each, RESTARTS) == 1 and value(each, AGE, "GPU-0") < 0.3)
    assert running.daemons[0].readers() != [reader]
    assert [state(running.next(), f"GPU-{index}") for index in range(3)] == ["ok"] * 3


def test_a_library_that_crashes_takes_its_reader_and_not_the_daemon(running: Scene) -> None:
    running.show(running.node, crash=True)
    export = running.until(lambda each: state(each, "GPU-0") == "unresponsive")
    assert value(export, "gigawatch.node.accelerator.count") == 0
    running.show(running.node)
    assert {attributes(each)["hw.id"] for each in running.event("recovered", 3)} == {"GPU-0", "GPU-1", "GPU-2"}


def test_a_killed_daemon_leaves_no_reader(running: Scene) -> None:
    [reader] = running.daemons[0].readers()
    running.daemons[0].end(signal.SIGKILL)

    def gone() -> bool:
        try:
            os.kill(reader, 0)
        except ProcessLookupError:
            return True
        return False

    assert running.receiver.wait_for(gone)


def test_one_that_answers_with_errors_has_failed_and_one_that_asks_for_a_reset_is_degraded(running: Scene) -> None:
    [reader] = running.daemons[0].readers()
    running.show(running.change(1, recovery_action=1), errors={"GPU-0": 999})
    export = running.until(lambda each: state(each, "GPU-0") == "failed" and state(each, "GPU-1") == "degraded")
    assert isnan(value(export, "hw.power", "GPU-0"))
    assert value(export, "hw.power", "GPU-1") == 612.345
    assert state(export, "GPU-2") == "ok"
    running.receiver.wait_for(lambda: reader not in running.daemons[0].readers())
    later = running.next()
    assert state(later, "GPU-0") == "failed", "the next reader cannot even open it, and it is still on the bus"


def test_a_slow_accelerator_delays_no_other(running: Scene) -> None:
    running.show(running.node, slow={"GPU-1": 0.08})
    export = running.until(lambda each: value(each, "gigawatch.exporter.read.duration") > 0.4)
    assert state(export, "GPU-1") == "ok", "each of its calls takes 0.08 s, which is slow and within the deadline"
    running.until(lambda each: each is not export and value(each, AGE, "GPU-0") < 0.2 < value(each, AGE, "GPU-1"))


def test_counters_of_a_reset_accelerator_say_since_when_and_those_of_others_go_on(running: Scene) -> None:
    since = energy(running.next(), "GPU-0").start_time_unix_nano
    running.show(running.change(1, readings={**running.node.accelerators[1].readings, "energy": 5.0}))
    after = running.until(lambda each: energy(each, "GPU-1").value == 5.0)
    assert since < energy(after, "GPU-1").start_time_unix_nano < energy(after, "GPU-1").time_unix_nano
    assert energy(after, "GPU-0").start_time_unix_nano == energy(after, "GPU-2").start_time_unix_nano == since


def test_an_exporter_that_starts_again_counts_from_the_same_start(scene: Scene) -> None:
    def starts(export: Export) -> list[int]:
        return [energy(export, f"GPU-{index}").start_time_unix_nano for index in range(3)]

    first = scene.start()
    scene.next()
    scene.show(scene.change(0, readings={**scene.node.accelerators[0].readings, "energy": 1.0}))
    moved = starts(scene.until(lambda each: len(set(starts(each))) == 2))
    scene.next()
    first.end(signal.SIGKILL)
    count = len(scene.receiver.accepted())
    scene.start()
    assert starts(scene.receiver.wait_for(lambda: scene.receiver.accepted()[count:])[-1]) == moved


def test_more_than_eight_accelerators_are_read(scene: Scene) -> None:
    many = [
        AcceleratorState(hw_id=f"GPU-{index:02}", model="NVIDIA H200", pci_bus_id="", readings={"power": float(index)})
        for index in range(16)
    ]
    scene.show(NodeState(accelerators=tuple(many)))
    scene.start()
    export = scene.next()
    assert [value(export, "hw.power", each.hw_id) for each in many] == [float(index) for index in range(16)]


def test_a_node_without_accelerators_says_that_there_are_none(scene: Scene) -> None:
    scene.show(NodeState(accelerators=()))
    scene.start()
    assert value(scene.next(), "gigawatch.node.accelerator.count") == 0
