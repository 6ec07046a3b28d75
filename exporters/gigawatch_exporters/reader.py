"""The process that calls the vendor's library: it may hang or die, and the daemon goes on.

One thread for each accelerator, so that one that hangs delays no other; one that waits for XIDs. What they learn goes
to the daemon over a pipe. The process ends when its standard input does: when the daemon has gone, so does the reader.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from gigawatch_contract.errors import ConfigurationError, GigawatchError
from gigawatch_exporters import memory
from gigawatch_exporters.device import CannotOpenError
from gigawatch_exporters.messages import Answered, Failed, Found, Inventory, Xid, encode

if TYPE_CHECKING:
    from gigawatch_exporters.device import Device, Library
    from gigawatch_exporters.messages import Message

log = logging.getLogger(__name__)
FAKE: Final = "fake"
"""The `library` that is no path: a scenario is shown in place of a driver."""
XID_WAIT: Final = 1.0
CLOSE_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a reader reads, and how often."""

    period: float
    """Seconds from one reading to the next."""
    library: str | None = None
    """Path of the library; None where the system has it; "fake" for a scenario."""
    scenario: str | None = None
    host_name: str = ""
    start: float = 0.0
    """When the scenario begins (Unix time)."""

    def words(self) -> tuple[str, ...]:
        """The command that runs such a reader."""
        return (sys.executable, "-m", "gigawatch_exporters.reader", json.dumps(asdict(self)))


def connect(plan: Plan) -> Library:
    """The library that the plan names, initialised.

    Raises:
        GigawatchError: it is not there or cannot be used; says what to do.
    """
    from gigawatch_exporters import nvml  # noqa: PLC0415 - costs memory that the daemon, which imports this, must not pay

    if plan.library == FAKE:
        nvml.use(_fake(plan))
    elif plan.library:
        nvml.load(plan.library)
    return nvml.Nvml()


def _fake(plan: Plan) -> object:
    from gigawatch_exporters.fake.python import FakeNvml  # noqa: PLC0415 - absent from a real reader's memory

    try:
        from gigawatch_exporters.simulator import node_source  # noqa: PLC0415 - needs the extra [simulator]
    except ImportError as error:
        raise ConfigurationError(f"library: a fake needs `gigawatch-exporters[simulator]`: {error}") from error
    return FakeNvml(node_source(plan.scenario or "", plan.host_name, plan.start))


class Reader:
    """Reads a library and writes what it learns to a pipe."""

    def __init__(self, library: Library, plan: Plan, pipe: int) -> None:
        self._library = library
        self._plan = plan
        self._pipe = pipe
        self._lock = threading.Lock()
        self._to_open = library.count()
        self._opened: dict[int, str] = {}
        self._unopened = 0

    def start(self) -> None:
        """Start the threads; they end with the process."""
        self._tell_inventory()
        for index in range(self._to_open):
            threading.Thread(target=self._serve, args=(index,), name=f"accelerator {index}", daemon=True).start()
        threading.Thread(target=self._listen, name="xid", daemon=True).start()

    def _serve(self, index: int) -> None:
        """Open one accelerator and read it for ever, on the grid of the period."""
        device, unopened = None, 0
        try:
            device = self._library.open(index)
        except CannotOpenError:
            unopened = 1
        if device is not None:
            self._tell(Found(index=index, hw_id=device.hw_id, model=device.model))
        with self._lock:
            self._to_open -= 1
            self._unopened += unopened
            if device is not None:
                self._opened[index] = device.hw_id
        self._tell_inventory()
        while device is not None:
            self._tell(_answer(device))
            time.sleep(self._plan.period - time.monotonic() % self._plan.period)

    def _tell_inventory(self) -> None:
        with self._lock:
            complete = not self._to_open
            hw_ids = tuple(self._opened[index] for index in sorted(self._opened))
        if complete:
            version = self._library.driver_version
            self._tell(Inventory(hw_ids=hw_ids, unopened=self._unopened, driver_version=version))

    def _listen(self) -> None:
        while True:
            report = self._library.wait_for_xid(XID_WAIT)
            if report is not None:
                self._tell(Xid(hw_id=report.hw_id, code=report.code, time_unix_nano=time.time_ns()))

    def _tell(self, message: Message) -> None:
        _write(self._pipe, encode(message), self._lock)


def _answer(device: Device) -> Answered:
    begun = time.monotonic()
    reading = device.read()
    ended = time.monotonic()
    return Answered(
        hw_id=device.hw_id,
        at=ended,
        duration=ended - begun,
        condition=reading.condition,
        values=reading.values,
        counters=reading.counters,
        wraps=reading.wraps,
    )


def _write(pipe: int, data: bytes, lock: threading.Lock) -> None:
    with lock:
        while data:
            try:
                data = data[os.write(pipe, data) :]
            except BrokenPipeError:  # the daemon has gone
                os._exit(0)


def main(words: list[str]) -> None:
    """Read as the plan in the first word says, until standard input ends."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level="INFO")
    pipe = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not get between the messages
    plan = Plan(**json.loads(words[0]))
    try:
        library = connect(plan)
        memory.give_back()
        Reader(library, plan, pipe).start()
    except GigawatchError as error:
        _write(pipe, encode(Failed(text=str(error), exit_code=error.exit_code)), threading.Lock())
        return
    sys.stdin.buffer.read()
    closing = threading.Thread(target=library.close, daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)  # a hung library cannot be closed
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
