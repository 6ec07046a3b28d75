"""`python -m gigawatch_exporters.simulator.story` writes docs/incident.md: the one incident, told from its truth."""

from __future__ import annotations

import sys
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_contract import command
from gigawatch_contract.errors import GigawatchError
from gigawatch_exporters.simulator.faults import Cooling, Silent
from gigawatch_exporters.simulator.ledger import truth
from gigawatch_exporters.simulator.library import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gigawatch_exporters.simulator.scenario import Scenario
    from gigawatch_exporters.simulator.truth import Minute, Truth

PAGE: Final = Path("docs/incident.md")
START_NS: Final = 1_800_000_000_000_000_000
"""Any start would do: the page tells times from the start."""
INTRODUCTION: Final = """\
# The one incident

<!-- Written by `make docs` from the shipped scenarios and their truth: change those, not this page. -->

One story runs through all of Gigawatch: the simulator plays it, and exporter, collector, database, pages and alerts are
tested on it. It happens in `sim-aurora`, a factory that does not exist. **All of it is simulated.**

Cooling fails in rack r02. Its accelerators heat up, and driver and hardware hold their clocks down: power falls, and the
training run that holds the whole rack slows, so that its NVLink traffic falls too. One accelerator reports XID 79 and is
gone. The exporter of another node of the rack is down for two minutes. Then cooling returns, and all recover but the
lost accelerator.

It is told twice. `incident` takes half an hour and is the reference: no random number changes between two runs.
`demo` hurries through the same story for `gigawatch demo`.

    gigawatch simulate --scenario incident --speed 0                        # half an hour that ends now
    gigawatch simulate --scenario incident --truth truth.json --dry-run     # what it must lead to, as JSON

Times are from the start of the story, in minutes and seconds. They are times of the world: who sees a sample every 15 s
sees each up to 15 s later.
"""
RULES: Final = """\
The rules are those that ship with `gigawatch alerts`. *ThermalThrottling*: the counters of thermal throttling, driver's
and hardware's together, grew by more than 10 % of the last 60 s. *NodeSilent*: nothing came from a node of the
inventory for 60 s. *XidEvent*: an XID in the last 15 minutes. *AcceleratorLost*: its node says so. Missing data ends
none of them, so the two alerts of the lost accelerator go on until someone replaces it.
"""


def page() -> str:
    """The text of docs/incident.md."""
    parts: list[str] = [INTRODUCTION]
    for name in ("incident", "demo"):
        scenario = load(name)
        told = truth(scenario, START_NS, round(scenario.duration))
        parts.append("\n".join(_chapter(scenario, told)))
    return "\n".join((*parts, "## How alerts are counted\n", RULES))


def _chapter(scenario: Scenario, told: Truth) -> Iterator[str]:
    yield from (f"## `{scenario.name}`", "")
    factories = ((f"`{each.factory}`", each.model, f"{each.nodes}", f"{each.accelerators}") for each in told.factories)
    yield from _table(("factory", "model", "nodes", "accelerators"), factories)
    yield from ("", "What happens:", "")
    yield from _table(("time", "what"), _happens(scenario, told))
    yield from ("", "Alerts:", "")
    yield from _table(("rule", "how many", "fire", "resolve"), _alerts(told))
    yield from ("", "What it comes to:", "")
    yield from _table(("figure", "truth"), _figures(told))
    yield from ("", "Who reports, as a mean over each minute:", "")
    yield from _table(("minute", "nodes of `sim-aurora`", "accelerators"), _coverage(told))
    yield ""


def _happens(scenario: Scenario, told: Truth) -> list[tuple[str, str]]:
    found = [(_clock(event.time), f"{_event(event.xid)} on an accelerator of `{event.node}`") for event in told.events]
    for fault in scenario.faults:
        if isinstance(fault, Cooling):
            found.append((_minutes(fault.start), f"cooling fails in rack {fault.rack}"))
            found.append((_minutes(fault.end), "cooling returns"))
        elif isinstance(fault, Silent):
            found.append((_minutes(fault.start), f"node {fault.node} falls silent"))
            found.append((_minutes(fault.end), f"node {fault.node} is heard again, its counters gone on"))
    return sorted(found)


def _event(xid: int | None) -> str:
    return "lost: off the bus," if xid is None else f"XID {xid}"


def _alerts(told: Truth) -> Iterator[tuple[str, ...]]:
    for rule in sorted({alert.rule for alert in told.alerts}):
        mine = [alert for alert in told.alerts if alert.rule == rule]
        fires = [_clock(alert.fires_at) for alert in mine]
        resolves = [_clock(alert.resolves_at) for alert in mine if alert.resolves_at]
        still = len(mine) - len(resolves)
        ends = [_between(resolves)] if resolves else []
        yield rule, f"{len(mine)}", _between(fires), ", ".join((*ends, *([f"{still} goes on"] if still else [])))


def _figures(told: Truth) -> Iterator[tuple[str, str]]:
    hot = [rack for rack in told.racks if rack.throttled_s["software_thermal"] or rack.throttled_s["hardware_thermal"]]
    for rack in hot:
        name = f"rack {rack.rack} of `{rack.factory}`"
        for reason, words in (("software_thermal", "driver"), ("hardware_thermal", "hardware")):
            seconds = rack.throttled_s[reason]
            yield f"accelerator-seconds held down for temperature by the {words}, {name}", f"{seconds:,} s"
        yield f"energy of its accelerators, {name}", f"{rack.energy_j / 3.6e6:,.2f} kWh"
    for each in told.factories:
        yield f"energy of its accelerators, `{each.factory}`", f"{each.energy_j / 3.6e6:,.2f} kWh"
        if each.lost_accelerator_hours:
            yield f"lost, `{each.factory}`", f"{each.lost_accelerator_hours:.3f} accelerator-hours"
        hours = ", ".join(f"{name} {value:.2f}" for name, value in each.delivered_hours.items())
        yield f"delivered accelerator-hours, `{each.factory}`", hours


def _coverage(told: Truth) -> Iterator[tuple[str, ...]]:
    """The minutes of the factory of the story, like neighbours taken together."""

    def said(minute: Minute) -> tuple[str, str]:
        nodes = f"{minute.nodes_reporting:.4g} of {minute.nodes_expected}"
        return nodes, f"{minute.accelerators_reporting:.5g} of {minute.accelerators_expected}"

    minutes = [minute for minute in told.coverage if minute.factory == "sim-aurora"]
    for (nodes, accelerators), alike in groupby(minutes, said):
        times = [_clock(minute.minute) for minute in alike]
        yield _between(times), nodes, accelerators


def _between(times: list[str]) -> str:
    return min(times) if min(times) == max(times) else f"{min(times)} to {max(times)}"


def _clock(time: str) -> str:
    return _minutes(datetime.fromisoformat(time).timestamp() - START_NS / 1e9)


def _minutes(seconds: float) -> str:
    return f"{round(seconds) // 60:02}:{round(seconds) % 60:02}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def main() -> int:
    """Write the page, from the root of a checkout."""

    def write() -> None:
        try:
            PAGE.write_text(page(), "utf-8")
        except OSError as error:
            raise GigawatchError(f"{PAGE}: {error.strerror}: run this in the root of a checkout") from error

    return command.run("python -m gigawatch_exporters.simulator.story", write)


if __name__ == "__main__":
    sys.exit(main())
