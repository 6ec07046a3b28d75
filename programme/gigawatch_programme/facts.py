"""The newest version of the registry, as facts: what was said, when, by which source, and who read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString, TypeVar

from psycopg import sql
from psycopg.rows import class_row

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

    import psycopg


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Where a fact comes from. `read` says whether the owner's own text was opened; `cites` is what the source quotes."""

    source: str | None
    read: str
    cites: str | None
    note: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Factory(Evidence):
    """An AI factory."""

    factory_id: str
    official_name: str
    aliases: list[str]
    country: str
    city: str
    host: str
    partners: list[str]
    selection_round: int
    selection_date: dt.date
    stated_on_text: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class System(Evidence):
    """A machine of a factory."""

    system: str
    role: str
    vendor: str | None
    accelerator: str | None
    nodes: int | None
    accel_per_node: int | None
    status: str
    status_as_of_text: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity(Evidence):
    """A count of accelerators at a stage; None is not disclosed."""

    factory_id: str
    system: str
    stage: str
    accelerators: int | None
    accelerators_max: int | None
    qualifier: str
    as_of: dt.date | None
    as_of_text: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Milestone(Evidence):
    """A date planned (baseline), expected (forecast) or reached (actual)."""

    milestone: str
    kind: str
    date: dt.date
    date_text: str
    stated_on_text: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Funding(Evidence):
    """An amount at a stage, by a payer; None is not disclosed, or not stated in euros."""

    stage: str
    payer: str
    amount_eur: Decimal | None
    includes: str
    as_of_text: str | None


F = TypeVar("F", bound=Evidence)


def factories(connection: psycopg.Connection) -> list[Factory]:
    """Every factory, by its id."""
    return _read(connection, Factory, "programme_factory_current", order="factory_id")


def factory(connection: psycopg.Connection, factory_id: str) -> Factory | None:
    """One factory, or None where the registry does not know the id."""
    return next(iter(_read(connection, Factory, "programme_factory_current", factory_id)), None)


def systems(connection: psycopg.Connection, factory_id: str) -> list[System]:
    """The machines of a factory, existing and planned."""
    return _read(connection, System, "programme_system_current", factory_id)


def capacities(connection: psycopg.Connection, factory_id: str | None = None) -> list[Capacity]:
    """What is said of accelerators, of one factory or of all."""
    return _read(connection, Capacity, "programme_capacity_current", factory_id)


def milestones(connection: psycopg.Connection, factory_id: str) -> list[Milestone]:
    """The dates of a factory: each milestone's in the order in which they were said."""
    return _read(connection, Milestone, "programme_milestone_current", factory_id, order="stated_on NULLS LAST, row")


def funding(connection: psycopg.Connection, factory_id: str) -> list[Funding]:
    """The money of a factory. Stages are never added to each other."""
    return _read(connection, Funding, "programme_funding_current", factory_id)


def _read(
    connection: psycopg.Connection,
    fact: type[F],
    view: str,
    factory_id: str | None = None,
    *,
    order: LiteralString = "row",
) -> list[F]:
    query = sql.SQL("SELECT {} FROM {} WHERE %(id)s::text IS NULL OR factory_id = %(id)s ORDER BY {}").format(
        sql.SQL(", ").join(map(sql.Identifier, fact.__dataclass_fields__)), sql.Identifier(view), sql.SQL(order)
    )
    with connection.cursor(row_factory=class_row(fact)) as cursor:
        return cursor.execute(query, {"id": factory_id}).fetchall()
