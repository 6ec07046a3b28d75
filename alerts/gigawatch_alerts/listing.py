"""What fires now, for a person or a program."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from gigawatch_alerts import templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg


@dataclass(frozen=True, kw_only=True, slots=True)
class Current:
    """A row of the view alert_current."""

    rule: str
    state: str
    known: bool
    active_since: datetime
    severity: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    link: str
    value: float | None

    @property
    def summary(self) -> str:
        """What it says in a line."""
        return self.annotations.get("summary", "")


def current(connection: psycopg.Connection) -> list[Current]:
    """What is pending or fires, the gravest and newest first."""
    with connection.cursor(row_factory=class_row(Current)) as cursor:
        return cursor.execute(
            """
            SELECT rule, state, known, active_since, severity, labels, annotations, link, value
            FROM alert_current
            ORDER BY state, array_position(ARRAY['critical', 'warning', 'info'], severity), active_since DESC
            """
        ).fetchall()


def table(alerts: Sequence[Current], now: datetime) -> str:
    """The alerts as a table; what came over the network cannot command the terminal."""
    if not alerts:
        return "nothing fires"
    head = ("STATE", "SEVERITY", "FOR", "ALERT", "WHERE", "SUMMARY")
    rows = [
        (
            alert.state if alert.known else f"{alert.state}, unknown",
            alert.severity or "",
            templates.humanize_duration(max(timedelta(seconds=1), now - alert.active_since).total_seconds()),
            alert.rule,
            "/".join(alert.labels[name] for name in ("factory", "rack", "node") if name in alert.labels),
            alert.summary,
        )
        for alert in alerts
    ]
    clean = [tuple("".join(char if char.isprintable() else "?" for char in cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in (head, *clean)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *clean)
    )


def as_json(alerts: Sequence[Current]) -> str:
    """The alerts as a JSON array."""
    found = [{**asdict(alert), "active_since": templates.moment(alert.active_since)} for alert in alerts]
    return json.dumps(found, ensure_ascii=False, indent=2)
