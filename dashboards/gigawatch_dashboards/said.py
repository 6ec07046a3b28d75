"""The sentences about public facts: who said what, as of when, and how near to the source it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gigawatch_dashboards.units import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatch_dashboards.queries.registry import Capacity, Fact, Factory, System

PUBLIC: Final = (
    "By country, ranking nobody. Every fact has its source and its date; what is not disclosed says so. The bars go from "
    "announced over contracted, delivered and accepted to operational."
)
NOT_DISCLOSED: Final = "not disclosed"
STAGES: Final = ("announced", "contracted", "delivered", "accepted", "operational")
READ: Final = {
    "primary": "primary source",
    "secondary": "secondary source",
    "second-hand": "second-hand",
    "none": "looked for, not found",
}
COUNTRIES: Final = {
    "AT": "Austria", "BE": "Belgium", "BG": "Bulgaria", "CY": "Cyprus", "CZ": "Czechia", "DE": "Germany",
    "DK": "Denmark", "EE": "Estonia", "ES": "Spain", "FI": "Finland", "FR": "France", "GR": "Greece", "HR": "Croatia",
    "HU": "Hungary", "IE": "Ireland", "IT": "Italy", "LT": "Lithuania", "LU": "Luxembourg", "LV": "Latvia",
    "MT": "Malta", "NL": "Netherlands", "PL": "Poland", "PT": "Portugal", "RO": "Romania", "SE": "Sweden",
    "SI": "Slovenia", "SK": "Slovakia",
}  # fmt: skip
_ABOUT: Final = {"about": "about ", "more_than": "more than ", "up_to": "up to "}


def selected(found: Factory) -> str:
    """Where a factory is, who hosts it, and when it was selected."""
    where = f"{found.city}, {country(found.country)}. Host: {found.host}."
    return f"{where} Selected on {found.selection_date:%Y-%m-%d} in round {found.selection_round}."


def status(found: System) -> str:
    """Where a system stands, as of when."""
    return f"{found.status}, {found.said}" if found.said else f"{found.status}, date not given"


def country(code: str) -> str:
    """A country's name by its code."""
    return COUNTRIES.get(code, code)


def capacity(found: Capacity) -> str:
    """A count of accelerators as it was said: "more than 2,100 accelerators", "accelerators not disclosed"."""
    if found.accelerators is None:
        return f"accelerators {NOT_DISCLOSED}:"
    if found.accelerators_max is not None:
        return f"{count(found.accelerators)} to {count(found.accelerators_max)} accelerators"
    return f"{_ABOUT.get(found.qualifier, '')}{count(found.accelerators)} accelerators"


def undisclosed(systems: Sequence[System], capacities: Sequence[Capacity]) -> int:
    """Of how many systems nobody has said how many accelerators they have: a headline of its own."""
    told = {(found.factory_id, found.system) for found in capacities if found.accelerators is not None}
    return sum((system.factory_id, system.system) not in told for system in systems)


def provenance(fact: Fact) -> str:
    """Who says so, how it was read, and as of when, in full."""
    parts = [
        READ.get(fact.read, fact.read),
        f"as of {fact.said}" if fact.said else "date not given",
        f"source: {fact.source}" if fact.source else "",
        f"citing {fact.cites}" if fact.cites and fact.cites != fact.source else "",
    ]
    return "; ".join(filter(None, parts))


def domain(address: str) -> str:
    """The host of an address, as a short name for it."""
    return (urlsplit(address).hostname or address).removeprefix("www.")


def rung(status: str) -> int:
    """How many stages of the ladder a system has reached."""
    reached = {"selected": 1, "tender": 1, "installing": 2, "retired": 0}
    return reached[status] if status in reached else STAGES.index(status) + 1 if status in STAGES else 0


def is_address(source: str) -> bool:
    """Whether a source is a web address that may be linked."""
    return source.startswith(("https://", "http://"))
