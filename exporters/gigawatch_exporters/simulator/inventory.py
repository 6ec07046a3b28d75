"""What should be there: the nodes of a scenario, for the programme's inventory."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.scenario import Scenario

HEADER: Final = ("factory_id", "host_name", "rack", "accelerators", "model")


@dataclass(frozen=True, slots=True)
class InventoryNode:
    """One node that should be there."""

    factory_id: str
    host_name: str
    rack: str
    accelerators: int
    model: str


def inventory(scenario: Scenario) -> list[InventoryNode]:
    """Every node of every factory."""
    return [
        InventoryNode(
            factory.id,
            factory.layout.host_name(node),
            factory.layout.rack(node),
            factory.accelerators_per_node,
            scenario.model(factory).name,
        )
        for factory in scenario.factories
        for node in range(factory.layout.nodes)
    ]


def text(nodes: list[InventoryNode]) -> str:
    """The nodes as CSV with a header."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(astuple(node) for node in nodes)
    return file.getvalue()
