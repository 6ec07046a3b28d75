"""Scenarios as files: those that ship, and those that a person writes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from gigawatch_contract import metrics
from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.simulator.checks import check
from gigawatch_exporters.simulator.document import key, read, tables, time_key
from gigawatch_exporters.simulator.faults import FAULTS, Fault
from gigawatch_exporters.simulator.scenario import Factory, Job, Mix, Model, Scenario

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_PACKAGE: Final = files("gigawatch_exporters.simulator")
_ACCELERATOR_COLUMNS: Final = frozenset(metric.column for metric in metrics.columns("accelerator"))


_TABLES: Final = frozenset({"factory", "job", "mix", "fault", "model"})


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
    head = read(_Head, {word: value for word, value in document.items() if word not in _TABLES}, place)
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


def _fault(table: dict[str, Any], where: str) -> Fault:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in FAULTS:
        raise ConfigurationError(f"{where}: kind = {kind!r} is not one of: {', '.join(FAULTS)}")
    return read(FAULTS[kind], {word: value for word, value in table.items() if word != "kind"}, where)


def _models(document: Any, place: str) -> dict[str, Model]:
    """The models that ship, and those that the file states itself."""
    if not isinstance(document, dict):
        raise ConfigurationError(f"{place}: model must be tables: [model.NAME]")
    own = cast("dict[str, Any]", document)
    found = {name: _model(table, f"models.toml: [{name}]") for name, table in _toml(_PACKAGE / "models.toml").items()}
    return found | {name: _model(table, f"{place}: [model.{name}]") for name, table in own.items()}


def _model(table: Any, where: str) -> Model:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} must be a table")
    model = read(Model, cast("dict[str, Any]", table), where)
    for column in model.unsupported:
        if column not in _ACCELERATOR_COLUMNS:
            raise ConfigurationError(f"{where}: unsupported: the contract has no column {column!r}")
    if not model.power_idle < model.power_max or not model.power_min <= model.power_max:
        raise ConfigurationError(f"{where}: power_max = {model.power_max:g} W is not the highest")
    return model


def _toml(path: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path.name} is not TOML: {error}") from error


def _is_path(name: str) -> bool:
    return name.endswith(".toml") or "/" in name
