"""NVML through nvidia-ml-py: the only module that imports pynvml.

One nvmlDeviceGetFieldValues batch per accelerator and reading carries nearly everything; each field's own return code
is checked and its union member picked by its type. nvmlDeviceGetPcieThroughput is never called: it blocks for 20 ms
per direction.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final, cast

from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_exporters.device import CannotOpenError, Reading, XidReport
from gigawatch_exporters.fields import (
    BYTES_OF_EACH_LINK,
    FIELDS,
    KIBIBYTES_OF_ALL_LINKS,
    RECOVERY_ACTION,
    Answer,
    Collected,
    Raw,
    choose_links,
    is_blank,
)

try:
    import pynvml
except ImportError as error:
    raise ConfigurationError("NVIDIA's Python bindings are missing: pip install nvidia-ml-py") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_exporters.device import Condition

log = logging.getLogger(__name__)
nvml = cast("Any", pynvml)  # the wheel has no types
if hasattr(nvml, "__path__") or not hasattr(nvml, "nvmlDeviceGetFieldValues"):
    raise ConfigurationError(
        "the module pynvml comes from the unofficial wheel `pynvml`, which hides NVIDIA's own: "
        "pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py"
    )

NO_GPUS_NO_ATTACH: Final = 3
"""Initialise even without GPUs, and touch none of them: a bad one would stall the start."""
XID_EVENT: Final = 8
LOST: Final = frozenset({nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_GPU_NOT_FOUND})
ABSENT: Final = frozenset(
    {
        nvml.NVML_ERROR_NOT_SUPPORTED,
        nvml.NVML_ERROR_NO_PERMISSION,
        nvml.NVML_ERROR_FUNCTION_NOT_FOUND,  # an older driver
        nvml.NVML_ERROR_INVALID_ARGUMENT,  # an older driver, asked for a field that it does not know
        nvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
        nvml.NVML_ERROR_NOT_FOUND,
        nvml.NVML_ERROR_NO_DATA,
        nvml.NVML_ERROR_DEPRECATED,
    }
)
"""Errors that say: this reading is not to be had here. All others say that the accelerator is in trouble."""
ADVICE: Final = {
    nvml.NVML_ERROR_LIBRARY_NOT_FOUND: "libnvidia-ml.so.1 is not found: install NVIDIA's driver, or name it with --library",
    nvml.NVML_ERROR_DRIVER_NOT_LOADED: "NVIDIA's driver is not loaded: `modprobe nvidia`, and see `dmesg`",
    nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "NVIDIA's library and kernel driver differ in version: reboot the node",
    nvml.NVML_ERROR_NO_PERMISSION: "this user may not open /dev/nvidiactl: see its group and mode",
}
MEMBERS: Final = (
    ("dVal", 64),
    ("uiVal", 32),
    ("ulVal", 64),
    ("ullVal", 64),
    ("sllVal", 64),
    ("siVal", 32),
    ("usVal", 16),
)
"""The member of nvmlValue_t for each value type, and its bits."""
EVENT_PAUSE: Final = 1.0
READINGS_BETWEEN_PROBES: Final = 300


def use(library: object) -> None:
    """Make pynvml call this library: a ctypes one, or a fake."""
    nvml.nvmlLib = library
    nvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001 - pynvml keeps functions of the library before


def load(path: str) -> None:
    """Make pynvml call the shared library at a path.

    Raises:
        ConfigurationError: it cannot be loaded.
    """
    try:
        use(ctypes.CDLL(path))
    except OSError as error:
        raise ConfigurationError(f"library: {error}") from error


class Nvml:
    """NVML, initialised.

    Raises:
        Unavailable: the library or the driver is not there; says what to do.
    """

    def __init__(self) -> None:
        try:
            nvml.nvmlInitWithFlags(NO_GPUS_NO_ATTACH)
        except nvml.NVMLError as error:
            raise Unavailable(f"NVML: {ADVICE.get(error.value, str(error))}") from error
        self._handles: dict[str, Any] = {}
        self._names: dict[int | None, str] = {}
        self._lock = threading.Lock()
        self._events: Any = None

    @property
    def driver_version(self) -> str | None:
        try:
            return str(nvml.nvmlSystemGetDriverVersion())
        except nvml.NVMLError:
            return None

    def count(self) -> int:
        return int(nvml.nvmlDeviceGetCount())

    def open(self, index: int) -> NvmlDevice | None:
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            device = NvmlDevice(handle, str(nvml.nvmlDeviceGetUUID(handle)), str(nvml.nvmlDeviceGetName(handle)))
        except nvml.NVMLError as error:
            log.warning("the accelerator at index %d cannot be opened: %s", index, error)
            if error.value in LOST:
                return None
            raise CannotOpenError from error
        with self._lock:
            self._handles[device.hw_id] = handle
            self._names[_address(handle)] = device.hw_id
            if self._events is not None:
                self._register(handle)
        return device

    def wait_for_xid(self, seconds: float) -> XidReport | None:
        try:
            if self._events is None:
                self._listen()
            event = nvml.nvmlEventSetWait_v2(self._events, int(seconds * 1000))
        except nvml.NVMLError as error:
            if error.value != nvml.NVML_ERROR_TIMEOUT:
                log.debug("waiting for events: %s", error)
                self._unlisten()  # after a lost driver the set is dead: the next call makes another
                time.sleep(EVENT_PAUSE)
            return None
        hw_id = self._names.get(_address(event.device))
        if hw_id is None or event.eventType != XID_EVENT:
            return None
        return XidReport(hw_id=hw_id, code=int(event.eventData))

    def close(self) -> None:
        self._unlisten()
        nvml.nvmlShutdown()

    def _listen(self) -> None:
        with self._lock:
            self._events = nvml.nvmlEventSetCreate()
            for handle in self._handles.values():
                self._register(handle)

    def _unlisten(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            try:
                nvml.nvmlEventSetFree(events)
            except nvml.NVMLError as error:
                log.debug("freeing the event set: %s", error)

    def _register(self, handle: Any) -> None:
        try:
            if nvml.nvmlDeviceGetSupportedEventTypes(handle) & XID_EVENT:
                nvml.nvmlDeviceRegisterEvents(handle, XID_EVENT, self._events)
        except nvml.NVMLError as error:
            log.warning("XIDs of %s cannot be heard: %s", self._names.get(_address(handle)), error)


class NvmlDevice:
    """One GPU."""

    def __init__(self, handle: Any, hw_id: str, model: str) -> None:
        self.hw_id = hw_id
        self.model = model
        self._handle = handle
        self._answered: set[str] = set()
        self._links: tuple[tuple[int, int], ...] = ()
        self._probe_links_in = 0
        self._calls: dict[str, Callable[[Collected], None]] = {
            "fields": self._fields,
            "utilization": self._utilization,
            "memory": self._memory,
            "temperature": self._temperature,
            "SM clock": lambda found: self._clock(found, "sm_clock", nvml.NVML_CLOCK_SM),
            "memory clock": lambda found: self._clock(found, "memory_clock", nvml.NVML_CLOCK_MEM),
            "power": self._power,
        }

    def read(self) -> Reading:
        found = Collected()
        condition: Condition = "ok"
        for name, call in self._calls.items():
            try:
                call(found)
                self._answered.add(name)
            except nvml.NVMLError as error:
                if error.value in LOST:
                    return Reading(condition="lost")
                if error.value not in ABSENT and name in self._answered:
                    condition = "failed"
        if condition == "ok" and found.recovery_action:
            condition = "degraded"
        return Reading(condition=condition, values=found.values, counters=found.counters, wraps=found.wraps)

    def _fields(self, found: Collected) -> None:
        links = self._links or self._probe()
        asked = [*((field.id, 0) for field in FIELDS), (RECOVERY_ACTION, 0), *links]
        answers = [_answer(each) for each in nvml.nvmlDeviceGetFieldValues(self._handle, asked)]
        for field, answer in zip(FIELDS, answers, strict=False):
            found.field(field, answer.raw)
        asks_for = answers[len(FIELDS)].raw
        found.recovery_action = int(asks_for.value) if asks_for and not is_blank(asks_for.value) else 0
        of_links = answers[len(FIELDS) + 1 :]
        self._links = self._links or choose_links(of_links)
        found.links(answer for answer in of_links if (answer.field, answer.scope) in self._links)

    def _probe(self) -> tuple[tuple[int, int], ...]:
        """Ask for NVLink in all its forms, now and then: links may come up after the daemon, or never."""
        self._probe_links_in = (self._probe_links_in or READINGS_BETWEEN_PROBES) - 1
        due = self._probe_links_in == READINGS_BETWEEN_PROBES - 1
        return KIBIBYTES_OF_ALL_LINKS + BYTES_OF_EACH_LINK if due else ()

    def _utilization(self, found: Collected) -> None:
        rates = nvml.nvmlDeviceGetUtilizationRates(self._handle)
        found.gauge("utilization", rates.gpu, per=100)
        found.gauge("memory_controller_utilization", rates.memory, per=100)

    def _memory(self, found: Collected) -> None:
        memory = nvml.nvmlDeviceGetMemoryInfo(self._handle, version=nvml.nvmlMemory_v2)  # v1 counts reserved as used
        found.gauge("memory_used", memory.used)
        found.gauge("memory_total", memory.total)

    def _temperature(self, found: Collected) -> None:
        try:
            degrees = nvml.nvmlDeviceGetTemperatureV(self._handle, nvml.NVML_TEMPERATURE_GPU)
        except nvml.NVMLError as error:
            if error.value != nvml.NVML_ERROR_FUNCTION_NOT_FOUND:
                raise
            degrees = nvml.nvmlDeviceGetTemperature(self._handle, nvml.NVML_TEMPERATURE_GPU)  # drivers before 570
        found.gauge("temperature", degrees)

    def _clock(self, found: Collected, column: str, which: int) -> None:
        found.gauge(column, nvml.nvmlDeviceGetClockInfo(self._handle, which), times=1_000_000)

    def _power(self, found: Collected) -> None:
        """Drivers without field 186 have this call; on most models it gives the average of a second, not power now."""
        if not {"power", "power_average"} & found.values.keys():
            found.gauge("power", nvml.nvmlDeviceGetPowerUsage(self._handle), per=1000)


def _answer(answer: Any) -> Answer:
    """One field of a batch: its own return code is checked, and the union member picked by its type."""
    told = answer.nvmlReturn == nvml.NVML_SUCCESS and 0 <= answer.valueType < len(MEMBERS)
    if not told:
        return Answer(answer.fieldId, answer.scopeId, None)
    member, bits = MEMBERS[answer.valueType]
    return Answer(answer.fieldId, answer.scopeId, Raw(getattr(answer.value, member), bits))


def _address(handle: Any) -> int | None:
    """What a handle points to: two handles of one GPU are different Python objects."""
    return ctypes.cast(handle, ctypes.c_void_p).value
