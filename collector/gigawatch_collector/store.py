"""One transaction: the rows, events and distributions of many requests, and how fresh each factory is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from psycopg.errors import UniqueViolation

from gigawatch_collector.columns import TABLES
from gigawatch_collector.load import Request, assemble, node_of, records, split
from gigawatch_collector.merge import Counts, copy_in, copy_statement, merge
from gigawatch_collector.rows import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import AsyncConnection

    from gigawatch_collector.columns import SampleTable
    from gigawatch_collector.directory import Directory
    from gigawatch_collector.load import Entry, Ids, LastTimes, Load, Thing

LAST_TIMES_LIMIT: Final = 2_000_000
"""Things whose newest time is remembered; when there are more, all are forgotten: their next rows are staged."""

ROOM_S: Final = 3600
"""Between two looks at the partitions: they are made a day ahead."""

PARTITIONS: Final = "SELECT ensure_partitions(now() - %s * interval '1 second', now() + interval '1 day')"
GIVEN_EVENTS: Final = """
WITH new AS (
  SELECT
    event_id, '1970-01-01+00'::timestamptz + time * interval '1 microsecond' AS time, factory_id, node_id, accelerator_id,
    name, severity_number, body, attributes::jsonb AS attributes, place
  FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::int[], %s::int[], %s::text[], %s::int[], %s::text[], %s::text[])
    WITH ORDINALITY
    AS given (event_id, time, factory_id, node_id, accelerator_id, name, severity_number, body, attributes, place)
)
"""
EVENTS: Final = f"""{GIVEN_EVENTS}
INSERT INTO event
  (event_id, time, factory_id, node_id, accelerator_id, name, severity_number, body, attributes)
SELECT event_id, time, factory_id, node_id, accelerator_id, name, severity_number, body, attributes
FROM new ORDER BY factory_id, event_id, place
ON CONFLICT (factory_id, event_id) DO NOTHING
"""  # noqa: S608 - both parts are constants
# A statement of its own, after the first: it sees what that one stored, and what others did meanwhile.
EQUAL_EVENTS: Final = f"""{GIVEN_EVENTS}
SELECT count(*) FROM new JOIN event AS old USING (factory_id, event_id)
WHERE (old.time, old.node_id, old.accelerator_id, old.name, old.severity_number, old.body, old.attributes)
  IS NOT DISTINCT FROM
  (new.time, new.node_id, new.accelerator_id, new.name, new.severity_number, new.body, new.attributes)
"""  # noqa: S608 - as above
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
    directory: Directory
    accept_window: float
    """Seconds into the past for which there must be room."""
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
        telemetry = [one for request in requests for one in request.batch.telemetry]
        ids = await self.directory.resolve(self.connection, telemetry, self.last_times)
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
            key = node_of(telemetry)
            node = ids.nodes[key] if key is not None else None
            factory = telemetry.sender.factory
            accelerator = ids.accelerators.get((factory, event.hw_id)) if event.hw_id else None
            what = [event.name, event.severity_number, event.body, event.attributes]
            rows.append([event.event_id, event.time, factory, node, accelerator, *what])
        parameters = [list(column) for column in zip(*rows, strict=True)]
        inserted = (await self.connection.execute(EVENTS, parameters)).rowcount
        if inserted == len(rows):
            return Counts(inserted)
        row = await (await self.connection.execute(EQUAL_EVENTS, parameters)).fetchone()
        assert row is not None  # count(*) has one row
        (equal,) = row
        return Counts(inserted, equal - inserted, len(rows) - equal)

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
