"""A scenario: fictional factories, their jobs, and the faults planted in them; read from TOML, checked whole."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping  # noqa: TC003 - read by get_type_hints
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gigawatch_contract import metrics, resource
from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.simulator.document import key, read, tables, time_key
from gigawatch_exporters.simulator.faults import FAULTS, Cooling, Fault, on_accelerator
from gigawatch_exporters.simulator.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable

USER_CLASSES: Final = ("startup", "sme", "industry", "research", "public")
_PACKAGE: Final = files("gigawatch_exporters.simulator")
_ACCELERATOR_COLUMNS: Final = frozenset(metric.column for metric in metrics.columns("accelerator"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """An accelerator model: what it has, and what it cannot tell."""

    name: str
    memory: int = key(low=1 << 30)
    power_idle: float = key(low=1)
    power_min: float = key(low=1)
    power_max: float = key(low=2)
    sm_clock: int = key(low=100)
    sm_clock_idle: int = key(low=100)
    memory_clock: int = key(low=100)
    nvlink_rate: float = key(low=0)
    """Bytes per second and direction, all links; 0: it has none, and says nothing of NVLink."""
    pcie_rate: float = key(low=1e9)
    thermal_resistance: float = key(0.054, low=0.001, high=1)
    """Kelvin of the die above the coolant, per watt."""
    thermal_lag: float = time_key(8.0, low=1, high=600)
    """Time in which the die covers 63 % of a step in temperature."""
    slowdown_temperature: float = key(84.0, low=50, high=120)
    """Degrees at which the driver starts to hold clocks down."""
    limit_temperature: float = key(90.0, low=50, high=120)
    """Degrees at which the hardware halves the clock."""
    unsupported: tuple[str, ...] = ()
    """Columns of the contract that this model has no reading for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Factory:
    """A fictional factory: racks of equal nodes of one model."""

    id: str
    model: str
    racks: int = key(low=1, high=9999)
    nodes_per_rack: int = key(low=1, high=99)
    accelerators_per_node: int = key(low=1, high=16)
    coolant: float = key(26.0, low=5, high=60)
    """Degrees of the coolant (water or air) that reaches the racks."""
    nodes: int = key(0, low=0)
    """Nodes in all, when the last rack is not full; 0: every rack is full."""

    @property
    def layout(self) -> Layout:
        """Where its nodes and accelerators are, and what they are called."""
        nodes = self.nodes or self.racks * self.nodes_per_rack
        return Layout(self.id, nodes, self.nodes_per_rack, self.accelerators_per_node)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job that the scenario names: it holds its nodes from start to end, and goes on without a node that breaks."""

    name: str
    factory: str
    user_class: str
    racks: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    start: float = time_key(-math.inf)
    end: float = time_key(math.inf)
    intensity: float = key(0.92, low=0, high=1)
    """Share of the accelerator's power range that its compute phase asks for."""
    memory: float = key(0.8, low=0, high=1)
    """Share of the accelerator's memory that it holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """Jobs drawn at random, by the scenario's seed, on every node that no named job uses."""

    factory: str
    user_classes: tuple[str, ...] = USER_CLASSES
    occupancy: float = key(0.9, low=0, high=1)
    nodes: tuple[int, int] = key((1, 4), low=1, high=9999)
    length: tuple[float, float] = time_key((1200.0, 14400.0), low=60)
    intensity: tuple[float, float] = key((0.55, 0.95), low=0, high=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A whole story. Its times are seconds from its start."""

    name: str
    title: str
    seed: int
    duration: float
    models: Mapping[str, Model]
    factories: tuple[Factory, ...]
    jobs: tuple[Job, ...] = ()
    mixes: tuple[Mix, ...] = ()
    faults: tuple[Fault, ...] = ()

    def model(self, factory: Factory) -> Model:
        """The accelerator model of a factory."""
        return self.models[factory.model]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Head:
    """The keys of a scenario file outside its tables."""

    title: str
    seed: int = key(low=0, high=2**63)
    duration: float = time_key(low=1)


def load(name: str) -> Scenario:
    """A scenario that ships (`incident`, `demo`) or a TOML file, checked.

    Raises:
        ConfigurationError: the file cannot be read, or says something impossible; names file, table and key.
    """
    path: Traversable = Path(name) if _is_path(name) else _PACKAGE / "scenarios" / f"{name}.toml"
    if not path.is_file():
        raise ConfigurationError(f"there is no scenario {name!r}: give a file, or one of {', '.join(shipped())}")
    document, place = _toml(path), path.name
    lists = {"factory", "job", "mix", "fault"}
    head = read(_Head, {word: value for word, value in document.items() if word not in {*lists, "model"}}, place)
    models = _models(document.get("model", {}), place)
    scenario = Scenario(
        name=path.name.removesuffix(".toml"),
        title=head.title,
        seed=head.seed,
        duration=head.duration,
        models=models,
        factories=tuple(read(Factory, table, where) for where, table in tables(document, "factory", place)),
        jobs=tuple(read(Job, table, where) for where, table in tables(document, "job", place)),
        mixes=tuple(read(Mix, table, where) for where, table in tables(document, "mix", place)),
        faults=tuple(_fault(table, where) for where, table in tables(document, "fault", place)),
    )
    return check(scenario, place)


def shipped() -> list[str]:
    """The names of the scenarios that ship."""
    entries = (_PACKAGE / "scenarios").iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


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


def _fault(table: dict[str, Any], where: str) -> Fault:
    kind = table.get("kind")
    if kind not in FAULTS:
        raise ConfigurationError(f"{where}: kind = {kind!r} is not one of: {', '.join(FAULTS)}")
    return read(FAULTS[kind], {word: value for word, value in table.items() if word != "kind"}, where)


def _models(document: Any, place: str) -> dict[str, Model]:
    """The models that ship, and those that the file states itself."""
    if not isinstance(document, dict):
        raise ConfigurationError(f"{place}: model must be tables: [model.NAME]")
    shipped_models = _toml(_PACKAGE / "models.toml")
    found = {name: read(Model, table, f"models.toml: [{name}]") for name, table in shipped_models.items()}
    for name, table in document.items():  # pyright: ignore[reportUnknownVariableType] - TOML is checked by `read`
        where = f"{place}: [model.{name}]"
        if not isinstance(table, dict):
            raise ConfigurationError(f"{where} must be a table")
        found[str(name)] = model = read(Model, table, where)  # pyright: ignore[reportUnknownArgumentType]
        for column in model.unsupported:
            if column not in _ACCELERATOR_COLUMNS:
                raise ConfigurationError(f"{where}: unsupported: the contract has no column {column!r}")
        if not model.power_idle < model.power_max or not model.power_min <= model.power_max:
            raise ConfigurationError(f"{where}: power_max = {model.power_max:g} W is not the highest")
    return found


def _toml(path: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path.name} is not TOML: {error}") from error


def _is_path(name: str) -> bool:
    return name.endswith(".toml") or "/" in name
