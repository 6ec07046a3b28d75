"""What is publicly said of the real factories, as the newest import of the registry has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from psycopg.rows import class_row

if TYPE_CHECKING:
    from datetime import date

    from psycopg import Connection


class Fact(Protocol):
    """Anything that the registry says: its source, how that was read, as of when, and whom it cites."""

    @property
    def source(self) -> str | None: ...
    @property
    def read(self) -> str:
        """How near to the owner of the fact the reader was: primary, secondary, second-hand, none."""
        ...

    @property
    def said(self) -> str | None:
        """As of when, no more exact than it was said."""
        ...

    @property
    def cites(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Factory:
    """A factory of the programme, and who says so."""

    factory_id: str
    official_name: str
    country: str
    city: str
    host: str
    partners: list[str]
    selection_round: int
    selection_date: date
    source: str | None
    read: str
    said: str | None
    cites: str | None


@dataclass(frozen=True, slots=True)
class System:
    """A machine of a factory; None is not disclosed."""

    factory_id: str
    system: str
    role: str
    vendor: str | None
    accelerator: str | None
    status: str
    said: str | None
    source: str | None
    read: str
    cites: str | None


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one source said of the accelerators of a system at a stage; sources that disagree stand side by side."""

    factory_id: str
    system: str
    stage: str
    accelerators: int | None
    accelerators_max: int | None
    qualifier: str
    model: str | None
    said: str | None
    source: str | None
    read: str
    cites: str | None


def factories(connection: Connection, factory_id: str | None = None) -> list[Factory]:
    """All factories, or one, by country and name: an order that ranks nobody."""
    with connection.cursor(row_factory=class_row(Factory)) as cursor:
        return cursor.execute(
            """
            SELECT factory_id, official_name, country, city, host, partners, selection_round, selection_date, source,
              read, stated_on_text AS said, cites
            FROM programme_factory_current
            WHERE %(factory)s::text IS NULL OR factory_id = %(factory)s
            ORDER BY country, official_name
            """,
            {"factory": factory_id},
        ).fetchall()


def systems(connection: Connection, factory_id: str | None = None) -> list[System]:
    """The machines of all factories, or of one, in the registry's order."""
    with connection.cursor(row_factory=class_row(System)) as cursor:
        return cursor.execute(
            """
            SELECT factory_id, system, role, vendor, accelerator, status, status_as_of_text AS said, source,
              read, cites
            FROM programme_system_current
            WHERE %(factory)s::text IS NULL OR factory_id = %(factory)s
            ORDER BY row
            """,
            {"factory": factory_id},
        ).fetchall()


def capacities(connection: Connection, factory_id: str | None = None) -> list[Capacity]:
    """What was said of accelerators, of all factories or of one, in the registry's order."""
    with connection.cursor(row_factory=class_row(Capacity)) as cursor:
        return cursor.execute(
            """
            SELECT factory_id, system, stage, accelerators, accelerators_max, qualifier, model, as_of_text AS said,
              source, read, cites
            FROM programme_capacity_current
            WHERE %(factory)s::text IS NULL OR factory_id = %(factory)s
            ORDER BY row
            """,
            {"factory": factory_id},
        ).fetchall()
