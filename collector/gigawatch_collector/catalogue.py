"""Ids of the series outside the contract; each factory may have so many and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import AsyncConnection

    from gigawatch_collector.batch import Series

LOOKUP: Final = "SELECT identity, series_id FROM other_series WHERE identity = ANY(%s)"
COUNT: Final = "SELECT count(*) FROM other_series WHERE factory_id = %s"
INSERT: Final = """
INSERT INTO other_series (identity, factory_id, node_id, name, unit, kind, temporality, attributes, scope)
SELECT identity, factory_id, node_id, name, unit, kind, temporality, attributes::jsonb, scope
FROM unnest(
  %s::bytea[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]
) AS new (identity, factory_id, node_id, name, unit, kind, temporality, attributes, scope)
ORDER BY identity
ON CONFLICT (identity) DO NOTHING
"""
CACHE_LIMIT: Final = 1_000_000

Owner = tuple[str, int | None]
"""A factory, and the node within it if the sender named one."""


class Catalogue:
    """The series on one database, by the hash of what tells them apart."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        """Series that one factory may have."""
        self._known: dict[bytes, int] = {}
        self._counts: dict[str, int] = {}

    async def resolve(self, connection: AsyncConnection, wanted: Mapping[Series, Owner]) -> dict[bytes, int]:
        """Ids by identity; a series over the limit of its factory has none."""
        if len(self._known) + len(wanted) > CACHE_LIMIT:
            self._known.clear()
        await self._look_up(connection, wanted)
        new = [series for series in wanted if series.identity not in self._known]
        for factory in {wanted[series][0] for series in new}:
            mine = [series for series in new if wanted[series][0] == factory]
            await self._make(connection, factory, {series: wanted[series][1] for series in mine})
        return {series.identity: self._known[series.identity] for series in wanted if series.identity in self._known}

    async def _look_up(self, connection: AsyncConnection, wanted: Iterable[Series]) -> None:
        unknown = [series.identity for series in wanted if series.identity not in self._known]
        if unknown:
            cursor = await connection.execute(LOOKUP, [unknown])
            self._known.update(await cursor.fetchall())

    async def _make(self, connection: AsyncConnection, factory: str, new: Mapping[Series, int | None]) -> None:
        count = self._counts.get(factory)
        if count is None:
            count = await self._count(connection, factory)
        allowed = list(new)[: max(0, self._limit - count)]
        rows = [
            (one.identity, factory, new[one], one.name, one.unit, one.kind, one.temporality, one.attributes, one.scope)
            for one in allowed
        ]
        if rows:
            await connection.execute(INSERT, [list(column) for column in zip(*rows, strict=True)])
            await self._look_up(connection, allowed)
        self._counts[factory] = count + len(rows)

    @staticmethod
    async def _count(connection: AsyncConnection, factory: str) -> int:
        row = await (await connection.execute(COUNT, [factory])).fetchone()
        assert row is not None  # count(*) has one row
        return row[0]
