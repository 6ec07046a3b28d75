"""The alerts and pages that a scenario must lead to, by the rules that ship with gigawatch-alerts.

XidEvent: an XID in the last 15 minutes. NodeSilent: a node of the inventory from which nothing came for 60 s.
ThermalThrottling: the thermal throttle counters grew by more than 10 % of the last 60 s. AcceleratorLost and
AcceleratorUnresponsive: the node says so. Missing data resolves none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gigawatch_contract import events
from gigawatch_exporters.simulator.faults import Hang, Lost, Silent
from gigawatch_exporters.simulator.happenings import happenings
from gigawatch_exporters.simulator.moment import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gigawatch_exporters.simulator.scenario import Factory, Scenario
    from gigawatch_exporters.simulator.thermal import Spell

XID_WINDOW: Final = 900.0
SILENCE: Final = 60.0
SETTLED: Final = 45.0
"""Seconds after a change by which every page must show it: three export intervals."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One alert. Times are of the world; an evaluator that sees a sample every 15 s is at most that much beside them."""

    rule: str
    labels: dict[str, str]
    fires_at: str
    resolves_at: str | None
    """None: it still fires at the end of the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What the page of a factory must say at a moment, if it is fresh."""

    at: str
    factory: str
    nodes_expected: int
    nodes_reporting: int
    nodes_silent: list[str]
    accelerators_expected: int
    accelerators_reporting: int
    accelerators_lost: list[str]
    accelerators_unresponsive: list[str]
    throttling_by_rack: dict[str, int]
    """Accelerators for which the thermal rule holds."""


def page_moments(scenario: Scenario, factory: Factory, duration: int) -> Iterator[int]:
    """Seconds at which pages are checked: when each change of the story has settled, and at the end."""
    for fault in scenario.faults:
        if fault.factory == factory.id:
            for change in fault.lasts:
                if 0 < change + SETTLED < duration:
                    yield round(change + SETTLED)
    yield duration


def alerts(scenario: Scenario, factory: Factory, spells: list[Spell], start_ns: int, duration: int) -> Iterator[Alert]:
    """All alerts of a factory in a run of `duration` seconds."""

    def alert(rule: str, labels: dict[str, str], fires: float, resolves: float) -> Iterator[Alert]:
        if 0 <= fires < duration:
            end = iso(start_ns, resolves) if resolves < duration else None
            yield Alert(rule=rule, labels=labels, fires_at=iso(start_ns, fires), resolves_at=end)

    layout = factory.layout

    def thing(node: int, accelerator: int | None = None) -> dict[str, str]:
        named = {"factory": factory.id, "rack": layout.rack(node), "node": layout.host_name(node)}
        return named if accelerator is None else {**named, "accelerator": layout.hw_id(node, accelerator)}

    for event in happenings(scenario, factory):
        if event.event is events.XID and event.reported:
            labels = {
                **thing(event.node, event.accelerator),
                "xid": str(event.code),
                "event_id": event.happened(start_ns).id,
            }
            yield from alert("XidEvent", labels, event.at, event.at + XID_WINDOW)
    lost: dict[tuple[int, int], float] = {}
    for fault in scenario.faults:
        if fault.factory != factory.id or not isinstance(fault, (Silent, Lost, Hang)):
            continue
        node = layout.find(fault.node)
        assert node is not None, "the scenario is checked"
        start, end = fault.lasts
        if isinstance(fault, Silent):
            if end - start > SILENCE:
                yield from alert("NodeSilent", thing(node), start + SILENCE, end)
        elif isinstance(fault, Lost):
            lost[node, fault.accelerator] = start
            yield from alert("AcceleratorLost", thing(node, fault.accelerator), start, end)
        else:
            yield from alert("AcceleratorUnresponsive", thing(node, fault.accelerator), start, end + SILENCE)
    for spell in spells:
        gone = (spell.node, spell.accelerator) in lost
        resolves = float("inf") if spell.end is None or gone else float(spell.end)
        yield from alert("ThermalThrottling", thing(spell.node, spell.accelerator), float(spell.start), resolves)
