"""Ids of all that some telemetry names: factories, nodes, accelerators and series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gigawatch_collector.ids import Wish
from gigawatch_collector.load import Ids, live, node_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import AsyncConnection

    from gigawatch_collector.batch import Series, Telemetry
    from gigawatch_collector.catalogue import Catalogue
    from gigawatch_collector.ids import Facts, Key, Register
    from gigawatch_collector.load import LastTimes

FACTORIES: Final = """
INSERT INTO factory (factory_id, simulated) SELECT * FROM unnest(%s::text[], %s::boolean[]) ORDER BY 1
ON CONFLICT (factory_id) DO NOTHING
"""


@dataclass(slots=True)
class Directory:
    """What is known of one database. What is new is made in statements of its own: it is true, stored with rows or not."""

    catalogue: Catalogue
    nodes: Register
    accelerators: Register
    factories: set[str] = field(default_factory=set[str])

    async def resolve(self, connection: AsyncConnection, telemetry: Sequence[Telemetry], last_times: LastTimes) -> Ids:
        """The ids that the rows of some telemetry need; what is over a limit of its factory has none."""
        await self._factories(connection, telemetry)
        said = [(one, node_of(one), self._live(one, last_times)) for one in telemetry]
        wishes: dict[Key, Wish] = {}
        for one, key, current in said:
            if key is not None:
                sender = one.sender
                facts = (sender.host_id, sender.rack, sender.vendor, sender.driver_version)
                _wish(wishes, key, Wish(facts, current))
        nodes = await self.nodes.resolve(connection, wishes)
        wishes = {}
        for one, key, current in said:
            if key in nodes:
                for hw_id, facts in _accelerators(one, nodes[key]).items():
                    _wish(wishes, (one.sender.factory, hw_id), Wish(facts, current))
        accelerators = await self.accelerators.resolve(connection, wishes)
        series = await self.catalogue.resolve(connection, _series(telemetry, nodes))
        return Ids(nodes, accelerators, series)

    async def _factories(self, connection: AsyncConnection, telemetry: Sequence[Telemetry]) -> None:
        new = {
            one.sender.factory: one.sender.simulated for one in telemetry if one.sender.factory not in self.factories
        }
        if new:
            await connection.execute(FACTORIES, [list(new), list(new.values())])
            self.factories.update(new)

    def _live(self, telemetry: Telemetry, last_times: LastTimes) -> bool:
        key = node_of(telemetry)
        return live(telemetry, self.nodes.get(key) if key is not None else None, last_times)


def _accelerators(telemetry: Telemetry, node: int) -> dict[str, Facts]:
    """The accelerators that the resource lists or a point or event names, with their facts."""
    named = [hw_id for hw_id, _ in telemetry.accelerators]
    named += [event.hw_id for event in telemetry.events if event.hw_id is not None]
    found: dict[str, Facts] = dict.fromkeys(named, (node, None, None))
    return found | {one.hw_id: (node, one.index, one.model) for one in telemetry.sender.accelerators}


def _series(telemetry: Sequence[Telemetry], nodes: Mapping[Key, int]) -> dict[Series, tuple[str, int | None]]:
    """The series, with the factory and node that each belongs to."""
    found: dict[Series, tuple[str, int | None]] = {}
    for one in telemetry:
        key = node_of(one)
        if key is not None and key not in nodes:
            continue
        owner = (one.sender.factory, None if key is None else nodes[key])
        found |= dict.fromkeys((series for series, _ in one.others), owner)
        found |= dict.fromkeys((point.series for point in one.distributions), owner)
    return found


def _wish(wishes: dict[Key, Wish], key: Key, wish: Wish) -> None:
    """The live word counts; else the first."""
    if wish.live or key not in wishes:
        wishes[key] = wish
