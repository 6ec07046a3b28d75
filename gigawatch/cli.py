"""`gigawatch COMMAND …`: one command on top; each part brings its own."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Command:
    """A subcommand: where its `main(argv, prog) -> int` is, and what it does in a line."""

    target: str
    summary: str


COMMANDS = {
    "demo": Command("gigawatch.demo.cli:main", "everything on this machine, live, with a simulated incident"),
    "exporter": Command("gigawatch_exporters.cli:main", "read this node's accelerators, serve and send what they say"),
    "collector": Command("gigawatch_collector.cli:main", "receive OTLP and store it"),
    "migrate": Command("gigawatch_database.cli:migrate", "bring the database's schema up to date"),
    "database": Command("gigawatch_database.cli:main", "the embedded server: start, stop, where it is, which grade"),
    "storage": Command(
        "gigawatch_database.storage.cli:main", "rollups and retention: how long data is kept, how long the disk lasts"
    ),
    "simulate": Command("gigawatch_exporters.simulator.cli:main", "send the telemetry of a simulated fleet"),
    "programme": Command("gigawatch_programme.cli:main", "the registry of factories: what was promised, with sources"),
    "inventory": Command("gigawatch_programme.inventory.cli:main", "what should be there, against what is seen"),
    "jobs": Command("gigawatch_programme.jobs.cli:main", "which accelerators which job held when, from accounting"),
    "dashboards": Command("gigawatch_dashboards.cli:main", "serve the pages"),
    "alerts": Command("gigawatch_alerts.cli:main", "evaluate rules and deliver alerts"),
}


def usage() -> str:
    """What `gigawatch --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        (
            "usage: gigawatch COMMAND [OPTIONS]",
            "",
            "The observatory of the EU AI factories: what was promised, what is there, what it delivers.",
            "",
            "commands:",
            *lines,
            "",
            "`gigawatch COMMAND --help` tells more of each. Start with `gigawatch demo`.",
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in {"-h", "--help", "help"}:
        print(usage())
        return 0 if words else 2
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        print(f"gigawatch: there is no command {name!r}; `gigawatch --help` lists them", file=sys.stderr)
        return 2
    module, _, function = COMMANDS[name].target.partition(":")
    return getattr(importlib.import_module(module), function)(rest, prog=f"gigawatch {name}")
