"""Rule files: shaped like Prometheus', with a `condition` in SQL; every mistake is named by file, line and key.

What needs no database is checked here; conditions.check asks the database the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_alerts import durations, labels, templates
from gigawatch_alerts.document import Place, read
from gigawatch_alerts.templates import Template
from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHIPPED: Final = Path(__file__).parent / "rules"
RULE_FAILED: Final = "RuleFailed"
"""The alert about a rule that fails: written by the evaluation itself."""

_FILE_KEYS: Final = ("groups",)
_GROUP_KEYS: Final = ("name", "interval", "limit", "rules")
_RULE_KEYS: Final = ("alert", "condition", "known", "for", "keep_firing_for", "labels", "annotations")
_ELSEWHERE: Final = {
    "expr": "PromQL is not read here: write the same as SQL in 'condition' (docs/alerts.md, \"From PromQL to SQL\")",
    "record": "recorded series are views of the database here: see docs/alerts.md",
}
_ALWAYS: Final = "always"
_PERCENT: Final = re.compile(r"%(?:%|\((\w*)\)(\w?)|)")
_ASIDE: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
_CLOCK: Final = re.compile(
    r"\b(now\s*\(\s*\)|\w+_timestamp\b|current_(?:date|time)\b|local(?:time|timestamp)\b)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT of a rule file, and where it stands."""

    sql: str
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One alert: what fires it, what must be known to end it, and what it says."""

    group: str
    name: str
    condition: Query
    known: Query | None
    """What can be judged now; None: the condition judges all it speaks of, whatever data is missing."""
    hold: timedelta = timedelta()
    """`for`: how long the condition must hold before the alert fires."""
    keep_firing_for: timedelta = timedelta()
    labels: Mapping[str, Template] = field(default_factory=dict[str, Template])
    annotations: Mapping[str, Template] = field(default_factory=dict[str, Template])
    templates: Mapping[str, Place] = field(default_factory=dict[str, Place], repr=False, compare=False)
    """Where each label and annotation stands."""
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rules that are evaluated together, one after the other, at one moment."""

    name: str
    interval: timedelta | None
    limit: int
    """Most alerts that a rule of the group may have at once; 0: any number."""
    rules: tuple[Rule, ...]
    place: Place = field(repr=False, compare=False)


def load(paths: Sequence[Path]) -> tuple[Group, ...]:
    """The rule groups of all files; a folder stands for the *.yaml and *.yml in it.

    Raises:
        ConfigurationError: names file, line and key of the first mistake.
    """
    groups: list[Group] = []
    names: dict[str, Place] = {}
    for path in _files(paths):
        tables = read(path).table(_FILE_KEYS)
        if "groups" not in tables:
            raise ConfigurationError(f"{path}:1: has no 'groups'")
        for place in tables["groups"].items():
            group = _group(place)
            for kind, name, where in (
                ("group", group.name, group.place),
                *(("alert", rule.name, rule.place) for rule in group.rules),
            ):
                other = names.setdefault(f"{kind} {name}", where)
                if other is not where:
                    where.refuse(f"{kind} {name!r} is already in {other.path}:{other.line}; the name must be its own")
            groups.append(group)
    return tuple(groups)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"})
        if not found:
            raise ConfigurationError(f"{path}: no rule file (*.yaml) in this folder")
        files.extend(found)
    return files


def _group(place: Place) -> Group:
    keys = place.table(_GROUP_KEYS)
    name = _required(place, keys, "name").text()
    if not name:
        keys["name"].refuse("must not be empty")
    interval = _duration(keys["interval"]) if "interval" in keys else None
    if interval == timedelta():
        keys["interval"].refuse("must be longer than 0")
    limit = keys["limit"].text() if "limit" in keys else "0"
    if not limit.isdecimal():
        keys["limit"].refuse(f"{limit!r} is not a whole number")
    rules = tuple(_rule(name, rule) for rule in _required(place, keys, "rules").items())
    return Group(name=name, interval=interval, limit=int(limit), rules=rules, place=keys["name"])


def _rule(group: str, place: Place) -> Rule:
    for key, value in place.entries():
        if key in _ELSEWHERE:
            value.refuse(_ELSEWHERE[key])
    keys = place.table(_RULE_KEYS)
    name = _required(place, keys, "alert")
    if not name.text():
        name.refuse("must not be empty")
    if name.text() == RULE_FAILED:
        name.refuse(f"{RULE_FAILED} is the alert that gigawatch writes about rules that fail: take another name")
    if "known" not in keys:
        place.refuse(
            "has no 'known': a SELECT of what can be judged now (an alert that it does not cover never resolves), "
            "or 'always' where missing data cannot hide the condition's end"
        )
    known = keys["known"]
    said = {key: _templates(keys[key]) if key in keys else {} for key in ("labels", "annotations")}
    for label, (template, where) in said["labels"].items():
        _check_label(label, template, where)
    return Rule(
        group=group,
        name=name.text(),
        condition=_query(_required(place, keys, "condition")),
        known=None if known.text().strip() == _ALWAYS else _query(known),
        hold=_duration(keys["for"]) if "for" in keys else timedelta(),
        keep_firing_for=_duration(keys["keep_firing_for"]) if "keep_firing_for" in keys else timedelta(),
        labels={label: template for label, (template, _) in said["labels"].items()},
        annotations={label: template for label, (template, _) in said["annotations"].items()},
        templates={f"{key}.{label}": where for key in said for label, (_, where) in said[key].items()},
        place=name,
    )


def _required(place: Place, keys: Mapping[str, Place], key: str) -> Place:
    if key not in keys:
        place.refuse(f"has no {key!r}")
    return keys[key]


def _duration(place: Place) -> timedelta:
    try:
        return durations.parse(place.text())
    except ValueError as error:
        place.refuse(f"{place.text()!r} is not a duration: {error}")


def _templates(place: Place) -> dict[str, tuple[Template, Place]]:
    found: dict[str, tuple[Template, Place]] = {}
    for name, value in place.entries():
        if not labels.NAME.fullmatch(name):
            value.refuse("is not a name: letters, digits and _, not a digit first")
        try:
            found[name] = templates.parse(value.text()), value
        except ValueError as error:
            value.refuse(f"bad template: {error}")
    return found


def _check_label(name: str, template: Template, place: Place) -> None:
    if name == labels.ALERTNAME:
        place.refuse("the alert's name is in 'alert'")
    if template.varies:
        place.refuse("a label tells alerts apart: what changes with each evaluation belongs in annotations")


def _query(place: Place) -> Query:
    sql = place.text().rstrip().rstrip(";").rstrip()
    if not sql:
        place.refuse("must not be empty")
    for tag in _PERCENT.finditer(sql):
        if tag[0] not in ("%%", "%(now)s"):
            line = place.first_line_of_text + sql[: tag.start()].count("\n")
            place.refuse(f"{tag[0]!r}: the only parameter is %(now)s; write %% for a percent sign", line)
    aside = _ASIDE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), sql)
    if clock := _CLOCK.search(aside):
        line = place.first_line_of_text + sql[: clock.start()].count("\n")
        place.refuse(
            f"{clock[0]} is the clock of the database: write %(now)s::timestamptz, so that a replay can set it", line
        )
    return Query(sql, place)
