from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gigawatch_contract.errors import ConfigurationError
from gigawatch_contract.resource import is_fictional, objection
from gigawatch_exporters.simulator.inventory import HEADER, inventory, text
from gigawatch_exporters.simulator.library import load, shipped
from gigawatch_exporters.simulator.scale import only, resize

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.scenario import Scenario

MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.toml"))


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_refused_with_file_table_and_key(path: Path) -> None:
    says = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
    with pytest.raises(ConfigurationError) as error:
        load(str(path))
    assert says in str(error.value)
    assert path.name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_scenario_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no scenario 'incidents'.*demo, incident"):
        load("incidents")


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenarios_have_three_fictional_factories(name: str) -> None:
    scenario = load(name)
    assert [factory.id for factory in scenario.factories] == ["sim-aurora", "sim-borealis", "sim-corona"]
    assert all(is_fictional(factory.id) and not objection(factory.id, simulated=True) for factory in scenario.factories)
    assert len({scenario.model(factory).name for factory in scenario.factories}) == 3


def test_the_demo_has_about_64_nodes_and_hurries() -> None:
    scenario = load("demo")
    assert sum(factory.layout.nodes for factory in scenario.factories) == 64
    starts = {type(fault).__name__: fault.lasts[0] for fault in scenario.faults}
    assert starts == {"Cooling": 5, "Xid": 25, "Lost": 26, "Silent": 30}


@pytest.mark.parametrize("nodes", [3, 12, 64, 1000])
def test_a_resized_scenario_has_that_many_nodes_in_the_same_factories(nodes: int) -> None:
    scenario = load("demo")
    healthy = dataclasses.replace(scenario, faults=())
    resized = resize(healthy, nodes)
    assert sum(factory.layout.nodes for factory in resized.factories) == nodes
    assert [factory.id for factory in resized.factories] == [factory.id for factory in scenario.factories]


def test_a_fleet_too_small_for_its_faults_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"demo on 6 nodes: \[\[fault\]\] 1: rack: sim-aurora has no rack 'r02'"
    ):
        resize(load("demo"), 6)


def test_fewer_nodes_than_factories_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="3 factories need at least one node each"):
        resize(load("demo"), 2)


def test_one_factory_keeps_its_own_jobs_and_faults() -> None:
    alone = only(load("incident"), "sim-borealis")
    assert [factory.id for factory in alone.factories] == ["sim-borealis"]
    assert alone.faults == ()
    assert len(only(load("incident"), "sim-aurora").faults) == 4


def test_an_unknown_factory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no factory 'sim-x'; it has: sim-aurora"):
        only(load("incident"), "sim-x")


def test_the_inventory_lists_each_node_once(incident: Scenario) -> None:
    nodes = inventory(incident)
    assert len({(node.factory_id, node.host_name) for node in nodes}) == len(nodes) == 36
    assert sum(node.accelerators for node in nodes) == 16 * 8 + 12 * 4 + 8 * 4
    assert {node.rack for node in nodes if node.factory_id == "sim-aurora"} == {"r01", "r02", "r03", "r04"}


def test_the_inventory_is_csv_with_a_header(tiny: Scenario) -> None:
    lines = text(inventory(tiny)).splitlines()
    assert lines[0] == ",".join(HEADER) == "factory_id,host_name,rack,accelerators,model"
    assert lines[1] == "sim-tiny,tiny-r01n01,r01,2,NVIDIA H100 80GB HBM3"
    assert len(lines) == 5


def test_names_lead_back_to_their_node(tiny: Scenario) -> None:
    layout = tiny.factories[0].layout
    for node in range(layout.nodes):
        assert layout.find(layout.local_name(node)) == layout.find(layout.host_name(node)) == node
    assert layout.find("r01n03") is layout.find("r00n01") is layout.find("r01n00") is layout.find("node1") is None
