"""The registry as files: read and judged as a whole, so that nothing of it is imported unless all of it can be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from gigawatch_programme import table
from gigawatch_programme.sheets import SHEETS, Sheet
from gigawatch_programme.table import Problem, Refused, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

SHIPPED: Final = files("gigawatch_programme") / "data"


@dataclass(frozen=True, slots=True)
class Registry:
    """The rows of every file, and the SHA-256 of each file by its name."""

    rows: Mapping[str, tuple[Row, ...]]
    sha256: Mapping[str, str]


def load(folder: Traversable = SHIPPED) -> Registry:
    """Read and judge the registry's files.

    Raises:
        Refused: a file is missing, unreadable or wrong.
    """
    bodies: dict[str, bytes] = {}
    problems: list[Problem] = []
    for sheet in SHEETS:
        try:
            with (folder / sheet.file).open("rb") as stream:
                bodies[sheet.file] = stream.read(table.MAX_BYTES + 1)
        except OSError as error:
            problems.append(Problem(sheet.file, f"{error.strerror} ({folder})"))
    if problems:
        raise Refused(tuple(problems))
    return judge(bodies)


def judge(bodies: Mapping[str, bytes]) -> Registry:
    """The registry from the bytes of its files.

    Raises:
        Refused: with every problem found.
    """
    tables = {sheet.file: table.read(sheet.file, bodies[sheet.file], sheet.columns, sheet.unique) for sheet in SHEETS}
    problems = [problem for found in tables.values() for problem in found.problems]
    if not problems:  # what compares rows needs them whole
        rows = {file: found.rows for file, found in tables.items()}
        problems = [problem for sheet in SHEETS for problem in _breaches(sheet, rows)]
    if problems:
        raise Refused(tuple(problems))
    return Registry(
        {file: found.rows for file, found in tables.items()},
        {file: hashlib.sha256(body).hexdigest() for file, body in bodies.items()},
    )


def _breaches(sheet: Sheet, rows: Mapping[str, tuple[Row, ...]]) -> Iterator[Problem]:
    """What breaks a rule of the sheet, or names a factory or system that is not in the registry."""
    factories = {row.values["factory_id"] for row in rows["factories.csv"]}
    systems = {(row.values["factory_id"], row.values["system"]) for row in rows["systems.csv"]}
    for row in rows[sheet.file]:
        for rule in sheet.rules:
            for column, message in rule(row.values):
                yield Problem(sheet.file, message, row.number, column)
        for column in ("factory_id", "linked_factories"):
            named = row.values.get(column) or []
            for factory in [named] if isinstance(named, str) else named:
                if factory not in factories:
                    yield Problem(sheet.file, f'"{factory}" is not in factories.csv', row.number, column)
        if sheet.file == "capacity.csv" and (row.values["factory_id"], row.values["system"]) not in systems:
            message = f'"{row.values["system"]}" of {row.values["factory_id"]} is not in systems.csv'
            yield Problem(sheet.file, message, row.number, "system")
