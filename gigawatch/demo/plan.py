"""Which parts the demo runs, with which words: pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from gigawatch.demo.processes import Part

if TYPE_CHECKING:
    from pathlib import Path

HOST: Final = "127.0.0.1"
INTERVAL: Final = 5
"""Seconds between two exports of a node: livelier than the 15 of a real one."""
BACKFILL_MIN: Final = 3
"""Minutes of history before the start, so that the charts have a past."""
OWN_FACTORY: Final = "this-machine"
"""The factory of the real exporter, where this machine has a GPU."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where the parts listen, all on loopback; each can be moved by a flag of the same name."""

    pages: int = 8050
    otlp_http: int = 4318
    otlp_grpc: int = 4317
    webhook: int = 9098


@dataclass(frozen=True, kw_only=True)
class Place:
    """What all parts share."""

    dsn: str
    folder: Path
    ports: Ports
    scenario: str

    @property
    def pages(self) -> str:
        """The address of the first page."""
        return f"http://{HOST}:{self.ports.pages}"

    @property
    def webhook_log(self) -> Path:
        """Where the local receiver keeps what was delivered, a JSON object a line."""
        return self.folder / "webhooks.jsonl"


def services(place: Place) -> tuple[Part, ...]:
    """The parts that serve: they do not need each other to start."""
    dsn = {"GIGAWATCH_DSN": place.dsn}  # not a flag: the list of processes is for all to see, the environment is not
    ports = place.ports
    return (
        Part(
            name="collector",
            words=("collector", "--http-port", str(ports.otlp_http), "--grpc-port", str(ports.otlp_grpc)),
            environment=dsn,
        ),
        Part(
            name="dashboards",
            words=("dashboards", "--port", str(ports.pages), "--export-interval", str(INTERVAL)),
            environment=dsn,
        ),
        Part(
            name="webhook sink",
            words=("alerts", "sink", "--port", str(ports.webhook), "--file", str(place.webhook_log)),
        ),
    )


def fleet(place: Place) -> Part:
    """The simulated factories; ready when their history is in and they report live."""
    return Part(
        name="simulator",
        words=(
            *("simulate", "--scenario", place.scenario, "--endpoint", f"http://{HOST}:{place.ports.otlp_http}"),
            *("--interval", str(INTERVAL), "--backfill", f"{BACKFILL_MIN}m", "--connections", "64", "--stats", "true"),
        ),
        ready=is_live,
        wait=300,
    )


def is_live(line: str, now: datetime | None = None) -> bool:
    """Whether a line of the simulator's statistics says that it has caught up with the clock."""
    if not line.startswith("{"):
        return False
    simulated = datetime.fromisoformat(json.loads(line)["time"])
    return (now or datetime.now(UTC)) - simulated < 2 * timedelta(seconds=INTERVAL)


def alerts(place: Place) -> Part:
    """The rules and their delivery: begun when the fleet reports, or every node would be said to be silent."""
    return Part(
        name="alerts",
        words=(
            *("alerts", "run", "--interval", str(INTERVAL), "--webhook", f"http://{HOST}:{place.ports.webhook}/"),
            *("--allow", f"{HOST}/32", "--external-url", place.pages),
        ),
        environment={"GIGAWATCH_DSN": place.dsn},
    )


def own_exporter(place: Place) -> Part:
    """The real exporter, for the GPUs of this machine."""
    return Part(
        name="exporter",
        words=(
            *("exporter", "--factory", OWN_FACTORY, "--endpoint", f"http://{HOST}:{place.ports.otlp_http}"),
            *("--interval", str(INTERVAL), "--spool", str(place.folder / "spool")),
        ),
    )
