"""The tables that rows go to: their columns, in order, from the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gigawatch_contract import metrics

ColumnType = Literal["int2", "int4", "int8", "float4", "float8", "timestamptz"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its type in PostgreSQL."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class SampleTable:
    """A table with one row per thing and time.

    `since` is the start of its counters, the newest of which stays; `facts` come with the row and are no points;
    `readings` are points: they are what is merged and accounted for.
    """

    name: str
    thing: str
    since: str
    facts: tuple[Column, ...]
    readings: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, in the order of a record."""
        head = (Column(self.thing, "int8" if self.thing == "series_id" else "int4"), Column("time", "timestamptz"))
        return (*head, Column(self.since, "timestamptz"), *self.facts, *self.readings)


def _readings(table: metrics.Table) -> tuple[Column, ...]:
    return tuple(Column(metric.column, metric.type) for metric in metrics.columns(table))


ACCELERATOR: Final = SampleTable(
    "accelerator_sample", "accelerator_id", "counters_since", (Column("node_id", "int4"),), _readings("accelerator")
)
NODE: Final = SampleTable(
    "node_sample", "node_id", "counters_since", (Column("clock_skew", "float4"),), _readings("node")
)
OTHER: Final = SampleTable("other_point", "series_id", "start_time", (), (Column("value", "float8"),))
TABLES: Final = (ACCELERATOR, NODE, OTHER)
