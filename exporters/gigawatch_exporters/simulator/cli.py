"""`gigawatch simulate`: the telemetry of a fleet that does not exist."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the settings loader reads the annotation
from typing import TYPE_CHECKING, Final

from gigawatch_contract import settings
from gigawatch_contract.command import run
from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_contract.settings import setting
from gigawatch_exporters.simulator.drive import Drive, dry_run
from gigawatch_exporters.simulator.inventory import inventory, text
from gigawatch_exporters.simulator.ledger import truth
from gigawatch_exporters.simulator.library import load, shipped
from gigawatch_exporters.simulator.pace import plan
from gigawatch_exporters.simulator.scale import only, resize
from gigawatch_exporters.simulator.sender import Sender, check_reachable
from gigawatch_exporters.simulator.transport import Connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatch_exporters.simulator.scenario import Scenario

PART: Final = "simulate"
DESCRIPTION: Final = """\
Send the telemetry of a simulated fleet: fictional factories (sim-…) with jobs, physics that hang together, and
planted faults, as OTLP over HTTP. Every export says that it is simulated. The same scenario, seed and start give the
same bytes.
"""
EXAMPLES: Final = """\
examples:
  gigawatch simulate                                    the hurried incident, live, to a collector on this machine
  gigawatch simulate --backfill 30m                     the same, with half an hour of normal life before
  gigawatch simulate --scenario incident --speed 0      half an hour that ends now, sent as fast as it is taken
  gigawatch simulate --nodes 2000 --faults false        2,000 healthy nodes
  gigawatch simulate --scenario my.toml --dry-run       check a scenario, and how fast its bodies are made
  gigawatch simulate --inventory nodes.csv              what should be there, for `gigawatch programme inventory`
docs/simulator.md tells how to write a scenario.
"""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `gigawatch simulate` is told."""

    scenario: str = setting("demo", help=f"a scenario that ships ({', '.join(shipped())}) or a TOML file")
    endpoint: str = setting("http://127.0.0.1:4318", help="where the OTLP/HTTP receiver listens")
    interval: float = setting(15.0, help="seconds between two exports of a node, at least 1")
    nodes: int | None = setting(None, help="scale the factories to this many nodes in all")
    factory: str | None = setting(None, help="simulate only this factory of the scenario")
    faults: bool = setting(True, help="plant the scenario's faults")
    start: str | None = setting(
        None, help="when the story starts: ISO 8601, or a span from now such as -2h; else now, or so that it ends now"
    )
    duration: str | None = setting(
        None,
        help="how much of the story to send, such as 10m; else for ever, or the scenario's own where speed is not 1",
    )
    backfill: str = setting(
        "0s", help="history to send first, at full speed and with its own times, such as 30m; up to 24h"
    )
    speed: float = setting(1.0, help="how much faster than the clock; 0: as fast as the receiver takes it")
    connections: int = setting(16, help="connections to the receiver")
    stats: bool = setting(False, help="one line of JSON a second on stdout: what was sent so far")
    truth: Path | None = setting(
        None, help="write what this run must lead to (JSON), then send; with --dry-run, only write"
    )
    inventory: Path | None = setting(None, help="write what should be there (CSV), send nothing")
    dry_run: bool = setting(False, help="make every body, send none, and tell the rate")

    def __post_init__(self) -> None:
        settings.check(1 <= self.interval <= 3600, "interval", self.interval, "between 1 and 3600 seconds")
        settings.check(self.speed >= 0, "speed", self.speed, "0 or more")
        settings.check(1 <= self.connections <= 256, "connections", self.connections, "between 1 and 256")


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch-simulate") -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog, description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    settings.add_arguments(parser, Settings, PART)
    arguments = parser.parse_args(argv)
    return run(prog, lambda: _simulate(settings.load(Settings, PART, arguments)))


def _simulate(chosen: Settings) -> int:
    scenario = _scenario(chosen)
    if chosen.inventory is not None:
        _write(chosen.inventory, "inventory", text(inventory(scenario)))
        return 0
    pace = plan(
        now=time.time(),
        start=chosen.start,
        duration=chosen.duration,
        backfill=chosen.backfill,
        speed=chosen.speed,
        story=scenario.duration,
    )
    if chosen.truth is not None:
        length = round(scenario.duration if pace.end is None else pace.end)
        found = truth(scenario, pace.start_ns, length, pace.history)
        _write(chosen.truth, "truth", json.dumps(found.document(), indent=1) + "\n")
    if chosen.dry_run:
        print(json.dumps(dry_run(scenario, pace, chosen.interval)))
        return 0
    check_reachable(chosen.endpoint)
    sender = Sender(lambda: Connection(chosen.endpoint), chosen.connections)
    tally = Drive(scenario, pace, chosen.interval, sender, stats=chosen.stats).run()
    if tally.given_up or tally.rejected:
        raise Unavailable(
            f"{tally.given_up:,} exports were not acknowledged and {tally.rejected:,} points rejected by"
            f" {chosen.endpoint}; last: {tally.last_error}"
        )
    return 0


def _scenario(chosen: Settings) -> Scenario:
    """The scenario as the flags change it."""
    scenario = load(chosen.scenario)
    if not chosen.faults:
        scenario = dataclasses.replace(scenario, faults=())
    if chosen.factory is not None:
        scenario = only(scenario, chosen.factory)
    return scenario if chosen.nodes is None else resize(scenario, chosen.nodes)


def _write(path: Path, key: str, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"{key} = {str(path)!r} cannot be written: {error.strerror}") from error
