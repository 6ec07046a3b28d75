"""Ids of things on one database: remembered, looked up, made when they are first seen, updated when their facts change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import LiteralString

    from psycopg import AsyncConnection

Key = tuple[str, str]
"""A factory, and the thing's name in it."""
Facts = tuple[Any, ...]

CACHE_LIMIT: Final = 1_000_000
"""Things remembered; when there are more, all are forgotten and looked up again."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A table of things: the column that names them, their id, and the facts about them with their types."""

    table: LiteralString
    name: LiteralString
    facts: tuple[tuple[LiteralString, LiteralString], ...]

    @property
    def lookup(self) -> sql.Composed:
        """Ids and facts of those that are there."""
        return sql.SQL(
            "SELECT factory_id, {name}, {id}, {facts} FROM unnest(%s::text[], %s::text[]) AS wanted (factory_id, {name})"
            " JOIN {table} USING (factory_id, {name})"
        ).format(**self._parts())

    @property
    def count(self) -> sql.Composed:
        """How many a factory has."""
        return sql.SQL("SELECT count(*) FROM {table} WHERE factory_id = %s").format(**self._parts())

    @property
    def upsert(self) -> sql.Composed:
        """Make or update; always in the same order, so that two collectors do not wait for each other in a ring."""
        return sql.SQL(
            "INSERT INTO {table} (factory_id, {name}, {facts})"
            " SELECT * FROM unnest(%s::text[], %s::text[], {arrays}) ORDER BY 1, 2"
            " ON CONFLICT (factory_id, {name}) DO UPDATE SET {updates} RETURNING factory_id, {name}, {id}"
        ).format(**self._parts())

    def _parts(self) -> dict[str, sql.Composable]:
        columns = [sql.Identifier(name) for name, _ in self.facts]
        update = sql.SQL("{column} = coalesce(excluded.{column}, {table}.{column})")
        table = sql.Identifier(self.table)
        return {
            "table": table,
            "name": sql.Identifier(self.name),
            "id": sql.Identifier(f"{self.table}_id"),
            "facts": sql.SQL(", ").join(columns),
            "arrays": sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(kind)) for _, kind in self.facts),
            "updates": sql.SQL(", ").join(update.format(column=column, table=table) for column in columns),
        }


NODE: Final = Kind(
    "node", "host_name", (("host_id", "text"), ("rack", "text"), ("vendor", "text"), ("driver_version", "text"))
)
ACCELERATOR: Final = Kind("accelerator", "hw_id", (("node_id", "int"), ("accelerator_index", "int"), ("model", "text")))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sender says of a thing. Only what is live changes facts: a replay tells how things were."""

    facts: Facts
    live: bool


@dataclass(slots=True)
class _Known:
    id: int
    facts: Facts


class Register:
    """The things of one kind; each factory may have so many and no more."""

    def __init__(self, kind: Kind, limit: int) -> None:
        self._lookup, self._count, self._upsert = kind.lookup, kind.count, kind.upsert
        self._limit = limit
        self._known: dict[Key, _Known] = {}
        self._counts: Counter[str] = Counter()
        """By factory: the things that it has, as far as this process knows."""

    def get(self, key: Key) -> int | None:
        """The id of a thing, if it is remembered."""
        known = self._known.get(key)
        return known and known.id

    async def resolve(self, connection: AsyncConnection, wishes: Mapping[Key, Wish]) -> dict[Key, int]:
        """The ids of all that is wished for; what is new is made, up to the limit, and what changed is written."""
        if len(self._known) + len(wishes) > CACHE_LIMIT:
            self._known.clear()
        unknown = [key for key in wishes if key not in self._known]
        if unknown:
            cursor = await connection.execute(self._lookup, _turned(unknown))
            for factory, name, number, *facts in await cursor.fetchall():
                self._known[factory, name] = _Known(number, tuple(facts))
        new = [key for key in unknown if key not in self._known]
        refused = await self._over_limit(connection, new) if new else set[Key]()
        changed = {
            key: facts
            for key, wish in wishes.items()
            if key not in refused and (facts := self._news(key, wish)) is not None
        }
        if changed:
            cursor = await connection.execute(self._upsert, _turned([*key, *facts] for key, facts in changed.items()))
            for factory, name, number in await cursor.fetchall():
                self._known[factory, name] = _Known(number, changed[factory, name])
            self._counts.update(factory for factory, name in new if (factory, name) not in refused)
        return {key: self._known[key].id for key in wishes if key not in refused}

    async def _over_limit(self, connection: AsyncConnection, new: Sequence[Key]) -> set[Key]:
        """Which of the new things their factories may not have any more."""
        found: set[Key] = set()
        for factory in {factory for factory, _ in new}:
            if factory not in self._counts:
                row = await (await connection.execute(self._count, [factory])).fetchone()
                assert row is not None  # count(*) has one row
                self._counts[factory] = row[0]
            mine = [key for key in new if key[0] == factory]
            found.update(mine[max(0, self._limit - self._counts[factory]) :])
        return found

    def _news(self, key: Key, wish: Wish) -> Facts | None:
        """The facts to write, or None; a fact that is not stated any more stays as it was."""
        known = self._known.get(key)
        if known is None:
            return wish.facts
        merged = tuple(old if new is None else new for old, new in zip(known.facts, wish.facts, strict=True))
        return merged if wish.live and merged != known.facts else None


def _turned(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Rows as columns, as unnest takes them."""
    return [list(column) for column in zip(*rows, strict=True)]
