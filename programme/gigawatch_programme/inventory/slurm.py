"""Nodes as Slurm tells them: the output of `scontrol show nodes`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gigawatch_programme import table
from gigawatch_programme.cells import shown
from gigawatch_programme.inventory.nodes import Node
from gigawatch_programme.inventory.states import Said
from gigawatch_programme.table import Problem, Refused

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from gigawatch_programme.inventory.states import State

_NAME: Final = re.compile(r"^NodeName=", re.MULTILINE)
_FIELD: Final = re.compile(r"(?:^|\s)([A-Z][A-Za-z]*)=(\S*)")
_REASON: Final = re.compile(
    r"(?:^|\s)Reason=(.*?)(?: \[[^\[\]]*@([0-9T:-]+)\])?\s*(?:\s[A-Z][A-Za-z]*=|$)", re.MULTILINE
)
_GPU: Final = re.compile(r"gpu(?::([A-Za-z0-9_.-]*[A-Za-z_.-][A-Za-z0-9_.-]*))?:([0-9]{1,4})(?:\([^)]*\))?")
_DRAINED: Final = frozenset({"DRAIN", "DRAINED", "DRAINING", "FAIL", "FAILING", "MAINT"})


@dataclass(frozen=True, slots=True)
class Told:
    """What Slurm tells: the nodes, and their states."""

    nodes: tuple[Node, ...]
    states: tuple[Said, ...]


def read(file: str, body: bytes, factory: str, current: Mapping[str, Node], now: dt.datetime) -> Told:
    """The nodes of `scontrol show nodes`. Slurm knows no racks: those of the inventory in force stay.

    Raises:
        Refused: with every problem found.
    """
    try:
        text = table.decode(body)
    except ValueError as error:
        raise Refused((Problem(file, str(error)),)) from None
    starts = [found.start() for found in _NAME.finditer(text)]
    if not starts or text[: starts[0]].strip():
        raise Refused((Problem(file, "is not the output of `scontrol show nodes`: NodeName=… is missing"),))
    nodes: dict[str, Node] = {}
    states: list[Said] = []
    problems: list[Problem] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        block = text[start:end]
        row = text.count("\n", 0, start) + 1
        fields = dict(_FIELD.findall(block))
        name = fields["NodeName"]
        if name in nodes:
            problems.append(Problem(file, f'"{shown(name)}" is already there', row, "NodeName"))
        try:
            model, count = accelerators(fields.get("Gres", ""))
        except ValueError as error:
            problems.append(Problem(file, str(error), row, "Gres"))
            continue
        if "State" not in fields:
            problems.append(Problem(file, "is missing", row, "State"))
            continue
        before = current.get(name)
        nodes[name] = Node(
            factory, name, before.rack if before else None, count, before.model if before and before.model else model
        )
        states.append(_said(name, state(fields["State"]), block, now))
    if problems:
        raise Refused(tuple(problems))
    return Told(tuple(nodes.values()), tuple(states))


def state(text: str) -> State:
    """Our word for Slurm's: `IDLE+DRAIN` is drained, `DOWN*` is down; what drained and then died is drained."""
    words = {re.sub(r"[^A-Z_]", "", word) for word in text.upper().split("+")}
    if words & _DRAINED:
        return "drained"
    return "down" if words & {"DOWN", "POWERED_DOWN", "FUTURE", "UNKNOWN"} else "up"


def accelerators(gres: str) -> tuple[str | None, int]:
    """Model and number of `gpu:h100:8(S:0-1)`; other resources count nothing.

    Raises:
        ValueError: it names GPUs in a form that is not known.
    """
    models: list[str] = []
    total = 0
    for part in re.split(r",(?![^(]*\))", gres):
        if not part.startswith("gpu"):
            continue
        found = _GPU.fullmatch(part)
        if found is None:
            raise ValueError(f'"{shown(part)}" is not of the form gpu:MODEL:NUMBER')
        models += [found[1]] if found[1] else []
        total += int(found[2])
    return (models[0] if len(set(models)) == 1 else None), total


def _said(name: str, word: State, block: str, now: dt.datetime) -> Said:
    found = _REASON.search(block)
    if word == "up":
        return Said(name, word, None, now)
    # Slurm writes local time without a zone: a reason's time is kept only as what was said, never as an excuse.
    reason = found[1].strip() if found else ""
    return Said(name, word, reason or f"Slurm says {word}", now)
