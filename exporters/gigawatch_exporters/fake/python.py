"""A fake of libnvidia-ml in Python, below pynvml: all of pynvml's own code runs, only the driver's is replaced.

    nvml.use(FakeNvml(source))

pynvml looks its functions up by name; one that is missing here is, as in an old driver, "function not found".
"""

from __future__ import annotations

import ctypes
import itertools
import time
from typing import TYPE_CHECKING, Any, Final

from gigawatch_exporters.fake.answers import UINT, FieldAnswer, calls, fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_exporters.fake.state import AcceleratorState, NodeState, Source

SUCCESS, UNINITIALIZED, INVALID, NOT_SUPPORTED, TIMEOUT, LOST = 0, 1, 2, 3, 10, 15
XID: Final = 8
FIRST_HANDLE: Final = 0x1000
LOOK_AGAIN: Final = 0.02
"""Seconds between looks at the source while a call waits."""
LATENCY_MICROSECONDS: Final = 25


class FakeNvml:
    """The library's functions, as ctypes would give them; the scenario's clock and truth come from `source`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._present: list[str] | None = None
        self._handles: list[str] = []
        self._event_sets: dict[int, int] = {}
        self._ids = itertools.count(1)

    def nvmlInitWithFlags(self, _flags: int) -> int:  # noqa: N802 - the library's name, here and below
        self._present = [each.hw_id for each in self._source().accelerators if not each.lost]
        return SUCCESS

    def nvmlShutdown(self) -> int:  # noqa: N802
        self._present = None
        return SUCCESS

    def nvmlSystemGetDriverVersion(self, buffer: Any, _size: Any) -> int:  # noqa: N802
        buffer.value = self._source().driver_version.encode()
        return SUCCESS

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        if self._present is None:
            return UNINITIALIZED
        count._obj.value = len(self._present)  # noqa: SLF001 - what ctypes.byref points to
        return SUCCESS

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:  # noqa: N802
        if self._present is None or not 0 <= index.value < len(self._present):
            return INVALID
        hw_id = self._present[index.value]
        if hw_id not in self._handles:
            self._handles.append(hw_id)
        _point(handle._obj, FIRST_HANDLE + self._handles.index(hw_id))  # noqa: SLF001
        return self._ask(hw_id, lambda _: SUCCESS)

    def nvmlDeviceGetUUID(self, handle: Any, buffer: Any, _size: Any) -> int:  # noqa: N802
        buffer.value = self._named(handle).encode()
        return SUCCESS

    def nvmlDeviceGetName(self, handle: Any, buffer: Any, _size: Any) -> int:  # noqa: N802
        def answer(state: AcceleratorState) -> int:
            buffer.value = state.model.encode()
            return SUCCESS

        return self._ask(self._named(handle), answer)

    def nvmlDeviceGetFieldValues(self, handle: Any, count: Any, values: Any) -> int:  # noqa: N802
        def answer(state: AcceleratorState) -> int:
            told = {(each.id, each.scope): each for each in fields(state)}
            for value in values._obj[: count.value]:  # noqa: SLF001
                _fill(value, told.get((value.fieldId, value.scopeId)))
            return SUCCESS

        return self._ask(self._named(handle), answer)

    def nvmlDeviceGetUtilizationRates(self, handle: Any, rates: Any) -> int:  # noqa: N802
        def answer(state: AcceleratorState) -> int:
            told = calls(state)
            if told.gpu_percent is None or told.memory_percent is None:
                return NOT_SUPPORTED
            rates._obj.gpu, rates._obj.memory = told.gpu_percent, told.memory_percent  # noqa: SLF001
            return SUCCESS

        return self._ask(self._named(handle), answer)

    def nvmlDeviceGetMemoryInfo_v2(self, handle: Any, memory: Any) -> int:  # noqa: N802
        def answer(state: AcceleratorState) -> int:
            told = calls(state)
            if told.memory_total is None or told.memory_used is None:
                return NOT_SUPPORTED
            memory._obj.total, memory._obj.used = told.memory_total, told.memory_used  # noqa: SLF001
            return SUCCESS

        return self._ask(self._named(handle), answer)

    def nvmlDeviceGetTemperatureV(self, handle: Any, temperature: Any) -> int:  # noqa: N802
        def answer(state: AcceleratorState) -> int:
            degrees = calls(state).temperature
            if degrees is None:
                return NOT_SUPPORTED
            temperature._obj.temperature = degrees  # noqa: SLF001
            return SUCCESS

        return self._ask(self._named(handle), answer)

    def nvmlDeviceGetClockInfo(self, handle: Any, which: Any, clock: Any) -> int:  # noqa: N802
        def answer(state: AcceleratorState) -> int:
            told = calls(state)
            megahertz = {1: told.sm_megahertz, 2: told.memory_megahertz}.get(which.value)
            if megahertz is None:
                return NOT_SUPPORTED
            clock._obj.value = megahertz  # noqa: SLF001
            return SUCCESS

        return self._ask(self._named(handle), answer)

    def nvmlEventSetCreate(self, events: Any) -> int:  # noqa: N802
        created = next(self._ids)
        self._event_sets[created] = max((event.sequence for event in self._source().events), default=-1)
        _point(events._obj, created)  # noqa: SLF001
        return SUCCESS

    def nvmlEventSetFree(self, events: Any) -> int:  # noqa: N802
        self._event_sets.pop(_address(events), None)
        return SUCCESS

    def nvmlDeviceGetSupportedEventTypes(self, _handle: Any, types: Any) -> int:  # noqa: N802
        types._obj.value = XID  # noqa: SLF001
        return SUCCESS

    def nvmlDeviceRegisterEvents(self, _handle: Any, _types: Any, events: Any) -> int:  # noqa: N802
        return SUCCESS if _address(events) in self._event_sets else INVALID

    def nvmlEventSetWait_v2(self, events: Any, data: Any, milliseconds: Any) -> int:  # noqa: N802
        """Every event once, in order: those after the set was made, of accelerators that were opened."""
        deadline = time.monotonic() + milliseconds.value / 1000
        address = _address(events)
        while True:
            seen = self._event_sets.get(address)
            if seen is None:
                return INVALID
            for event in sorted(self._source().events, key=lambda event: event.sequence):
                if event.sequence > seen and event.hw_id in self._handles:
                    self._event_sets[address] = event.sequence
                    _point(data._obj.device, FIRST_HANDLE + self._handles.index(event.hw_id))  # noqa: SLF001
                    data._obj.eventType, data._obj.eventData = XID, event.code  # noqa: SLF001
                    return SUCCESS
            if time.monotonic() > deadline:
                return TIMEOUT
            time.sleep(LOOK_AGAIN)

    def _named(self, handle: Any) -> str:
        return self._handles[(_address(handle) or 0) - FIRST_HANDLE]

    def _ask(self, hw_id: str, answer: Callable[[AcceleratorState], int]) -> int:
        """What the accelerator answers now; a call that hangs looks again and again until it no longer does."""
        while (state := _find(self._source(), hw_id)) is not None and state.hang:
            time.sleep(LOOK_AGAIN)
        return LOST if state is None or state.lost else answer(state)


def _find(node: NodeState, hw_id: str) -> AcceleratorState | None:
    return next((each for each in node.accelerators if each.hw_id == hw_id), None)


def _fill(value: Any, told: FieldAnswer | None) -> None:
    value.nvmlReturn = NOT_SUPPORTED if told is None else SUCCESS
    value.timestamp, value.latencyUsec = time.time_ns() // 1000, LATENCY_MICROSECONDS
    if told is not None:
        value.valueType = told.type
        if told.type == UINT:
            value.value.uiVal = told.raw
        else:
            value.value.ullVal = told.raw


def _point(pointer: Any, address: int) -> None:
    """Make a ctypes pointer point to an address, as the library does when it hands out a handle."""
    ctypes.c_void_p.from_address(ctypes.addressof(pointer)).value = address


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0
