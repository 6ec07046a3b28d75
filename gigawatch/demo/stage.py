"""Sets the demo up on a database of its own, and takes it down again."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from psycopg import sql

from gigawatch.demo import plan
from gigawatch.demo.observation import observe
from gigawatch.demo.processes import Child
from gigawatch_contract.errors import ConfigurationError, GigawatchError
from gigawatch_contract.ports import refuse_taken
from gigawatch_database import embedded
from gigawatch_database.connect import connect
from gigawatch_database.migrate import migrate
from gigawatch_database.testing import on

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from gigawatch.demo.processes import Part

DATABASE: Final = "gigawatch_demo"
LATELY: Final = 3 * timedelta(seconds=plan.INTERVAL)
HEARD_S: Final = 60.0
"""Seconds to wait for it: then the alerts begin, and say who is silent."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A running demo."""

    place: plan.Place
    server: embedded.Server
    children: tuple[Child, ...]
    seconds: dict[str, float]
    """How long each step of the start took."""
    has_gpu: bool

    def ended(self) -> tuple[str, ...]:
        """Parts that ended by themselves."""
        return tuple(child.part.name for child in self.children if child.exit_code is not None)


@dataclass
class _Clock:
    """Tells what is being done, and keeps how long it took."""

    report: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def step(self, name: str, words: str) -> Generator[None]:
        self.report(words)
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 2)


@contextmanager
def running(
    *,
    data: Path,
    ports: plan.Ports,
    scenario: str,
    timescale: bool,
    report: Callable[[str], None],
    on_statistics: Callable[[str], None],
) -> Generator[Demo]:
    """The demo, running while the context lasts; nothing of it is left afterwards but its data folder.

    Raises:
        GigawatchError: a port is taken, or a part does not start.
    """
    for key, port in vars(ports).items():
        if not 0 < port < 65536:
            raise ConfigurationError(f"--{key.replace('_', '-')}-port {port}: a port is 1 to 65535")
        refuse_taken(plan.HOST, port, f"--{key.replace('_', '-')}-port")
    clock = _Clock(report)
    started = time.monotonic()
    with contextlib.ExitStack() as cleanup:
        with clock.step("server", "Starting the database"):
            server = cleanup.enter_context(embedded.running(data, timescale=timescale, report=report))
        logs = data / "demo"
        logs.mkdir(exist_ok=True)
        with clock.step("schema", f"Making a fresh database ({server.grade} grade) with the registry's public facts"):
            dsn = _fresh(server)
            place = plan.Place(dsn=dsn, folder=logs, ports=ports, scenario=scenario)
            place.webhook_log.unlink(missing_ok=True)
            _furnish(place)
        children: list[Child] = []

        def start(part: Part) -> Child:
            log = logs / f"{part.name.replace(' ', '-')}.log"
            child = Child(part, log, on_statistics if part.name == "simulator" else None)
            children.append(child)
            cleanup.callback(child.stop)
            return child

        with clock.step("services", "Starting collector, pages and webhook receiver"):
            collector, *others = [start(part) for part in plan.services(place)]
            collector.wait_ready()
            fleet = start(plan.fleet(place))  # its history comes in while the pages start
            for child in others:
                child.wait_ready()
        report(f"The pages are at {place.pages}")
        with clock.step("fleet", f"Sending {plan.BACKFILL_MIN} min of history of the simulated factories, then live"):
            fleet.wait_ready()
            _wait_heard(place)
        has_gpu = _has_gpu()
        with clock.step("alerts", "Starting alerts" + (" and the exporter for this machine's GPU" * has_gpu)):
            parts = (plan.alerts(place), *((plan.own_exporter(place),) if has_gpu else ()))
            for child in [start(part) for part in parts]:
                child.wait_ready()
        clock.seconds["ready"] = round(time.monotonic() - started, 2)
        yield Demo(place=place, server=server, children=tuple(children), seconds=clock.seconds, has_gpu=has_gpu)
        report("Stopping")


def _fresh(server: embedded.Server) -> str:
    """A new database of the demo's own: what an earlier demo left is dropped."""
    name = sql.Identifier(DATABASE)
    with connect(on(server.dsn, "postgres"), application_name="gigawatch demo") as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    return on(server.dsn, DATABASE)


def _furnish(place: plan.Place) -> None:
    """Bring in the schema, the registry, and the inventory of the fictional factories."""
    with connect(place.dsn, application_name="gigawatch demo") as connection:
        migrate(connection, report=lambda _: None)
    inventory = place.folder / "inventory.csv"
    begin = datetime.now(UTC) - timedelta(minutes=plan.BACKFILL_MIN)  # what is expected from then on, coverage is of
    for words in (
        ("simulate", "--scenario", place.scenario, "--inventory", str(inventory)),
        ("programme", "import", "--dsn", place.dsn),
        ("programme", "inventory", "--dsn", place.dsn, "--from", begin.isoformat(), str(inventory)),
    ):
        _do(words)


def _wait_heard(place: plan.Place) -> None:
    """Wait until every node has been heard of lately: the simulator may be live while its history is still stored."""
    with connect(place.dsn, application_name="gigawatch demo") as connection:
        deadline = time.monotonic() + HEARD_S
        while observe(connection, datetime.now(UTC) - LATELY).nodes_missing and time.monotonic() < deadline:
            time.sleep(0.2)


def _do(words: tuple[str, ...]) -> None:
    """Run a subcommand in this process; its output matters only when it fails."""
    from gigawatch.cli import main  # noqa: PLC0415 - the command on top also knows `demo`

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(words)
    if code:
        raise GigawatchError(f"`gigawatch {words[0]} {words[1]}` failed: {said.getvalue().strip()}")


def _has_gpu() -> bool:
    """Whether NVML finds a GPU: asked in a process of its own, for NVML may hang."""
    script = "import pynvml as n; n.nvmlInit(); raise SystemExit(0 if n.nvmlDeviceGetCount() else 1)"
    try:
        return (
            subprocess.run((sys.executable, "-c", script), timeout=10, capture_output=True, check=False).returncode == 0
        )
    except subprocess.TimeoutExpired:
        return False
