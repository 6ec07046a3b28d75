"""The registry as text for a terminal: every fact with its date and source, differing sources side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from gigawatch_programme.facts import Capacity, Evidence, Factory, Funding, Milestone, System
from gigawatch_programme.sheets import CAPACITY_STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

K = TypeVar("K")
F = TypeVar("F", bound=Evidence)

QUALIFIERS: Final = {"exact": "", "about": "about ", "more_than": "more than ", "up_to": "up to ", "range": ""}
NOT_DISCLOSED: Final = "not disclosed"
NOTHING: Final = "-"
DIFFER: Final = "; sources differ:"
LEGEND: Final = (
    "Accelerators by stage, as far as they are public; `|` stands between sources that differ; nothing is added up.",
    f'"{NOT_DISCLOSED}": the stage was reached and the count not published. "{NOTHING}": nothing was found.',
)


def count(capacity: Capacity) -> str:
    """`23,536`, `about 24,000`, `more than 2,100`, `650 to 700`, `not disclosed`."""
    if capacity.accelerators is None:
        return NOT_DISCLOSED
    highest = f" to {capacity.accelerators_max:,}" if capacity.accelerators_max is not None else ""
    return f"{QUALIFIERS[capacity.qualifier]}{capacity.accelerators:,}{highest}"


def listing(factories: Iterable[Factory], capacities: Sequence[Capacity]) -> str:
    """The table of `gigawatch programme list`: one line for each system, by the factory's id; no rank, no sums."""
    rows: list[tuple[str, ...]] = [("factory", "country", "system", *CAPACITY_STAGES, "newest source")]
    for factory in factories:
        own = [capacity for capacity in capacities if capacity.factory_id == factory.factory_id]
        for system in dict.fromkeys(capacity.system for capacity in own) or [NOTHING]:
            facts = [capacity for capacity in own if capacity.system == system]
            stages = [_side_by_side(fact for fact in facts if fact.stage == stage) for stage in CAPACITY_STAGES]
            dated = [(fact.as_of, fact.as_of_text or NOTHING) for fact in facts if fact.as_of is not None]
            newest = max(dated)[1] if dated else NOTHING
            rows.append((factory.factory_id, factory.country, system, *stages, newest))
    return "\n".join((*_aligned(rows), "", *LEGEND))


def page(
    factory: Factory,
    systems: Sequence[System],
    capacities: Sequence[Capacity],
    milestones: Sequence[Milestone],
    funding: Sequence[Funding],
) -> str:
    """The text of `gigawatch programme show`: all that is known of a factory."""
    aliases = f" ({', '.join(factory.aliases)})" if factory.aliases else ""
    lines = [
        f"{factory.factory_id}: {factory.official_name}{aliases}",
        f"  {factory.city}, {factory.country}; hosted by {factory.host}",
        f"  selected {factory.selection_date} in round {factory.selection_round}",
    ]
    if factory.partners:
        lines.append(f"  with {', '.join(factory.partners)}")
    lines += _evidence(factory, factory.stated_on_text)
    lines += ["", "Systems"]
    for system in systems:
        lines += [f"  {system.system}: {_machine(system)}", *_evidence(system, system.status_as_of_text)]
    lines += ["", "Accelerators"]
    for (name, stage), facts in _grouped(capacities, lambda fact: (fact.system, fact.stage)).items():
        lines.append(f"  {name}, {stage}{DIFFER if len(set(map(count, facts))) > 1 else ''}")
        for fact in facts:
            lines += [f"    {count(fact)}", *_evidence(fact, fact.as_of_text, indent=6)]
    lines += ["", "Milestones"]
    for name, dates in _grouped(milestones, lambda date: date.milestone).items():
        reached = {date.date for date in dates if date.kind == "actual"}
        lines.append(f"  {name.replace('_', ' ')}{DIFFER if len(reached) > 1 else ''}")
        for date in dates:
            lines += [f"    {date.kind} {date.date_text}", *_evidence(date, date.stated_on_text, indent=6)]
    lines += ["", "Funding (a stage is never added to another: what is contracted was pledged before)"]
    for stage, amounts in _grouped(funding, lambda amount: amount.stage).items():
        lines.append(f"  {stage}")
        for amount in amounts:
            lines += [f"    {_money(amount)}", *_evidence(amount, amount.as_of_text, indent=6)]
    return "\n".join(lines)


def _side_by_side(facts: Iterable[Capacity]) -> str:
    return " | ".join(dict.fromkeys(map(count, facts))) or NOTHING


def _machine(system: System) -> str:
    built = f" by {system.vendor}" if system.vendor else ""
    nodes = f", {system.nodes:,} nodes" if system.nodes is not None else ""
    each = f" of {system.accel_per_node}" if system.nodes is not None and system.accel_per_node is not None else ""
    return f"{system.role}, {system.status}{nodes}{each}, {system.accelerator or 'accelerator not disclosed'}{built}"


def _money(amount: Funding) -> str:
    euros = NOT_DISCLOSED if amount.amount_eur is None else f"EUR {amount.amount_eur:,.2f}".removesuffix(".00")
    return f"{euros}, {amount.payer.replace('_', ' ')}: {amount.includes}"


def _evidence(fact: Evidence, when: str | None, *, indent: int = 4) -> list[str]:
    cites = f", citing {fact.cites}" if fact.cites else ""
    lines = [
        f"{when or 'undated'}, {'looked for, not found' if fact.read == 'none' else f'{fact.read}: {fact.source}'}{cites}"
    ]
    if fact.note:
        lines.append(f"note: {fact.note}")
    return [" " * indent + line for line in lines]


def _grouped(facts: Iterable[F], key: Callable[[F], K]) -> dict[K, list[F]]:
    groups: dict[K, list[F]] = {}
    for fact in facts:
        groups.setdefault(key(fact), []).append(fact)
    return groups


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
