"""What should be there, what reports, and what is wrong: decided from the rows of one moment, nothing read here."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gigawatch_dashboards.freshness import Freshness
    from gigawatch_dashboards.queries.factory import Accelerator, InventoryNode, Known, Seen

ANSWERING: Final = frozenset({"ok", "degraded", "failed", None})
"""States in which an accelerator gives readings; None is a sender that tells no state."""
FORGOTTEN: Final = timedelta(days=1)
"""A node outside the inventory that has been silent for longer is not missed any more."""

Severity = Literal["critical", "warning"]


@dataclass(frozen=True, slots=True)
class Node:
    """A node: what should be in it, what of it reports, and when it last did."""

    host_name: str
    rack: str | None
    expected: int | None
    """Accelerators by the inventory; None where the inventory does not have the node."""
    accelerators: tuple[Accelerator, ...]
    reports: bool
    last_seen: datetime | None = None

    @property
    def missing(self) -> int:
        """Accelerators that should report and do not say anything."""
        return max(0, (self.expected or 0) - len(self.accelerators))


@dataclass(frozen=True, slots=True)
class Absent:
    """An accelerator that a reporting node used to have and no longer speaks of."""

    accelerator_id: int
    host_name: str
    hw_id: str
    accelerator_index: int | None
    last_seen: datetime | None


@dataclass(frozen=True)
class Condition:
    """A factory at one moment."""

    nodes: tuple[Node, ...]
    absent: tuple[Absent, ...] = ()
    last_ok: Mapping[int, datetime] = field(default_factory=dict[int, datetime])

    @property
    def accelerators(self) -> list[Accelerator]:
        """Every accelerator that something was heard of."""
        return [accelerator for node in self.nodes for accelerator in node.accelerators]

    @property
    def expected(self) -> int | None:
        """Accelerators by the inventory; None where there is no inventory."""
        known = [node.expected for node in self.nodes if node.expected is not None]
        return sum(known) if known else None

    @property
    def states(self) -> Counter[str | None]:
        """How many accelerators are in each state."""
        return Counter(accelerator.state for accelerator in self.accelerators)

    @property
    def answering(self) -> list[Accelerator]:
        """The accelerators that give readings."""
        return [accelerator for accelerator in self.accelerators if accelerator.state in ANSWERING]

    @property
    def missing(self) -> int:
        """Accelerators of the inventory that nothing was heard of, on silent nodes and on others."""
        return sum(node.missing for node in self.nodes)

    @property
    def silent(self) -> list[Node]:
        """The nodes that should report and do not."""
        return [node for node in self.nodes if not node.reports]

    @property
    def unlisted(self) -> list[Accelerator]:
        """The accelerators that report and are more than the inventory has on their node."""
        if self.expected is None:
            return []
        return [extra for node in self.nodes for extra in node.accelerators[node.expected or 0 :]]

    @property
    def throttled(self) -> list[Accelerator]:
        """The accelerators held back by heat within the window."""
        return [accelerator for accelerator in self.accelerators if accelerator.throttled]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and since when; `members` are the names of what it is wrong with."""

    kind: str
    severity: Severity
    members: tuple[str, ...]
    since: datetime | None = None
    rack: str | None = None
    host_name: str | None = None


def nodes(
    inventory: Sequence[InventoryNode],
    accelerators: Iterable[Accelerator],
    reporting: Iterable[str],
    seen: Iterable[Seen],
    now: datetime,
) -> tuple[Node, ...]:
    """Join what should be there with what was heard of it, by rack and name."""
    heard: defaultdict[str, list[Accelerator]] = defaultdict(list)
    for accelerator in accelerators:
        heard[accelerator.host_name].append(accelerator)
    reports = {*heard, *reporting}
    last = {node.host_name: node for node in seen}
    listed = {node.host_name: node for node in inventory}
    gone = {name for name, node in last.items() if node.last_seen and now - node.last_seen <= FORGOTTEN}

    def node(name: str) -> Node:
        here = sorted(heard[name], key=lambda one: (one.accelerator_index is None, one.accelerator_index, one.hw_id))
        rack = listed[name].rack if name in listed else None
        rack = rack or (here[0].rack if here else last[name].rack if name in last else None)
        expected = listed[name].accelerators if name in listed else None
        last_seen = last[name].last_seen if name in last else max((one.time for one in here), default=None)
        return Node(name, rack, expected, tuple(here), name in reports, last_seen)

    found = [node(name) for name in {*listed, *reports, *gone}]
    return tuple(sorted(found, key=lambda one: (one.rack is None, one.rack or "", one.host_name)))


def short_nodes(found: Iterable[Node]) -> list[str]:
    """The nodes that report, and fewer accelerators than they should have."""
    return [node.host_name for node in found if node.reports and node.missing]


def absent(known: Iterable[Known], found: Iterable[Accelerator], now: datetime) -> tuple[Absent, ...]:
    """Which of the accelerators that reported within the last day are not heard of now."""
    heard = {accelerator.accelerator_id for accelerator in found}
    return tuple(
        Absent(one.accelerator_id, one.host_name, one.hw_id, one.accelerator_index, one.last_seen)
        for one in known
        if one.accelerator_id not in heard and one.last_seen and now - one.last_seen <= FORGOTTEN
    )


def name(host_name: str, accelerator_index: int | None, hw_id: str) -> str:
    """How an accelerator is called on every page: by node and index, or by its UUID where it has no index."""
    return f"{host_name} GPU {accelerator_index}" if accelerator_index is not None else f"{host_name} {hw_id}"


def problems(condition: Condition, fresh: Freshness) -> list[Problem]:
    """All that is wrong, the gravest first. What is alike in one rack is one problem: a rack is one thing to walk to.

    When telemetry has stopped, that is the one thing known to be wrong; when there is none, nothing is known.
    """
    if fresh.state == "none":
        return []
    if fresh.state == "stalled":
        return [Problem("stalled", "critical", (), fresh.newest)]
    found: list[Problem] = []
    for state in ("lost", "unresponsive", "failed", "degraded"):
        for accelerator in condition.accelerators:
            if accelerator.state == state:
                title = name(accelerator.host_name, accelerator.accelerator_index, accelerator.hw_id)
                since = condition.last_ok.get(accelerator.accelerator_id)
                severity: Severity = "warning" if state == "degraded" else "critical"
                host, rack = accelerator.host_name, accelerator.rack
                found.append(Problem(state, severity, (title,), since, rack, host))
    found += _silent(condition)
    for one in condition.absent:
        title = name(one.host_name, one.accelerator_index, one.hw_id)
        found.append(Problem("absent", "critical", (title,), one.last_seen, None, one.host_name))
    named = Counter(one.host_name for one in condition.absent)
    for node in condition.nodes:
        unnamed = node.missing - named[node.host_name]
        if node.reports and unnamed > 0:
            members = (f"{unnamed} of {node.expected}",)
            found.append(Problem("fewer", "critical", members, None, node.rack, node.host_name))
    racks: defaultdict[str | None, list[str]] = defaultdict(list)
    for accelerator in condition.throttled:
        title = name(accelerator.host_name, accelerator.accelerator_index, accelerator.hw_id)
        racks[accelerator.rack].append(title)
    found += [
        Problem("throttled", "warning", tuple(names), None, rack) for rack, names in sorted(racks.items(), key=str)
    ]
    if condition.unlisted:
        names = [name(one.host_name, one.accelerator_index, one.hw_id) for one in condition.unlisted]
        found.append(Problem("unlisted", "warning", tuple(names)))
    return sorted(found, key=lambda problem: problem.severity)  # "critical" sorts before "warning"


def _silent(condition: Condition) -> list[Problem]:
    """Silent nodes one by one, or a rack at a time where none of several nodes of the rack reports."""
    found: list[Problem] = []
    racks: defaultdict[str | None, list[Node]] = defaultdict(list)
    for node in condition.nodes:
        racks[node.rack].append(node)
    for rack, members in racks.items():
        silent = [node for node in members if not node.reports]
        if rack is not None and len(silent) > 1 and len(silent) == len(members):
            since = max((node.last_seen for node in silent if node.last_seen), default=None)
            found.append(Problem("rack", "critical", tuple(node.host_name for node in silent), since, rack))
        else:
            found += [
                Problem("silent", "critical", (one.host_name,), one.last_seen, rack, one.host_name) for one in silent
            ]
    return found
