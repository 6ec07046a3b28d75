"""Whether the parts of a scenario fit together; every refusal names file, table and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gigawatch_contract import resource
from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.simulator.faults import Cooling, Fault, on_accelerator
from gigawatch_exporters.simulator.scenario import USER_CLASSES, Job, Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gigawatch_exporters.simulator.layout import Layout


def check(scenario: Scenario, place: str) -> Scenario:
    """The scenario, when its parts fit together.

    Raises:
        ConfigurationError: they do not.
    """
    if not scenario.factories:
        raise ConfigurationError(f"{place}: there is no [[factory]]")
    layouts: dict[str, Layout] = {}
    for number, factory in enumerate(scenario.factories, start=1):
        where = f"{place}: [[factory]] {number}"
        if not resource.is_fictional(factory.id) or resource.objection(factory.id, simulated=True):
            raise ConfigurationError(
                f"{where}: id = {factory.id!r}: a simulated factory is called 'sim-…' (a-z, 0-9, -)"
            )
        if factory.id in layouts:
            raise ConfigurationError(f"{where}: id = {factory.id!r} is there twice")
        if factory.model not in scenario.models:
            known = ", ".join(scenario.models)
            raise ConfigurationError(f"{where}: model = {factory.model!r} is not one of: {known}")
        if factory.nodes > factory.racks * factory.nodes_per_rack:
            raise ConfigurationError(f"{where}: nodes = {factory.nodes} do not fit in {factory.racks} racks")
        layouts[factory.id] = factory.layout
    _check_jobs(scenario, layouts, place)
    _check_mixes(scenario, layouts, place)
    for number, fault in enumerate(scenario.faults, start=1):
        _check_fault(fault, layouts, f"{place}: [[fault]] {number}")
    return scenario


def _check_jobs(scenario: Scenario, layouts: Mapping[str, Layout], place: str) -> None:
    held: dict[tuple[str, int], list[tuple[float, float, str]]] = {}
    for number, job in enumerate(scenario.jobs, start=1):
        where = f"{place}: [[job]] {number}"
        layout = _layout(job.factory, layouts, where)
        _check_user_class(job.user_class, where, "user_class")
        if job.end <= job.start:
            raise ConfigurationError(f"{where}: end = {job.end:g} s is not after start = {job.start:g} s")
        for node in job_nodes(job, layout, where):
            for start, end, other in held.setdefault((job.factory, node), []):
                if job.start < end and start < job.end:
                    name = layout.local_name(node)
                    raise ConfigurationError(f"{where}: {job.name!r} and {other!r} hold node {name} at the same time")
            held[job.factory, node].append((job.start, job.end, job.name))


def _check_mixes(scenario: Scenario, layouts: Mapping[str, Layout], place: str) -> None:
    mixed: set[str] = set()
    for number, mix in enumerate(scenario.mixes, start=1):
        where = f"{place}: [[mix]] {number}"
        _layout(mix.factory, layouts, where)
        if mix.factory in mixed:
            raise ConfigurationError(f"{where}: factory = {mix.factory!r} has a mix already")
        mixed.add(mix.factory)
        if not mix.user_classes:
            raise ConfigurationError(f"{where}: user_classes is empty")
        for user_class in mix.user_classes:
            _check_user_class(user_class, where, "user_classes")
        for name in ("nodes", "length", "intensity"):
            low, high = getattr(mix, name)
            if low > high:
                raise ConfigurationError(f"{where}: {name} = [{low:g}, {high:g}]: the lowest comes first")


def job_nodes(job: Job, layout: Layout, where: str) -> list[int]:
    """The nodes, by index, that a job holds."""
    if not (job.racks or job.nodes):
        raise ConfigurationError(f"{where}: {job.name!r} names neither racks nor nodes")
    found: list[int] = []
    for rack in job.racks:
        nodes = layout.rack_nodes(rack)
        if not nodes:
            raise ConfigurationError(f"{where}: racks: {job.factory} has no rack {rack!r}; {layout.hint}")
        found.extend(nodes)
    found.extend(_node(name, layout, f"{where}: nodes") for name in job.nodes)
    return found


def _check_fault(fault: Fault, layouts: Mapping[str, Layout], where: str) -> None:
    layout = _layout(fault.factory, layouts, where)
    if isinstance(fault, Cooling):
        if not layout.rack_nodes(fault.rack):
            raise ConfigurationError(f"{where}: rack: {fault.factory} has no rack {fault.rack!r}; {layout.hint}")
    else:
        _node(fault.node, layout, f"{where}: node")
    if on_accelerator(fault) and fault.accelerator >= layout.accelerators_per_node:
        count = layout.accelerators_per_node
        raise ConfigurationError(f"{where}: accelerator = {fault.accelerator}: a node has 0 to {count - 1}")
    start, end = fault.lasts
    if end < start:
        raise ConfigurationError(f"{where}: end = {end:g} s is before start = {start:g} s")


def _node(name: str, layout: Layout, where: str) -> int:
    found = layout.find(name)
    if found is None:
        raise ConfigurationError(f"{where}: {layout.factory} has no node {name!r}; {layout.hint}")
    return found


def _layout(factory: str, layouts: Mapping[str, Layout], where: str) -> Layout:
    if factory not in layouts:
        raise ConfigurationError(f"{where}: factory = {factory!r} is not one of: {', '.join(layouts)}")
    return layouts[factory]


def _check_user_class(name: str, where: str, word: str) -> None:
    if name not in USER_CLASSES:
        raise ConfigurationError(f"{where}: {word}: {name!r} is not one of: {', '.join(USER_CLASSES)}")
