"""What the page of a factory shows, read in one snapshot of the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gigawatch_contract.resource import is_fictional
from gigawatch_dashboards import condition
from gigawatch_dashboards.condition import Condition, Problem
from gigawatch_dashboards.freshness import Freshness, freshness
from gigawatch_dashboards.moment import Moment, Spans, Window
from gigawatch_dashboards.queries import factory as queries
from gigawatch_dashboards.queries import fleet, registry
from gigawatch_dashboards.queries import series as over_time
from gigawatch_dashboards.series import Series, series
from gigawatch_dashboards.view import RANGES, View

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from psycopg import Connection

    from gigawatch_database.grade import Grade

EVENTS: Final = 20
"""At most so many events are listed."""
GAP: Final = 3
"""Export intervals after which a counter's gain is not spread over time any more."""


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What the registry says of a factory."""

    factory: registry.Factory
    systems: list[registry.System]
    capacities: list[registry.Capacity]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What telemetry says of a factory at a moment and over the range before it."""

    freshness: Freshness
    condition: Condition
    problems: list[Problem]
    events: list[queries.Happened]
    alerts: list[queries.OpenAlert]
    series: Series


@dataclass(frozen=True, slots=True)
class FactoryState:
    """All that the page of a factory shows. `telemetry` is None where none is connected."""

    factory_id: str
    moment: Moment
    view: View
    grade: Grade
    public: PublicFacts | None
    telemetry: Telemetry | None

    @property
    def simulated(self) -> bool:
        """Whether the factory is a fictional one."""
        return is_fictional(self.factory_id)


def read(
    connection: Connection, factory_id: str, view: View, now: datetime, *, interval: timedelta, grade: Grade
) -> FactoryState | None:
    """The state of a factory; None where neither the registry, the inventory nor telemetry knows it."""
    moment = Moment.of(view, now)
    public = public_facts(connection, factory_id)
    observed = bool(fleet.senders(connection, factory_id) or queries.inventory(connection, factory_id, moment.time))
    if public is None and not observed:
        return None
    found = telemetry(connection, factory_id, moment, view, interval=interval) if observed else None
    return FactoryState(factory_id, moment, view, grade, public, found)


def public_facts(connection: Connection, factory_id: str) -> PublicFacts | None:
    """What the registry says of a factory; None where it does not have it."""
    found = registry.factories(connection, factory_id)
    if not found:
        return None
    return PublicFacts(found[0], registry.systems(connection, factory_id), registry.capacities(connection, factory_id))


def telemetry(connection: Connection, factory_id: str, moment: Moment, view: View, *, interval: timedelta) -> Telemetry:
    """What telemetry says of a factory that sends some, or should."""
    recent, past = moment.recent, moment.past
    inventory = queries.inventory(connection, factory_id, moment.time)
    accelerators = queries.accelerators(connection, factory_id, recent)
    reporting = queries.reporting_nodes(connection, factory_id, recent)
    heard = sorted({*reporting, *(one.host_name for one in accelerators)})
    seen = queries.seen_nodes(connection, factory_id, heard, past)
    nodes = condition.nodes(inventory, accelerators, reporting, seen, moment.time)
    short = condition.short_nodes(nodes)
    known = queries.known_accelerators(connection, factory_id, short, past) if short else []
    troubled = [one.accelerator_id for one in accelerators if one.state not in {"ok", None}]
    last_ok = queries.last_ok(connection, troubled, past) if troubled else {}
    found = Condition(nodes, condition.absent(known, accelerators, moment.time), last_ok)
    fresh = read_freshness(connection, factory_id, moment, interval)
    spans = moment.spans(RANGES[view.range], fresh.newest, interval)
    return Telemetry(
        fresh,
        found,
        condition.problems(found, fresh),
        queries.events(connection, factory_id, Window(spans.since, moment.end), marked=view.event, limit=EVENTS),
        queries.open_alerts(connection, factory_id, moment.time),
        read_series(connection, factory_id, spans, interval),
    )


def read_freshness(connection: Connection, factory_id: str, moment: Moment, interval: timedelta) -> Freshness:
    """How fresh a factory's data is: now by its watermark, in the past by the newest sample of the minute before."""
    if not moment.live:
        return freshness(queries.newest_sample(connection, factory_id, moment.recent), None, moment.time, interval)
    sender = next(iter(fleet.senders(connection, factory_id)), None)
    return freshness(sender and sender.newest_time, sender and sender.received_at, moment.time, interval)


def series_of(connection: Connection, factory_id: str, view: View, now: datetime, interval: timedelta) -> Series:
    """What the charts of a view show, without the rest of the page."""
    moment = Moment.of(view, now)
    fresh = read_freshness(connection, factory_id, moment, interval)
    return read_series(connection, factory_id, moment.spans(RANGES[view.range], fresh.newest, interval), interval)


def read_series(connection: Connection, factory_id: str, spans: Spans, interval: timedelta) -> Series:
    """A factory over the spans of a chart."""
    return series(
        spans,
        interval,
        gauges=over_time.gauges(connection, factory_id, spans),
        rates=over_time.rates(connection, factory_id, spans, GAP * interval),
        inventory=over_time.expected(connection, factory_id, spans),
    )
