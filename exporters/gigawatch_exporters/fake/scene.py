"""A whole scene for tests: a node on the compiled fake library, real exporter processes that read it, a receiver."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from gigawatch_exporters.fake.native import STAGE_VARIABLE, Stage
from gigawatch_exporters.fake.state import AcceleratorState, NodeState
from gigawatch_exporters.testing import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from gigawatch_exporters.testing import Export, Point

MODELS: Final = ("NVIDIA H100 80GB HBM3", "NVIDIA B200", "NVIDIA L40S")
READINGS: Final[dict[str, float | int | None]] = {
    "utilization": 0.97,
    "memory_controller_utilization": 0.41,
    "memory_used": 61_234_567_890,
    "memory_total": 85_520_809_984,
    "power": 612.345,
    "power_average": 605.001,
    "power_limit_enforced": 650.0,
    "power_limit_requested": 700.0,
    "power_limit_default": 700.0,
    "power_limit_min": 200.0,
    "power_limit_max": 700.0,
    "energy": 123_456_789.012,
    "temperature": 61,
    "memory_temperature": 74,
    "sm_clock": 1_980_000_000,
    "memory_clock": 2_619_000_000,
    "throttle_software_power_cap": 12.000000001,
    "throttle_software_thermal": 1.5,
    "throttle_hardware_thermal": 0.25,
    "throttle_hardware_power_brake": 0.0,
    "throttle_sync_boost": 3.0,
    "pcie_receive": 987_654_321_987,
    "pcie_transmit": 123_456_789_123,
    "nvlink_receive": 1024 * 7_777_777,
    "nvlink_transmit": 1024 * 8_888_888,
    "ecc_corrected": 3,
    "ecc_uncorrected": 0,
}
START_SECONDS: Final = 60.0


def full_node() -> NodeState:
    """Three accelerators of different models, GPU-0 to GPU-2, that support everything."""
    return NodeState(
        accelerators=tuple(
            AcceleratorState(hw_id=f"GPU-{index}", model=model, pci_bus_id=f"0000:0{index}:00.0", readings=READINGS)
            for index, model in enumerate(MODELS)
        )
    )


class Daemon:
    """The real exporter process, as a person starts it, and what it has printed."""

    def __init__(self, *words: str, environment: dict[str, str] | None = None) -> None:
        self._lines: list[str] = []
        self._told = threading.Event()
        self._process = subprocess.Popen(
            (Path(sys.executable).with_name("gigawatch-exporter"), *words),
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    @property
    def output(self) -> str:
        """All of it so far."""
        return "".join(self._lines)

    @property
    def page(self) -> str:
        """The address of /metrics, without /metrics."""
        found = re.search(r"/metrics at (\S+)/metrics", self.output)
        assert found, self.output
        return found[1]

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> Self:
        """Return when it says that it is ready.

        Raises:
            TimeoutError: it did not, or ended; the message holds its output.
        """
        if not self._told.wait(START_SECONDS) or "ready:" not in self.output:
            raise TimeoutError(f"the exporter is not ready: {self.output}")
        return self

    def readers(self) -> list[int]:
        """The processes that it has started."""
        return [int(each) for each in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        code = self._process.wait(START_SECONDS)
        self._listener.join(START_SECONDS)
        assert self._process.stdout
        self._process.stdout.close()
        return code

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.append(line)
            if line.startswith("ready:"):
                self._told.set()
        self._told.set()


class Scene:
    """What is true of a node, exporters that read it in a hurry, and what they have sent."""

    def __init__(self, library: Path, folder: Path) -> None:
        self.node = full_node()
        self.spool = folder / "spool"
        self.receiver = Receiver()
        self.daemons: list[Daemon] = []
        self._library = library
        self._stage = Stage(folder / "stage")
        self.show(self.node)

    def __enter__(self) -> Self:
        self.receiver.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.daemons:
            each.end(signal.SIGKILL)
        self.receiver.__exit__()
        self._stage.__exit__()

    def show(self, node: NodeState, **behaviour: Any) -> None:
        """Make this true; `behaviour` as Stage.show knows it."""
        self._stage.show(node, **behaviour)

    def change(self, index: int, **fields: Any) -> NodeState:
        """The full node with one accelerator changed; it is not shown yet."""
        accelerators = list(self.node.accelerators)
        accelerators[index] = replace(accelerators[index], **fields)
        return replace(self.node, accelerators=tuple(accelerators))

    def run(self, *words: str) -> Daemon:
        """An exporter on the scene; more words override."""
        hurry = ("--period", "0.1", "--interval", "0.3", "--deadline", "2", "--hang", "10", "--prometheus-port", "0")
        whose = ("--factory", "sim-test", "--simulated", "--host-name", "node-1", "--spool", str(self.spool))
        where = ("--library", str(self._library), "--endpoint", self.receiver.endpoint)
        environment = {STAGE_VARIABLE: str(self._stage.path)}
        self.daemons.append(Daemon(*hurry, *whose, *where, *words, environment=environment))
        return self.daemons[-1]

    def start(self, *words: str) -> Daemon:
        """An exporter that is ready."""
        return self.run(*words).ready()

    def next(self) -> Export:
        """The first export after this call."""
        count = len(self.receiver.accepted())
        return self.receiver.wait_for(lambda: self.receiver.accepted()[count:])[0]

    def until(self, wanted: Callable[[Export], object]) -> Export:
        """The first export of all that is as wanted."""
        return self.receiver.wait_for(lambda: next((each for each in self.receiver.accepted() if wanted(each)), None))

    def events(self, name: str) -> list[LogRecord]:
        """The records of a kind of event so far."""
        return [record for record in self.receiver.records() if record.event_name == f"gigawatch.accelerator.{name}"]

    def event(self, name: str, count: int = 1) -> list[LogRecord]:
        """The records of a kind of event, once there are so many."""
        return self.receiver.wait_for(lambda: found if len(found := self.events(name)) >= count else None)


def of(export: Export, hw_id: str) -> list[Point]:
    """The points of one accelerator."""
    return [point for point in export.points() if ("hw.id", hw_id) in point.attributes]


def state(export: Export, hw_id: str) -> str | None:
    """The one state of an accelerator that is 1; None when it has none, or several."""
    found = [point for point in of(export, hw_id) if point.name == "hw.status" and point.value]
    return str(dict(found[0].attributes)["hw.state"]) if len(found) == 1 else None


def value(export: Export, name: str, hw_id: str | None = None) -> float:
    """The first value of a metric, of one accelerator or of the node; NaN where it is absent."""
    points = of(export, hw_id) if hw_id else export.points()
    return next((point.value for point in points if point.name == name), float("nan"))
