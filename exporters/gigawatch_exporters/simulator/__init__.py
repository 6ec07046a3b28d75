"""A fleet of simulated nodes: a scenario, its physics, its faults and its truth; needs the extra [simulator]."""

from gigawatch_exporters.simulator.fleet import bodies
from gigawatch_exporters.simulator.inventory import InventoryNode, inventory
from gigawatch_exporters.simulator.library import load
from gigawatch_exporters.simulator.scenario import Scenario
from gigawatch_exporters.simulator.source import node_source

__all__ = ["InventoryNode", "Scenario", "bodies", "inventory", "load", "node_source"]
