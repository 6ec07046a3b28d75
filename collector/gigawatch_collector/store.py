"""One transaction: the rows, events and distributions of many requests, and how fresh each factory is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from psycopg.errors import UniqueViolation

from gigawatch_collector.columns import TABLES
from gigawatch_collector.ids import ACCELERATOR as ACCELERATOR_KIND
from gigawatch_collector.ids import NODE as NODE_KIND
from gigawatch_collector.ids import Register, Wish
from gigawatch_collector.load import Ids, Request, assemble, live, records, split
from gigawatch_collector.merge import Counts, copy_in, copy_statement, merge
from gigawatch_collector.rows import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import AsyncConnection

    from gigawatch_collector.batch import Telemetry
    from gigawatch_collector.catalogue import Catalogue
    from gigawatch_collector.columns import SampleTable
    from gigawatch_collector.ids import Key
    from gigawatch_collector.load import Entry, LastTimes, Load, Thing

LAST_TIMES_LIMIT: Final = 2_000_000
"""Things whose newest time is remembered; when there are more, all are forgotten: their next rows are staged."""

ROOM_S: Final = 3600
"""Between two looks at the partitions: they are made a day ahead."""

PARTITIONS: Final = "SELECT ensure_partitions(now() - %s * interval '1 second', now() + interval '1 day')"
FACTORIES: Final = """
INSERT INTO factory (factory_id, simulated) SELECT * FROM unnest(%s::text[], %s::boolean[]) ORDER BY 1
ON CONFLICT (factory_id) DO NOTHING
"""
EVENTS: Final = """
INSERT INTO event
  (event_id, time, factory_id, node_id, accelerator_id, name, severity_number, body, attributes)
SELECT
  event_id, '1970-01-01+00'::timestamptz + time * interval '1 microsecond', factory_id, node_id, accelerator_id, name,
  severity_number, body, attributes::jsonb
FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::int[], %s::int[], %s::text[], %s::int[], %s::text[], %s::text[])
  AS new (event_id, time, factory_id, node_id, accelerator_id, name, severity_number, body, attributes)
ORDER BY event_id
ON CONFLICT (event_id) DO NOTHING
"""
DISTRIBUTIONS: Final = """
WITH new AS (
  SELECT
    series_id,
    '1970-01-01+00'::timestamptz + time * interval '1 microsecond' AS time,
    '1970-01-01+00'::timestamptz + start_time * interval '1 microsecond' AS start_time,
    body::jsonb AS body
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS given (series_id, time, start_time, body)
), inserted AS (
  INSERT INTO other_distribution (series_id, time, start_time, body)
  SELECT series_id, time, start_time, body FROM new ORDER BY series_id, time
  ON CONFLICT (series_id, time) DO NOTHING
  RETURNING series_id
)
SELECT
  (SELECT count(*) FROM inserted),
  (SELECT count(*) FROM new JOIN other_distribution AS old USING (series_id, time) WHERE old.body = new.body)
"""
FRESHNESS: Final = """
INSERT INTO freshness (factory_id, newest_time, received_at)
SELECT factory_id, '1970-01-01+00'::timestamptz + time * interval '1 microsecond', clock_timestamp()
FROM unnest(%s::text[], %s::bigint[]) AS new (factory_id, time)
ORDER BY factory_id
ON CONFLICT (factory_id) DO UPDATE SET newest_time = excluded.newest_time, received_at = excluded.received_at
WHERE freshness.newest_time < excluded.newest_time
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the points and records of some requests, after their commit."""

    points: Counts
    records: Counts
    staged: int
    """Rows that took the staging road."""


@dataclass(slots=True)
class Store:
    """What one connection has learnt of its database. A new connection starts with nothing learnt."""

    connection: AsyncConnection
    catalogue: Catalogue
    accept_window: float
    """Seconds into the past for which there must be room."""
    nodes: Register = field(default_factory=lambda: Register(NODE_KIND))
    accelerators: Register = field(default_factory=lambda: Register(ACCELERATOR_KIND))
    factories: set[str] = field(default_factory=set[str])
    last_times: LastTimes = field(default_factory=lambda: {table.name: {} for table in TABLES})
    _room_until: float = 0

    async def make_room(self) -> None:
        """Have a partition for each day that rows may be of, where the database has partitions."""
        if time.monotonic() > self._room_until:
            await self.connection.execute(PARTITIONS, [self.accept_window])
            self._room_until = time.monotonic() + ROOM_S

    async def close(self) -> None:
        """Let the connection go."""
        await self.connection.close()

    async def store(self, requests: Sequence[Request]) -> Stored:
        """Commit everything that the requests say; when it raises, nothing of them is stored."""
        await self.make_room()
        ids = await self._ids([telemetry for request in requests for telemetry in request.batch.telemetry])
        load = assemble(requests, ids, self.last_times)
        counts = Counts(duplicate=load.duplicate, conflict=load.conflict)
        staged = 0
        async with self.connection.transaction():
            for table in TABLES:
                found, through = await self._rows(table, load.tables[table.name])
                counts += found
                staged += through
            counts += await self._distributions(load)
            events = await self._events(load, ids)
            await self._freshness(load)
        self._remember(load)
        return Stored(counts, events, staged)

    async def _ids(self, telemetry: Sequence[Telemetry]) -> Ids:
        """Ids of all that the rows name, made where they are new: in statements of their own, as they are true anyway."""
        factories = {one.sender.factory: one.sender.simulated for one in telemetry}
        new = [factory for factory in factories if factory not in self.factories]
        if new:
            await self.connection.execute(FACTORIES, [new, [factories[factory] for factory in new]])
            self.factories.update(new)
        current = {index: self._live(one) for index, one in enumerate(telemetry)}
        nodes: dict[Key, Wish] = {}
        for index, one in enumerate(telemetry):
            if (key := _node(one)) is not None:
                sender = one.sender
                facts = (sender.host_id, sender.rack, sender.vendor, sender.driver_version)
                _wish(nodes, key, Wish(facts, current[index]))
        node_ids = await self.nodes.resolve(self.connection, nodes)
        accelerators: dict[Key, Wish] = {}
        for index, one in enumerate(telemetry):
            if (key := _node(one)) is not None:
                for hw_id, facts in _accelerators(one, node_ids[key]).items():
                    _wish(accelerators, (one.sender.factory, hw_id), Wish(facts, current[index]))
        accelerator_ids = await self.accelerators.resolve(self.connection, accelerators)
        series = {
            found: (one.sender.factory, node_ids[key] if (key := _node(one)) is not None else None)
            for one in telemetry
            for found in (*(found for found, _ in one.others), *(point.series for point in one.distributions))
        }
        return Ids(node_ids, accelerator_ids, await self.catalogue.resolve(self.connection, series))

    def _live(self, telemetry: Telemetry) -> bool:
        key = _node(telemetry)
        return live(telemetry, self.nodes.get(key) if key is not None else None, self.last_times)

    async def _rows(self, table: SampleTable, entries: Mapping[Thing, Entry]) -> tuple[Counts, int]:
        """Store the rows of a table: what is certainly new by COPY, the rest by merging."""
        fresh, staged = split(entries, self.last_times[table.name])
        counts = Counts()
        if fresh:
            content = encode(table.columns, records(fresh, entries))
            try:
                async with self.connection.transaction():
                    await copy_in(self.connection, copy_statement(table.name, table.columns), content)
                counts += Counts(sum(entries[thing].row.points for thing in fresh))
            except UniqueViolation:  # another collector has stored some of them: a retry that came to us
                staged = sorted(entries)
        if staged:
            counts += await merge(self.connection, table, {thing: entries[thing] for thing in staged})
        return counts, len(staged)

    async def _distributions(self, load: Load) -> Counts:
        if not load.distributions:
            return Counts()
        rows = [[series, time, point.since, point.body] for (series, time), point in sorted(load.distributions.items())]
        parameters = [list(column) for column in zip(*rows, strict=True)]
        row = await (await self.connection.execute(DISTRIBUTIONS, parameters)).fetchone()
        assert row is not None  # a SELECT without FROM has one row
        inserted, equal = row
        return Counts(inserted, equal, len(rows) - inserted - equal)

    async def _events(self, load: Load, ids: Ids) -> Counts:
        if not load.events:
            return Counts()
        rows: list[list[object]] = []
        for telemetry, event in load.events:
            key = _node(telemetry)
            node = ids.nodes[key] if key is not None else None
            factory = telemetry.sender.factory
            accelerator = ids.accelerators.get((factory, event.hw_id)) if event.hw_id else None
            what = [event.name, event.severity_number, event.body, event.attributes]
            rows.append([event.event_id, event.time, factory, node, accelerator, *what])
        cursor = await self.connection.execute(EVENTS, [list(column) for column in zip(*rows, strict=True)])
        return Counts(cursor.rowcount, len(rows) - cursor.rowcount)

    async def _freshness(self, load: Load) -> None:
        if load.newest:
            await self.connection.execute(FRESHNESS, [list(load.newest), list(load.newest.values())])

    def _remember(self, load: Load) -> None:
        for name, entries in load.tables.items():
            times = self.last_times[name]
            if len(times) > LAST_TIMES_LIMIT:
                times.clear()
            for thing, moment in entries:
                if moment > times.get(thing, 0):
                    times[thing] = moment


def _node(telemetry: Telemetry) -> Key | None:
    """What names the sender's node, if it says."""
    host = telemetry.sender.host_name
    return None if host is None else (telemetry.sender.factory, host)


def _accelerators(telemetry: Telemetry, node: int) -> dict[str, tuple[int, int | None, str | None]]:
    """The accelerators that the resource lists or a point or event names, with their facts."""
    named = [hw_id for hw_id, _ in telemetry.accelerators]
    named += [event.hw_id for event in telemetry.events if event.hw_id is not None]
    found: dict[str, tuple[int, int | None, str | None]] = dict.fromkeys(named, (node, None, None))
    return found | {one.hw_id: (node, one.index, one.model) for one in telemetry.sender.accelerators}


def _wish(wishes: dict[Key, Wish], key: Key, wish: Wish) -> None:
    """The live word counts; else the first."""
    if wish.live or key not in wishes:
        wishes[key] = wish
