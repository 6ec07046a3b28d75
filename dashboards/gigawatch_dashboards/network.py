"""What the page of all factories shows, read in one snapshot of the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gigawatch_contract.resource import is_fictional
from gigawatch_dashboards.factory import PublicFacts
from gigawatch_dashboards.freshness import Freshness, freshness
from gigawatch_dashboards.moment import Moment
from gigawatch_dashboards.queries import factory as queries
from gigawatch_dashboards.queries import fleet, registry
from gigawatch_dashboards.view import View

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from psycopg import Connection

    from gigawatch_database.grade import Grade


@dataclass(frozen=True, slots=True)
class LiveFactory:
    """A factory with telemetry, or one that the inventory expects some from."""

    factory_id: str
    simulated: bool
    freshness: Freshness
    expected: fleet.Inventory | None
    reading: fleet.Reading | None
    alerts: list[queries.OpenAlert]


@dataclass(frozen=True, slots=True)
class NetworkState:
    """All that the page of all factories shows."""

    time: datetime
    grade: Grade
    live: list[LiveFactory]
    public: list[PublicFacts]


def all_public_facts(connection: Connection) -> list[PublicFacts]:
    """What the registry says of every factory."""
    systems, capacities = registry.systems(connection), registry.capacities(connection)
    return [
        PublicFacts(
            factory,
            [one for one in systems if one.factory_id == factory.factory_id],
            [one for one in capacities if one.factory_id == factory.factory_id],
        )
        for factory in registry.factories(connection)
    ]


def read(connection: Connection, now: datetime, interval: timedelta, grade: Grade) -> NetworkState:
    """The state of all factories now."""
    moment = Moment.of(View(), now)
    inventories = fleet.inventories(connection, now, moment.recent)
    readings = fleet.readings(connection, moment.recent)
    alerts = queries.open_alerts(connection, None, now)
    senders = {sender.factory_id: sender for sender in fleet.senders(connection)}

    def live(factory_id: str) -> LiveFactory:
        sender = senders.get(factory_id)
        fresh = freshness(sender and sender.newest_time, sender and sender.received_at, now, interval)
        own = [alert for alert in alerts if alert.factory_id == factory_id]
        return LiveFactory(
            factory_id, is_fictional(factory_id), fresh, inventories.get(factory_id), readings.get(factory_id), own
        )

    return NetworkState(
        now,
        grade,
        [live(factory_id) for factory_id in sorted({*senders, *inventories})],
        all_public_facts(connection),
    )
