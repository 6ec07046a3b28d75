"""Every metric that Gigawatch knows, stated once.

One entry is one column of one table: a name may come several times, told apart by its fixed attributes (direction,
reason, state). The exporter, the columns, axis titles, alert rules and docs/metrics.md derive from this tuple, and
tests compare each of them with it in both directions.

Names and units are OpenTelemetry's `hw.*` (semantic conventions 1.44.0, stability "development") where they exist, and
ours, under `gigawatch.`, where not. Base units only: W, J, By, s, Cel, Hz, 1 (a ratio, 0 to 1), {…} for counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["gauge", "counter", "updowncounter"]
Table = Literal["accelerator", "node"]
ColumnType = Literal["float4", "float8", "int2", "int4", "int8"]

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One column: the OpenTelemetry metric and fixed attributes that fill it.

    `table` names the kind of thing; its rows are in `<table>_sample`. The thing itself is named by `hw.id` on the
    point (accelerator) or by `host.name` on the resource (node). A counter is a cumulative, monotonic sum whose
    `start_time_unix_nano` is stored as `counters_since`.
    """

    name: str
    unit: str
    kind: Kind
    attributes: tuple[tuple[str, str], ...] = ()
    description: str
    table: Table = "accelerator"
    column: str
    type: ColumnType = "float4"

    @property
    def key(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """What an incoming point is matched by: the name and the fixed attributes, in any order."""
        return self.name, frozenset(self.attributes)


GPU: Final = (("hw.type", "gpu"),)
"""semconv asks for hw.type on hw.power, hw.energy, hw.errors and hw.status."""

POWER_LIMITS: Final = {
    "enforced": "The limit in force, out-of-band caps included.",
    "requested": "The limit asked for by software on the node.",
    "default": "The limit after a driver load.",
    "min": "The lowest limit that can be set.",
    "max": "The highest limit that can be set.",
}
THROTTLE_REASONS: Final = {
    "software_power_cap": "clocks held down to keep the power limit",
    "software_thermal": "clocks held down by the driver for temperature",
    "hardware_thermal": "clocks cut by the hardware for temperature",
    "hardware_power_brake": "clocks cut by an external power brake",
    "sync_boost": "clocks held down to match another accelerator of the group",
}
STATES: Final = {
    "ok": "answers, and asks for nothing",
    "degraded": "answers, and asks for a reset, reboot or drain",
    "failed": "answers with an error where it answered before",
    "unresponsive": "a call to it did not return within the deadline; its last readings are not repeated",
    "lost": "was seen by this exporter and is no longer on the bus",
}


def _accelerator() -> tuple[Metric, ...]:
    return (
        Metric(
            name="hw.gpu.utilization",
            unit="1",
            kind="gauge",
            attributes=(("hw.gpu.task", "general"),),
            column="utilization",
            description="Share of the last sample period in which any kernel ran. Says busy even for a tiny kernel.",
        ),
        Metric(
            name="gigawatch.accelerator.memory_controller.utilization",
            unit="1",
            kind="gauge",
            column="memory_controller_utilization",
            description="Share of the last sample period in which memory was read or written.",
        ),
        Metric(
            name="hw.gpu.memory.usage",
            unit="By",
            kind="updowncounter",
            column="memory_used",
            type="int8",
            description="Memory allocated, without what the driver reserves.",
        ),
        Metric(
            name="hw.gpu.memory.limit",
            unit="By",
            kind="updowncounter",
            column="memory_total",
            type="int8",
            description="Memory on the accelerator.",
        ),
        Metric(name="hw.power", unit="W", kind="gauge", attributes=GPU, column="power", description="Power drawn now."),
        Metric(
            name="gigawatch.accelerator.power.average",
            unit="W",
            kind="gauge",
            column="power_average",
            description="Power drawn, averaged by the driver over its own window (about a second).",
        ),
        *(
            Metric(
                name="gigawatch.accelerator.power.limit",
                unit="W",
                kind="gauge",
                attributes=(("hw.limit_type", limit),),
                column=f"power_limit_{limit}",
                description=text,
            )
            for limit, text in POWER_LIMITS.items()
        ),
        Metric(
            name="hw.energy",
            unit="J",
            kind="counter",
            attributes=GPU,
            column="energy",
            type="float8",
            description="Energy drawn since counters_since. Accelerator energy, never IT energy.",
        ),
        Metric(
            name="hw.temperature",
            unit="Cel",
            kind="gauge",
            attributes=(("hw.sensor_location", "gpu"),),
            column="temperature",
            description="Temperature of the die.",
        ),
        Metric(
            name="hw.temperature",
            unit="Cel",
            kind="gauge",
            attributes=(("hw.sensor_location", "memory"),),
            column="memory_temperature",
            description="Temperature of the memory.",
        ),
        Metric(
            name="gigawatch.accelerator.clock.frequency",
            unit="Hz",
            kind="gauge",
            attributes=(("gigawatch.clock", "sm"),),
            column="sm_clock",
            type="int8",
            description="Clock of the streaming multiprocessors.",
        ),
        Metric(
            name="gigawatch.accelerator.clock.frequency",
            unit="Hz",
            kind="gauge",
            attributes=(("gigawatch.clock", "memory"),),
            column="memory_clock",
            type="int8",
            description="Clock of the memory.",
        ),
        *(
            Metric(
                name="gigawatch.accelerator.throttle.time",
                unit="s",
                kind="counter",
                attributes=(("gigawatch.throttle.reason", reason),),
                column=f"throttle_{reason}",
                type="float8",
                description=f"Time with {text}.",
            )
            for reason, text in THROTTLE_REASONS.items()
        ),
        *(
            Metric(
                name="hw.gpu.io",
                unit="By",
                kind="counter",
                attributes=(("gigawatch.link", link), ("network.io.direction", direction)),
                column=f"{link}_{direction}",
                type="int8",
                description=f"Bytes over {title}, {direction}, summed over its links.",
            )
            for link, title in (("pcie", "PCIe"), ("nvlink", "NVLink"))
            for direction in ("receive", "transmit")
        ),
        *(
            Metric(
                name="hw.errors",
                unit="{error}",
                kind="counter",
                attributes=(*GPU, ("error.type", error)),
                column=f"ecc_{error}",
                type="int8",
                description=f"Memory errors, {error} by ECC.",
            )
            for error in ("corrected", "uncorrected")
        ),
        *(
            Metric(
                name="hw.status",
                unit="1",
                kind="updowncounter",
                attributes=(*GPU, ("hw.state", state)),
                column=f"status_{state}",
                type="int2",
                description=f"1 when the accelerator {text}; else 0. Exactly one state is 1.",
            )
            for state, text in STATES.items()
        ),
        Metric(
            name="gigawatch.accelerator.reading.age",
            unit="s",
            kind="gauge",
            column="reading_age",
            description="Age of the readings when they were sent: how long ago the accelerator last answered.",
        ),
    )


def _node() -> tuple[Metric, ...]:
    return (
        Metric(
            name="gigawatch.node.accelerator.count",
            unit="{accelerator}",
            kind="gauge",
            table="node",
            column="accelerators",
            type="int4",
            description="Accelerators that answer on this node now.",
        ),
        Metric(
            name="gigawatch.exporter.cpu.time",
            unit="s",
            kind="counter",
            table="node",
            column="exporter_cpu_time",
            type="float8",
            description="CPU time of the exporter's processes.",
        ),
        Metric(
            name="gigawatch.exporter.memory.usage",
            unit="By",
            kind="updowncounter",
            table="node",
            column="exporter_memory",
            type="int8",
            description="Resident memory of the exporter's processes.",
        ),
        Metric(
            name="gigawatch.exporter.read.duration",
            unit="s",
            kind="gauge",
            table="node",
            column="read_duration",
            description="Time that the last reading of all accelerators took.",
        ),
        Metric(
            name="gigawatch.exporter.reader.restarts",
            unit="{restart}",
            kind="counter",
            table="node",
            column="reader_restarts",
            type="int8",
            description="Times the process that reads NVML was replaced because it hung or died.",
        ),
        Metric(
            name="gigawatch.exporter.spool.size",
            unit="By",
            kind="updowncounter",
            table="node",
            column="spool_size",
            type="int8",
            description="Exports on the node's disk that wait for the collector.",
        ),
        Metric(
            name="gigawatch.exporter.spool.dropped",
            unit="{export}",
            kind="counter",
            table="node",
            column="spool_dropped",
            type="int8",
            description="Exports dropped, oldest first, because the spool was full.",
        ),
    )


METRICS: Final[tuple[Metric, ...]] = (*_accelerator(), *_node())
BY_KEY: Final = {metric.key: metric for metric in METRICS}
BY_COLUMN: Final = {(metric.table, metric.column): metric for metric in METRICS}
TABLES: Final[tuple[Table, ...]] = ("accelerator", "node")


def columns(table: Table) -> tuple[Metric, ...]:
    """The metrics of one table, in the order of its columns."""
    return tuple(metric for metric in METRICS if metric.table == table)


def names() -> dict[str, tuple[Metric, ...]]:
    """The metrics by OpenTelemetry name: all entries of a name share its unit and kind."""
    found: dict[str, list[Metric]] = {}
    for metric in METRICS:
        found.setdefault(metric.name, []).append(metric)
    return {name: tuple(entries) for name, entries in found.items()}
