"""The compiled fake of libnvidia-ml.so.1: builds it with the machine's C compiler, and writes the file that it shows."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from gigawatch_contract.errors import Unavailable
from gigawatch_exporters.fake.answers import calls, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gigawatch_exporters.fake.state import AcceleratorState, NodeState

SOURCE: Final = Path(__file__).with_name("nvml.c")
LIBRARY: Final = "libnvidia-ml.so.1"
STAGE_VARIABLE: Final = "GIGAWATCH_FAKE_NVML"
"""The environment variable in which the library finds the file to show."""

# The layout of nvml.c's struct stage.
MAGIC: Final = 0x47574E4D
MAX_FIELDS: Final = 64
MAX_GPUS: Final = 32
MAX_EVENTS: Final = 64
HEADER: Final = struct.Struct("<6I80s")
GPU: Final = struct.Struct("<96s96s6I7q")
FIELD: Final = struct.Struct("<4IQ")
EVENT: Final = struct.Struct("<96sQq")
GPU_SIZE: Final = GPU.size + MAX_FIELDS * FIELD.size
SIZE: Final = HEADER.size + MAX_GPUS * GPU_SIZE + MAX_EVENTS * EVENT.size
VERSION_AT: Final = 4
NOT_SUPPORTED: Final = -1


def build(folder: Path) -> Path:
    """Compile the library into a folder and return its path.

    Raises:
        Unavailable: there is no C compiler, or it refuses.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Unavailable("the compiled fake of NVML needs a C compiler: install gcc")
    library = folder / LIBRARY
    words = (compiler, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", f"-Wl,-soname,{LIBRARY}")
    done = subprocess.run((*words, str(SOURCE), "-o", str(library)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"the compiled fake of NVML does not build: {done.stderr.strip()}")
    return library


class Stage:
    """The file that the library shows: what is true now, and how badly it behaves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(SIZE))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)
        self._version = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()

    def show(
        self,
        node: NodeState,
        *,
        slow: Mapping[str, float] | None = None,
        errors: Mapping[str, int] | None = None,
        crash: bool = False,
    ) -> None:
        """Make this the truth.

        Args:
            node: what is true from now on.
            slow: seconds that each call on an accelerator takes.
            errors: the code of NVML with which each call on an accelerator fails.
            crash: whether the next call ends the process.
        """
        if len(node.accelerators) > MAX_GPUS or len(node.events) > MAX_EVENTS:
            raise ValueError(f"the fake shows up to {MAX_GPUS} accelerators and {MAX_EVENTS} events")
        gpus = [
            _gpu(each, (slow or {}).get(each.hw_id, 0.0), (errors or {}).get(each.hw_id, 0))
            for each in node.accelerators
        ]
        events = [
            EVENT.pack(event.hw_id.encode(), event.code, event.sequence)
            for event in sorted(node.events, key=lambda event: event.sequence)
        ]
        body = b"".join(
            (
                *(gpu.ljust(GPU_SIZE, b"\0") for gpu in gpus),
                bytes((MAX_GPUS - len(gpus)) * GPU_SIZE),
                *events,
                bytes((MAX_EVENTS - len(events)) * EVENT.size),
            )
        )
        header = HEADER.pack(
            MAGIC, self._version + 1, int(crash), len(gpus), len(events), 0, node.driver_version.encode()
        )
        self._mark()  # odd: being written
        self._memory[: HEADER.size] = header
        self._memory[HEADER.size :] = body
        self._mark()

    def _mark(self) -> None:
        self._version += 1
        self._memory[VERSION_AT : VERSION_AT + 4] = self._version.to_bytes(4, "little")


def _gpu(state: AcceleratorState, slow: float, error: int) -> bytes:
    told = fields(state)
    numbers = calls(state)
    head = GPU.pack(
        state.hw_id.encode(),
        state.model.encode(),
        state.lost,
        state.hang,
        round(slow * 1000),
        error,
        len(told),
        0,
        *(
            NOT_SUPPORTED if value is None else _signed(value)
            for value in (
                numbers.gpu_percent,
                numbers.memory_percent,
                numbers.memory_total,
                numbers.memory_used,
                numbers.temperature,
                numbers.sm_megahertz,
                numbers.memory_megahertz,
            )
        ),
    )
    return head + b"".join(FIELD.pack(each.id, each.scope, each.type, 0, each.raw) for each in told)


def _signed(value: int) -> int:
    """A 64-bit pattern as the signed number of the struct."""
    return value - (1 << 64) if value >= 1 << 63 else value
