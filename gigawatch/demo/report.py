"""What the demo found out about itself, and whether that is a success; pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class PageAnswer:
    """One page, asked as a browser asks."""

    path: str
    seconds: float
    problem: str | None = None
    """None when it answered with data."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that `--report FILE` holds."""

    simulated: bool
    versions: dict[str, str]
    grade: str
    grade_reason: str | None
    """Why the grade is not better, where the embedded server could say so."""
    seconds: dict[str, float]
    """Duration of each step of the start, `ready` for the whole, and `watched`."""
    nodes_expected: int
    nodes_missing: tuple[str, ...]
    """Simulated nodes of which no telemetry reached the database, as factory/host."""
    rows: int
    """Rows of accelerator samples in the database."""
    points_sent: int
    pages: tuple[PageAnswer, ...]
    incident_xid: int
    incident_event_id: str | None
    """The id of the incident's XID event in the database; None: it is not there."""
    alert_delivered: bool
    """The webhook got an alert that carries that id."""
    alerts_delivered: int
    parts_ended: tuple[str, ...] = ()
    """Parts that ended before they were asked to."""
    problems: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "problems", tuple(self._problems()))

    def _problems(self) -> list[str]:
        found: list[str] = []
        if self.nodes_missing:
            shown = ", ".join(self.nodes_missing[:5]) + (" …" if len(self.nodes_missing) > 5 else "")
            found.append(
                f"no telemetry from {len(self.nodes_missing)} of {self.nodes_expected} simulated nodes: {shown}"
            )
        if not self.nodes_expected:
            found.append("the inventory holds no simulated node")
        found += [f"page {page.path}: {page.problem}" for page in self.pages if page.problem]
        if not self.pages:
            found.append("no page was asked")
        if self.incident_event_id is None:
            found.append(f"the incident's XID {self.incident_xid} is not in the database")
        elif not self.alert_delivered:
            found.append(f"no alert of the incident's XID {self.incident_xid} reached the webhook")
        found += [f"the {name} ended by itself" for name in self.parts_ended]
        return found

    @property
    def success(self) -> bool:
        """Whether the demo did all that it promises."""
        return not self.problems

    def as_json(self) -> dict[str, object]:
        """The report as it is written."""
        return {"success": self.success, **asdict(self)}
