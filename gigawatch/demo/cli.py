"""`gigawatch demo`: everything on this machine, live, or for a while with a report at the end."""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import signal
import sys
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.live import Live

from gigawatch.demo import stage
from gigawatch.demo.observation import INCIDENT_XID, Observation, observe
from gigawatch.demo.pages import ask
from gigawatch.demo.plan import Ports
from gigawatch.demo.report import Report
from gigawatch.demo.status import delivered, panel
from gigawatch_contract.command import run
from gigawatch_contract.errors import ConfigurationError, GigawatchError
from gigawatch_database import places
from gigawatch_database.connect import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION: Final = """Everything on this machine, live: a database, the collector, three fictional factories (simulated,
and labelled so everywhere), alerts with a local webhook receiver, and the pages. Some seconds after the start the
incident happens in sim-aurora: cooling fails in a rack, its accelerators throttle, one is lost (XID 79), one node falls
silent for two minutes. Everything listens on loopback only; Ctrl-C stops it all."""
EXAMPLES: Final = """examples:
  gigawatch demo                                   until Ctrl-C, with the live status in the terminal
  gigawatch demo --for 60 --report report.json     60 s from the moment all is ready, then a verdict; exit 0 on success
"""
WEEK_S: Final = 7 * 24 * 3600
PACKAGES: Final = ("gigawatch", "dash", "psycopg", "opentelemetry-sdk", "nvidia-ml-py")


@dataclass
class Flow:
    """What the simulator says of itself, a JSON object a line."""

    points: int = 0
    rate: float = 0.0
    _last: tuple[float, int] = field(default=(0.0, 0))

    def take(self, line: str) -> None:
        """Read one line; lines that are not its statistics are left to the log."""
        if not line.startswith("{"):
            return
        self.points = int(json.loads(line)["points"])
        now = time.monotonic()
        before, points = self._last
        if now > before:
            self.rate = (self.points - points) / (now - before)
        self._last = (now, self.points)


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch demo") -> int:
    """Run the demo; 0 when it did what it promises."""
    parser = argparse.ArgumentParser(
        prog, description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="run that long, then judge")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what was found as JSON")
    parser.add_argument("--scenario", default="demo", help="a shipped scenario or a TOML file (default: %(default)s)")
    parser.add_argument("--data", type=Path, help="its data folder (default: beside the embedded server's own)")
    parser.add_argument("--plain", action="store_true", help="without TimescaleDB")
    for port in fields(Ports):
        flag, usual = f"--{port.name.replace('_', '-')}-port", port.default
        parser.add_argument(flag, dest=port.name, type=int, default=usual, metavar="PORT", help=f"default: {usual}")
    chosen = parser.parse_args(argv)
    return run(prog, lambda: _demo(chosen))


def _demo(chosen: argparse.Namespace) -> int:
    if chosen.seconds is not None and not 0 < chosen.seconds < WEEK_S:
        raise ConfigurationError(f"--for {chosen.seconds}: seconds, more than 0 and less than a week")
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # both stop it in order
    console = Console(stderr=True, soft_wrap=True)
    flow = Flow()
    since = datetime.now(UTC)
    with stage.running(
        data=chosen.data or Path(f"{places.data()}-demo"),
        ports=Ports(**{port.name: getattr(chosen, port.name) for port in fields(Ports)}),
        scenario=chosen.scenario,
        timescale=not chosen.plain,
        report=lambda words: console.print(f"[dim]{datetime.now(UTC):%H:%M:%S}[/dim] {words}", highlight=False),
        on_statistics=flow.take,
    ) as demo:
        if chosen.seconds is None:
            with contextlib.suppress(KeyboardInterrupt):
                _announce(demo, console)
                _watch(demo, flow, console, since)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # one Ctrl-C is enough: what follows takes seconds
            return 0
        _announce(demo, console)
        time.sleep(chosen.seconds)
        report = _judge(demo, flow, since, chosen.seconds)
    return _tell(report, chosen.report, console)


def _announce(demo: stage.Demo, console: Console) -> None:
    console.print(f"Ready after {demo.seconds['ready']:.1f} s: [bold cyan]{demo.place.pages}[/]", highlight=False)
    if demo.server.grade == "plain":
        console.print(f"Plain grade: {demo.server.reason or 'TimescaleDB was not asked for'}.", highlight=False)


def _watch(demo: stage.Demo, flow: Flow, console: Console, since: datetime) -> None:
    """Show the live status until Ctrl-C, or until a part ends by itself."""
    with (
        connect(demo.place.dsn, application_name="gigawatch demo") as connection,
        Live(console=console, refresh_per_second=2, transient=False) as live,
    ):
        while not (ended := demo.ended()):
            live.update(
                panel(
                    page=demo.place.pages,
                    grade=_grade(demo),
                    now=datetime.now(UTC),
                    seen=observe(connection, since),
                    rate=flow.rate,
                    alerts=delivered(demo.place.webhook_log),
                )
            )
            time.sleep(1)
    raise GigawatchError(f"{', '.join(ended)} ended by itself: see {demo.place.folder}")


def _grade(demo: stage.Demo) -> str:
    if demo.server.grade == "apache":
        return "TimescaleDB (Apache grade), embedded"
    return f"plain PostgreSQL, embedded: {demo.server.reason or 'TimescaleDB was not asked for'}"


def _judge(demo: stage.Demo, flow: Flow, since: datetime, watched: float) -> Report:
    with connect(demo.place.dsn, application_name="gigawatch demo") as connection:
        seen: Observation = observe(connection, since)
        server = connection.execute("SHOW server_version").fetchone()
        extension = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
        factories = [row[0] for row in connection.execute("SELECT factory_id FROM factory ORDER BY 1").fetchall()]
    alerts = delivered(demo.place.webhook_log)
    event = seen.incident_event_id
    return Report(
        simulated=True,
        versions={
            **{name: version(name) for name in PACKAGES},
            "python": platform.python_version(),
            "postgresql": server[0] if server else "unknown",
            "timescaledb": extension[0] if extension else "none",
        },
        grade=demo.server.grade,
        grade_reason=demo.server.reason,
        seconds={**demo.seconds, "watched": watched},
        nodes_expected=seen.nodes_expected,
        nodes_missing=seen.nodes_missing,
        rows=seen.rows,
        points_sent=flow.points,
        pages=ask(demo.place.pages, factories),
        incident_xid=INCIDENT_XID,
        incident_event_id=event,
        alert_delivered=event is not None and any(alert.event_id == event for alert in alerts),
        alerts_delivered=len(alerts),
        parts_ended=demo.ended(),
    )


def _tell(report: Report, path: Path | None, console: Console) -> int:
    """Write the report, say what it says, and return the exit code."""
    if path:
        path.write_text(json.dumps(report.as_json(), indent=2) + "\n", "utf-8")
    nodes = f"{report.nodes_expected - len(report.nodes_missing)} of {report.nodes_expected} nodes"
    console.print(
        f"{nodes}, {report.rows:,} rows, {len(report.pages)} pages asked, {report.alerts_delivered} alerts delivered,"
        f" grade {report.grade}, ready after {report.seconds['ready']:.1f} s",
        highlight=False,
    )
    for problem in report.problems:
        print(f"gigawatch demo: {problem}", file=sys.stderr)
    return 0 if report.success else 1
