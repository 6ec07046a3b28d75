"""`python -m gigawatch_contract.docs` writes docs/metrics.md: the contract as a page for people, checked by a test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_contract import command
from gigawatch_contract.errors import GigawatchError
from gigawatch_contract.events import EVENTS, SEVERITY_NUMBER
from gigawatch_contract.metrics import METRICS, SCHEMA_URL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE: Final = Path("docs/metrics.md")
INTRODUCTION: Final = f"""\
# Metrics and events

<!-- Written by `make docs` from gigawatch_contract/metrics.py and events.py: change those, not this page. -->

What Gigawatch reads from accelerators and nodes, and where it is kept. Names under `hw.` and their units are
OpenTelemetry's (<{SCHEMA_URL}>); names under `gigawatch.` are ours.
A reading that a device does not give is left out: missing is never zero.

The attributes are those that tell the series of one name apart. Each point of an accelerator also carries `hw.id`; a
node is named by the resource's `host.name`. The column is that of the tables and of the views `accelerator_reading` and
`node_reading`.
"""


def page() -> str:
    """The text of docs/metrics.md."""
    metrics = (
        (
            f"`{metric.name}`",
            f"`{metric.unit}`",
            metric.kind,
            " ".join(f"`{name}={value}`" for name, value in metric.attributes),
            f"`{metric.table}_sample.{metric.column}`",
            metric.type,
            metric.description,
        )
        for metric in METRICS
    )
    events = (
        (f"`{event.name}`", f"{event.severity} ({SEVERITY_NUMBER[event.severity]})", event.description)
        for event in EVENTS
    )
    return "\n".join(
        (
            INTRODUCTION,
            *_table(("name", "unit", "kind", "attributes", "column", "type", "description"), metrics),
            "",
            "## Events",
            "",
            "OTLP log records, kept in the table `event`.",
            "",
            *_table(("name", "severity (OTLP number)", "description"), events),
            "",
        )
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def main() -> int:
    """Write the page in the checkout that is the working directory."""

    def write() -> None:
        try:
            PAGE.write_text(page(), "utf-8")
        except OSError as error:
            raise GigawatchError(f"{PAGE}: {error.strerror}: run this in the root of a checkout") from error

    return command.run("python -m gigawatch_contract.docs", write)


if __name__ == "__main__":
    sys.exit(main())
