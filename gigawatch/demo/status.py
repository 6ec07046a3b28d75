"""The demo's live status in the terminal: rate, rows, nodes, alerts, and how to reach the page; pure but for rich."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from gigawatch.demo.observation import Observation


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """An alert that the webhook receiver got."""

    status: str
    name: str
    summary: str
    event_id: str | None


def delivered(log: Path) -> tuple[Delivered, ...]:
    """The alerts that the local receiver wrote down, in the order of their coming; a message repeats those of before."""
    if not log.exists():
        return ()
    found: dict[tuple[str, ...], Delivered] = {}
    for line in log.read_text("utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break  # it is being written
        body = json.loads(line)["body"]
        for alert in body["alerts"]:
            key = (alert["fingerprint"], alert["startsAt"], alert["status"])
            found.setdefault(
                key,
                Delivered(
                    status=alert["status"],
                    name=alert["labels"]["alertname"],
                    summary=alert["annotations"].get("summary", ""),
                    event_id=alert["labels"].get("event_id"),
                ),
            )
    return tuple(found.values())


def latest(alerts: Sequence[Delivered], most: int = 8) -> list[tuple[str, str, list[str]]]:
    """The last alerts, those of one rule that came one after another together: (status, rule, summaries)."""
    runs = groupby(alerts, key=lambda alert: (alert.status, alert.name))
    return [(status, name, [alert.summary for alert in run]) for (status, name), run in runs][-most:]


def panel(
    *, page: str, grade: str, now: datetime, seen: Observation, rate: float, alerts: tuple[Delivered, ...]
) -> Panel:
    """What the terminal shows, anew every second."""
    age = "nothing yet" if seen.newest is None else f"{max(0.0, (now - seen.newest).total_seconds()):.0f} s old"
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="bold")
    table.add_column()
    port = page.rpartition(":")[2]
    here = f"ssh -L {port}:127.0.0.1:{port} THIS-MACHINE"
    table.add_row("Pages", Text(page, style="bold cyan"))
    table.add_row("From elsewhere", f"{here}, then the same address there")
    table.add_row("Nodes", f"{seen.nodes_expected - len(seen.nodes_missing)} of {seen.nodes_expected} seen")
    table.add_row("Telemetry", f"{rate:,.0f} points/s; {seen.rows:,} accelerator rows; newest {age}")
    table.add_row("Database", grade)
    table.add_row("Events", f"{seen.events}")
    table.add_row("Alerts delivered", f"{len(alerts)}")
    for status, name, summaries in latest(alerts):
        style = "red" if status == "firing" else "green"
        more = f" and {len(summaries) - 1} more" * (len(summaries) > 1)
        table.add_row(Text(status, style=style), Text(f"{name}: {summaries[-1]}{more}"))
    return Panel(
        table, title="Gigawatch demo: simulated factories", subtitle="Ctrl-C stops everything", title_align="left"
    )
