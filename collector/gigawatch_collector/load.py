"""What goes to the database in one transaction: the rows of many requests, by table, each thing and time once. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gigawatch_collector.batch import Row, combine
from gigawatch_collector.columns import ACCELERATOR, NODE, OTHER, TABLES, SampleTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gigawatch_collector.batch import Batch, Distribution, Happening, Telemetry, Time, Value
    from gigawatch_collector.decode import Signal
    from gigawatch_collector.ids import Key

Thing = tuple[int, int]
"""A thing's id, and a time."""
LastTimes = dict[str, dict[int, int]]
"""By table: the newest time stored for each thing, as far as this process knows."""


@dataclass(slots=True)
class Request:
    """A decoded request on its way to the database."""

    signal: Signal
    batch: Batch
    received: Time
    late_rejects: Counter[str] = field(default_factory=Counter[str])
    """Points rejected after decoding: what only the database could tell."""

    @property
    def points(self) -> int:
        """Points whose fate the database decides."""
        return self.batch.points - self.batch.rejected.total() - self.batch.duplicate - self.batch.conflict


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids that the rows of a load need."""

    nodes: Mapping[Key, int]
    accelerators: Mapping[Key, int]
    series: Mapping[bytes, int]


@dataclass(slots=True)
class Entry:
    """One row to be: its facts and its readings."""

    facts: list[Value]
    row: Row


@dataclass(slots=True)
class Load:
    """Everything of some requests that is to be stored together."""

    tables: dict[str, dict[Thing, Entry]] = field(default_factory=lambda: {table.name: {} for table in TABLES})
    distributions: dict[tuple[int, Time], Distribution] = field(
        default_factory=dict[tuple[int, "Time"], "Distribution"]
    )
    events: list[tuple[Telemetry, Happening]] = field(default_factory=list[tuple["Telemetry", "Happening"]])
    newest: dict[str, Time] = field(default_factory=dict[str, "Time"])
    """By factory: the newest time of its samples, at most the time they were received."""
    duplicate: int = 0
    conflict: int = 0


def node_of(telemetry: Telemetry) -> Key | None:
    """What names the sender's node, if it says."""
    host = telemetry.sender.host_name
    return None if host is None else (telemetry.sender.factory, host)


def live(telemetry: Telemetry, node: int | None, last_times: LastTimes) -> bool:
    """Whether the samples are newer than all that came from their node before: no retry and no replay."""
    newest = telemetry.newest()
    if newest is None:
        return False
    return node is None or newest > last_times[NODE.name].get(node, 0)


def assemble(requests: Iterable[Request], ids: Ids, last_times: LastTimes) -> Load:
    """The load of some requests; what has no id, for a limit of its factory, is rejected in its request."""
    load = Load()
    for request in requests:
        request.late_rejects.clear()  # a load may be assembled again, without the request that spoilt it
        for telemetry in request.batch.telemetry:
            _add(load, request, telemetry, ids, last_times)
    return load


def _add(load: Load, request: Request, telemetry: Telemetry, ids: Ids, last_times: LastTimes) -> None:
    factory, key = telemetry.sender.factory, node_of(telemetry)
    if key is not None and key not in ids.nodes:
        request.late_rejects["node_limit"] += telemetry.points
        return
    for event in telemetry.events:
        if event.hw_id is None or key is None or (factory, event.hw_id) in ids.accelerators:
            load.events.append((telemetry, event))
        else:
            request.late_rejects["accelerator_limit"] += 1
    accelerators: dict[Thing, Row] = {}
    for (hw_id, time), row in telemetry.accelerators.items():
        accelerator = ids.accelerators.get((factory, hw_id))
        if accelerator is None:
            request.late_rejects["accelerator_limit"] += row.points
        else:
            accelerators[accelerator, time] = row
    newest = max((*(time for _, time in accelerators), *telemetry.nodes), default=None)
    if newest is not None and key is not None:
        node = ids.nodes[key]
        skew = (request.received - newest) / 1e6 if live(telemetry, node, last_times) else None
        for thing, row in accelerators.items():
            _put(load, ACCELERATOR, thing, [node], row)
        for time, row in telemetry.nodes.items():
            _put(load, NODE, (node, time), [skew if time == newest else None], row)
        if newest not in telemetry.nodes and skew is not None:
            _put(load, NODE, (node, newest), [skew], Row([None] * len(NODE.readings)))
        load.newest[factory] = max(load.newest.get(factory, 0), min(newest, request.received))
    for (series, time), row in telemetry.others.items():
        if series.identity in ids.series:
            _put(load, OTHER, (ids.series[series.identity], time), [], row)
        else:
            request.late_rejects["series_limit"] += row.points
    for point in telemetry.distributions:
        if point.series.identity not in ids.series:
            request.late_rejects["series_limit"] += 1
            continue
        held = load.distributions.setdefault((ids.series[point.series.identity], point.time), point)
        if held is not point:
            load.duplicate += held.body == point.body
            load.conflict += held.body != point.body


def _put(load: Load, table: SampleTable, thing: Thing, facts: list[Value], row: Row) -> None:
    entries = load.tables[table.name]
    held = entries.get(thing)
    if held is None:
        entries[thing] = Entry(facts, row)
        return
    held.row = Row(list(held.row.values), held.row.since, held.row.blanks)  # a request's own row stays as it came
    duplicate, conflict = combine(held.row, row)
    load.duplicate += duplicate
    load.conflict += conflict
    held.facts = [new if old is None else old for old, new in zip(held.facts, facts, strict=True)]


def split(entries: Mapping[Thing, Entry], last_times: Mapping[int, int]) -> tuple[list[Thing], list[Thing]]:
    """Which rows are certainly new, and which may be there already: both in the order of thing and time."""
    fresh: list[Thing] = []
    staged: list[Thing] = []
    for thing in sorted(entries):
        last = last_times.get(thing[0])
        (fresh if last is not None and thing[1] > last else staged).append(thing)
    return fresh, staged


def records(things: Sequence[Thing], entries: Mapping[Thing, Entry]) -> list[list[Value]]:
    """Rows as the columns of their table want them."""
    return [
        [thing, time, entries[thing, time].row.since, *entries[thing, time].facts, *entries[thing, time].row.values]
        for thing, time in things
    ]
