"""A scenario made smaller or larger."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.simulator.checks import check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gigawatch_exporters.simulator.scenario import Factory, Job, Scenario


def only(scenario: Scenario, factory_id: str) -> Scenario:
    """The same story with one of its factories."""
    factories = tuple(factory for factory in scenario.factories if factory.id == factory_id)
    if not factories:
        known = ", ".join(factory.id for factory in scenario.factories)
        raise ConfigurationError(f"scenario {scenario.name} has no factory {factory_id!r}; it has: {known}")
    return dataclasses.replace(
        scenario,
        factories=factories,
        jobs=tuple(job for job in scenario.jobs if job.factory == factory_id),
        mixes=tuple(mix for mix in scenario.mixes if mix.factory == factory_id),
        faults=tuple(fault for fault in scenario.faults if fault.factory == factory_id),
    )


def resize(scenario: Scenario, nodes: int) -> Scenario:
    """The same story on `nodes` nodes in all, shared between its factories as before; at least one each."""
    sizes = [factory.layout.nodes for factory in scenario.factories]
    if nodes < len(sizes):
        raise ConfigurationError(f"--nodes {nodes}: {len(sizes)} factories need at least one node each")
    shares = [max(1, nodes * size // sum(sizes)) for size in sizes]
    while sum(shares) > nodes:
        shares[shares.index(max(shares))] -= 1
    for index in range(nodes - sum(shares)):
        shares[index % len(shares)] += 1
    factories = tuple(
        dataclasses.replace(factory, nodes=share, racks=-(-share // factory.nodes_per_rack))
        for factory, share in zip(scenario.factories, shares, strict=True)
    )
    resized = dataclasses.replace(scenario, factories=factories, jobs=tuple(_shrink(scenario.jobs, factories)))
    return check(resized, f"{scenario.name} on {nodes} nodes")


def _shrink(jobs: Iterable[Job], factories: Iterable[Factory]) -> Iterable[Job]:
    """The jobs on the nodes that are left of them."""
    layouts = {factory.id: factory.layout for factory in factories}
    for job in jobs:
        layout = layouts[job.factory]
        racks = tuple(name for name in job.racks if layout.rack_nodes(name))
        nodes = tuple(name for name in job.nodes if layout.find(name) is not None)
        if racks or nodes:
            yield dataclasses.replace(job, racks=racks, nodes=nodes)
