"""The sentences of the pages, made from data; every word that depends on it is here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gigawatch_contract.events import LOST, RECOVERED, SEVERITY_NUMBER, UNRESPONSIVE, XID
from gigawatch_dashboards.condition import name
from gigawatch_dashboards.units import MISSING, SPACE, clock, count, duration, plural, quantity, share
from gigawatch_dashboards.xid import MEANING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gigawatch_dashboards.charts import Chart
    from gigawatch_dashboards.condition import Condition, Problem
    from gigawatch_dashboards.freshness import Freshness
    from gigawatch_dashboards.network import LiveFactory
    from gigawatch_dashboards.queries.factory import Happened, OpenAlert
    from gigawatch_dashboards.series import Series

SIMULATED: Final = "Simulated data. This factory is fictional; no machine stands behind these readings."
PLAIN: Final = (
    "This database is plain PostgreSQL without TimescaleDB: made for trying Gigawatch, not for a factory's history."
)
NO_TELEMETRY: Final = "No telemetry connected"
STATES: Final[dict[str | None, str]] = {
    "ok": "OK",
    "degraded": "degraded",
    "failed": "failed",
    "unresponsive": "unresponsive",
    "lost": "lost",
    "silent": "not reporting",
    None: "no state given",
}


def title(factory_id: str) -> str:
    """The name of a fictional factory: "sim-aurora" is "Aurora"."""
    return factory_id.removeprefix("sim-").replace("-", " ").title()


def freshness(found: Freshness, *, live: bool = True) -> str:
    """How fresh the data is, in words."""
    every = f"one export every {duration(found.interval)}"
    if found.newest is None or found.age is None:
        return NO_TELEMETRY if live else "No sample in the minute before this moment"
    if not live:
        return f"Newest sample {duration(found.age)} before this moment; {every}"
    if found.state == "stalled":
        return (
            f"Stalled: no sample for {duration(found.age)}, the newest is of {clock(found.newest)}; {every} is expected. "
            "What follows is not the present"
        )
    if found.state == "late":
        return f"Late: newest sample {duration(found.age)} old; {every} is expected"
    return f"Fresh: newest sample {duration(found.age)} old; {every}"


def verdict(condition: Condition, found: Freshness, problems: Sequence[Problem], *, live: bool) -> str:
    """The one sentence at the top: is anything wrong, and can one know."""
    if found.state == "none":
        return NO_TELEMETRY if live else "Nothing is known of this moment: no telemetry around it"
    if found.state == "stalled":
        return "Unknown: telemetry has stopped" if live else "Unknown: telemetry had stopped at this moment"
    if not problems:
        if condition.expected is None:
            return "Nothing wrong is seen; what should be there is not known, as there is no inventory"
        return "Nothing wrong is seen"
    states = condition.states
    parts = [
        f"{plural(number, 'accelerator')} {word}"
        for number, word in (
            (states["lost"], "lost"),
            (states["unresponsive"], "unresponsive"),
            (states["failed"], "failed"),
            (states["degraded"], "degraded"),
        )
        if number
    ]
    if condition.silent:
        parts.append(f"{plural(len(condition.silent), 'node')} silent")
    elsewhere = sum(node.missing for node in condition.nodes if node.reports)
    if elsewhere:
        parts.append(f"{plural(elsewhere, 'accelerator')} not reported by {'its' if elsewhere == 1 else 'their'} node")
    if condition.throttled:
        parts.append(f"{plural(len(condition.throttled), 'accelerator')} throttled by heat")
    if condition.unlisted:
        parts.append(f"{plural(len(condition.unlisted), 'accelerator')} not in the inventory")
    return sentence("; ".join(parts))


def seen_of_expected(condition: Condition) -> str:
    """How many accelerators answer, of how many that should be there, and where the others are."""
    answering = len(condition.answering)
    states = condition.states
    if condition.expected is None:
        head = f"{plural(answering, 'accelerator')} answer; how many should is not known: there is no inventory"
    elif condition.expected == 0:
        head = "The inventory expects no accelerator"
    else:
        head = f"{count(answering)} of {plural(condition.expected, 'expected accelerator')} answer"
    rest = [
        f"{count(number)} {word}"
        for number, word in (
            (states["lost"], "lost"),
            (states["unresponsive"], "unresponsive"),
            (condition.missing, "not reporting"),
            (len(condition.unlisted), "not in the inventory"),
        )
        if number
    ]
    return f"{head}: {', '.join(rest)}." if rest else f"{head}."


def problem(found: Problem, now: datetime) -> tuple[str, str]:
    """A problem as a title and the rest of what is known of it."""
    first = found.members[0] if found.members else ""
    since = f"since {clock(found.since, now)} ({duration(now - found.since)})" if found.since else ""
    last = f"last heard of at {clock(found.since, now)}, {duration(now - found.since)} ago" if found.since else ""
    where = f"rack {found.rack}" if found.rack else ""
    match found.kind:
        case "lost":
            return f"{first} is lost", _join("off the bus", since, where)
        case "unresponsive":
            return f"{first} is unresponsive", _join("a call to it did not return", since, where)
        case "failed":
            return f"{first} has failed", _join("answers with an error", since, where)
        case "degraded":
            return f"{first} is degraded", _join("asks for a reset, reboot or drain", since, where)
        case "stalled":
            return (
                "Telemetry has stopped",
                _join(last, "nothing is known of the present; a fault that began since then is not seen"),
            )
        case "rack":
            return (
                f"Rack {found.rack} is silent: all {plural(len(found.members), 'node')}",
                _join(last or "nothing within the last 7 days", _names(found.members)),
            )
        case "silent":
            return f"Node {first} is silent", _join(last or "has not reported within the last 7 days", where)
        case "absent":
            return f"{first} is missing", _join("its node reports without it", last)
        case "fewer":
            return (
                f"Node {found.host_name} lacks {first} accelerators",
                _join("they have never reported, or not for a day", where),
            )
        case "unlisted":
            return (
                f"{plural(len(found.members), 'accelerator')} not in the inventory",
                _join(_names(found.members), "counted in the readings, not in what is expected"),
            )
        case _:
            place = f" in rack {found.rack}" if found.rack else ""
            return (
                f"{plural(len(found.members), 'accelerator')}{place} throttled by heat",
                _join("within the last minute", _names(found.members)),
            )


def event(found: Happened) -> tuple[str, str]:
    """An event as a title and a text."""
    titles = {
        XID.name: f"XID {found.xid_code}" if found.xid_code is not None else "XID",
        LOST.name: "Accelerator lost",
        UNRESPONSIVE.name: "Accelerator unresponsive",
        RECOVERED.name: "Accelerator answers again",
    }
    meaning = MEANING.get(found.xid_code or -1)
    text = meaning or found.body or ""
    return titles.get(found.name, found.name), sentence(text)


def fictional(number: int) -> str:
    """What the simulated factories are, for the page of all."""
    if not number:
        return ""
    who = "1 fictional factory sends" if number == 1 else f"{count(number)} fictional factories send"
    return f"{who} simulated telemetry, to show what a connected factory looks like."


def live_verdict(found: LiveFactory) -> tuple[str, str]:
    """A factory in one line: the kind of mark, and what is wrong."""
    state = found.freshness.state
    if state == "none":
        return "unknown", NO_TELEMETRY
    if state == "stalled":
        return "critical", f"Stalled: no sample for {duration(found.freshness.age or timedelta())}"
    reading, expected = found.reading, found.expected
    if reading is None:
        return "unknown", "No accelerator has reported within the last minute"
    silent, missing = (expected.silent, expected.missing) if expected else (0, 0)
    grave = [
        f"{count(number)} {word}"
        for number, word in (
            (reading.lost, "lost"),
            (reading.unresponsive, "unresponsive"),
            (reading.failed, "failed"),
            (missing, f"not reporting ({plural(silent, 'node')} silent)" if silent else "not reporting"),
        )
        if number
    ]
    slight = [
        f"{count(number)} {word}"
        for number, word in ((reading.degraded, "degraded"), (reading.throttling, "throttled by heat"))
        if number
    ]
    firing = [f"{plural(len(found.alerts), 'open alert')}"] if found.alerts else []
    if grave or slight or firing:
        return "critical" if grave else "warning", sentence("; ".join([*grave, *slight, *firing]))
    if expected is None:
        return "unknown", "Nothing wrong is seen; what should be there is not known"
    return "ok", "Nothing wrong is seen"


def fresh_as_of(found: Freshness) -> str:
    """When a factory was last heard of, in words that stay true while they stand on a page."""
    if found.newest is None:
        return "No sample yet"
    return f"Newest sample of {clock(found.newest)}"


def hall(condition: Condition, colour: str) -> str:
    """What the picture of the hall shows, for who does not see it."""
    racks = len({node.rack for node in condition.nodes})
    return (
        f"{plural(racks, 'rack')}, {plural(len(condition.nodes), 'node')}, coloured by {colour.lower()}. "
        f"{seen_of_expected(condition)} The table of nodes has the same in words."
    )


def place(found: Happened) -> str:
    """Where an event happened."""
    if found.host_name is None:
        return ""
    if found.hw_id is None:
        return found.host_name
    return name(found.host_name, found.accelerator_index, found.hw_id)


def severity(number: int | None) -> str:
    """The kind of mark for an OTLP severity number; an event that gives none is information."""
    if number is None or number < SEVERITY_NUMBER["warning"]:
        return "info"
    return "critical" if number >= SEVERITY_NUMBER["critical"] else "warning"


def rule(found: Sequence[OpenAlert]) -> str:
    """The open alerts of one rule."""
    return f"{found[0].rule}: {count(len(found))}, the newest:" if len(found) > 1 else found[0].rule


def alert(found: OpenAlert, now: datetime) -> str:
    """An open alert: what it says, since when, and whether that is still known."""
    since = f"firing since {clock(found.fired_at, now)} ({duration(now - found.fired_at)})"
    unknown = "" if found.known else "whether it still holds is not known: its data is missing"
    return _join(found.summary or "", since, unknown)


def chart(found: Chart, series: Series) -> str:
    """What a chart shows: the mean of its first line, its highest and lowest with their times, and what is missing."""
    if found.key == "coverage":
        return coverage(series)
    value = found.lines[0].value
    known = [(point, number) for point in series.points if (number := value(point)) is not None]
    if not known:
        return "There is no reading in this window."
    mean = sum(number for _, number in known) / len(known)
    high, low = max(known, key=lambda pair: pair[1]), min(known, key=lambda pair: pair[1])
    if found.key == "throttled" and high[1] == 0:
        return "No accelerator was held back by heat."
    head = f"{found.subject} {quantity(mean, found.unit)} on average"
    if high[1] > low[1]:
        head += (
            f", from {quantity(low[1], found.unit)} at {low[0].time:%H:%M} to {quantity(high[1], found.unit)} at "
            f"{high[0].time:%H:%M}{SPACE}UTC"
        )
    without = len(series.points) - len(known)
    if not without:
        return f"{head}."
    return f"{head}. Not known for {duration(without * series.spans.width)} of {duration(series.spans.until - series.spans.since)}."


def unread(what: str) -> str:
    """What of an address was left out because it makes no sense."""
    return f"The address has a {what} that cannot be read; it was left out."


def coverage(series: Series) -> str:
    """How much of the telemetry that was expected is there, and where it is not."""
    if all(point.gauges is None for point in series.points):
        return "There is no sample in this window."
    if series.coverage is None:
        head = "How many samples should be there is not known: there is no inventory."
    else:
        head = f"{share(series.coverage, 1.0)} of the expected samples are there."
    gaps = series.gaps
    if not gaps:
        return head
    longest = max(gaps, key=lambda gap: gap.until - gap.since)
    return (
        f"{head} {plural(len(gaps), 'gap')} without any sample, the longest {duration(longest.until - longest.since)} "
        f"from {longest.since:%H:%M:%S}{SPACE}UTC."
    )


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _join(*parts: str) -> str:
    return sentence("; ".join(part for part in parts if part)) or MISSING


def _names(members: Sequence[str], limit: int = 6) -> str:
    more = len(members) - limit
    return ", ".join(members[:limit]) + (f" and {count(more)} more" if more > 0 else "")
