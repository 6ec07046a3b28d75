"""The levels of rollup and their columns, derived from the contract. Pure.

A level holds one row for each thing and bucket. Buckets are aligned to UTC: a day is a UTC day, the whole year round.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from gigawatch_contract.metrics import BY_COLUMN, STATES, Metric, columns

Thing = Literal["accelerator", "node", "factory"]

SAMPLES: Final = "accelerator_sample"
"""What the lowest levels are made of."""

GAUGES: Final[tuple[Metric, ...]] = tuple(
    BY_COLUMN["accelerator", column]
    for column in (
        "utilization",
        "memory_controller_utilization",
        "memory_used",
        "power",
        "temperature",
        "sm_clock",
    )
)
"""What a page, rule or KPI asks the past of: each costs 28 bytes a row, so not every gauge is kept."""

COUNTERS: Final[tuple[Metric, ...]] = tuple(metric for metric in columns("accelerator") if metric.kind == "counter")

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
ORIGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One table: of which thing, how wide its buckets are, and from which table it is made."""

    thing: Thing
    width: timedelta
    source: str

    @property
    def name(self) -> str:
        words = {MINUTE: "1min", 5 * MINUTE: "5min", HOUR: "1hour", DAY: "1day"}
        return f"{self.thing}_{words[self.width]}"

    @property
    def table(self) -> str:
        return f"rollup_{self.name}"

    @property
    def key(self) -> str:
        return f"{self.thing}_id"

    def bucket(self, time: datetime) -> datetime:
        """The start of the bucket that a time falls into, in UTC: hours of a wall clock differ in length."""
        return time.astimezone(UTC) - (time - ORIGIN) % self.width


ACCELERATOR_5MIN: Final = Level(thing="accelerator", width=5 * MINUTE, source=SAMPLES)
NODE_1MIN: Final = Level(thing="node", width=MINUTE, source=SAMPLES)
FACTORY_1MIN: Final = Level(thing="factory", width=MINUTE, source=NODE_1MIN.table)
ACCELERATOR_1HOUR: Final = Level(thing="accelerator", width=HOUR, source=ACCELERATOR_5MIN.table)
NODE_1HOUR: Final = Level(thing="node", width=HOUR, source=NODE_1MIN.table)
FACTORY_1HOUR: Final = Level(thing="factory", width=HOUR, source=FACTORY_1MIN.table)
ACCELERATOR_1DAY: Final = Level(thing="accelerator", width=DAY, source=ACCELERATOR_1HOUR.table)
NODE_1DAY: Final = Level(thing="node", width=DAY, source=NODE_1HOUR.table)
FACTORY_1DAY: Final = Level(thing="factory", width=DAY, source=FACTORY_1HOUR.table)

LEVELS: Final = (
    ACCELERATOR_5MIN,
    NODE_1MIN,
    FACTORY_1MIN,
    ACCELERATOR_1HOUR,
    NODE_1HOUR,
    FACTORY_1HOUR,
    ACCELERATOR_1DAY,
    NODE_1DAY,
    FACTORY_1DAY,
)
"""Each level comes after the one it is made of."""

BY_TABLE: Final = {level.table: level for level in LEVELS}


def made_of(source: str) -> tuple[Level, ...]:
    """The levels that are made of a table."""
    return tuple(level for level in LEVELS if level.source == source)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of every level: its type, its unit, and what it says."""

    name: str
    type: str
    unit: str
    description: str


def reading_columns() -> tuple[Column, ...]:
    """The columns that all levels share, in their order."""
    return (
        Column("samples", "int8", "{sample}", "Samples received."),
        Column(
            "samples_had", "int8", "{sample}", "Samples received of what the inventory lists; NULL: it lists nothing."
        ),
        Column("samples_expected", "float8", "{sample}", "Samples that the inventory and the export interval ask for."),
        *(
            Column(f"status_{state}_seconds", "float8", "s", f"Time known to be spent as: {text}.")
            for state, text in STATES.items()
        ),
        *(column for metric in GAUGES for column in _gauge(metric)),
        *(
            Column(f"{metric.column}_increase", metric.type, metric.unit, f"{_bare(metric)}, by how much it grew.")
            for metric in COUNTERS
        ),
    )


def _gauge(metric: Metric) -> tuple[Column, ...]:
    name = metric.column
    return (
        Column(f"{name}_min", metric.type, metric.unit, f"{_bare(metric)}, lowest sample."),
        Column(f"{name}_max", metric.type, metric.unit, f"{_bare(metric)}, highest sample."),
        Column(f"{name}_sum", "float8", metric.unit, f"{_bare(metric)}, sum of the samples; the mean is sum / count."),
        Column(f"{name}_count", "int8", "{sample}", f"{_bare(metric)}, number of samples that had it."),
    )


def _bare(metric: Metric) -> str:
    """The first sentence of a metric's description."""
    return metric.description.partition(". ")[0].rstrip(".")
