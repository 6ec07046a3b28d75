"""A CSV file that a person edited, or that came from anywhere: bytes and columns in, typed rows or problems out.

Nothing here touches a file or a database. What is refused is told by file, row and column, all of it at once; the row
is the one that a spreadsheet shows (the header is row 1). An empty cell is None, which means "not disclosed".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gigawatch_contract.errors import GigawatchError
from gigawatch_programme.cells import Kind, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 16 * 1024 * 1024
SHOWN_PROBLEMS: Final = 50

Values = Mapping[str, Any]
"""A row's values by field."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file is refused, and where."""

    file: str
    message: str
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        """`capacity.csv: row 7, column as_of: "2026-13-01" is not a date (YYYY-MM-DD)`."""
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row}" + (f", column {self.column}" if self.column else ""))
        return f"{': '.join(place)}: {self.message}"


class Refused(GigawatchError):  # noqa: N818 - reads as what happened
    """Files with problems. The message lists them by file, row and column; nothing of them was imported."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = [f"nothing was imported: {len(problems)} problem{'s' if len(problems) > 1 else ''}"]
        lines += [f"  {problem}" for problem in problems[:SHOWN_PROBLEMS]]
        if len(problems) > SHOWN_PROBLEMS:
            lines.append(f"  and {len(problems) - SHOWN_PROBLEMS} more")
        super().__init__("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file."""

    name: str
    kind: Kind
    required: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The names under which its value is kept: a date that may be a month or a year also has a precision."""
        return tuple(self.name + suffix for suffix in self.kind.suffixes)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the file, and its values by field."""

    number: int
    values: Values


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds. The rows are whole and typed only where there is no problem."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def read(file: str, body: bytes, columns: Sequence[Column], unique: Sequence[str] = ()) -> Table:
    """The rows of a CSV file. `unique` names the columns that together may come only once."""
    try:
        text = decode(body)
        records = list(_records(text))
        positions = _positions(records, columns)
    except ValueError as error:
        return Table((), (Problem(file, str(error)),))
    rows: list[Row] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, ...], int] = {}
    for number, cells in records[1:]:
        if not any(cells):
            continue  # spreadsheets save empty rows at the end
        if len(cells) != len(columns):
            problems.append(Problem(file, f"has {len(cells)} cells, the header has {len(columns)}", number))
            continue
        named = {name: cells[position] for name, position in positions.items()}
        key = tuple(named[name] for name in unique) if unique else tuple(cells)
        if key in seen:
            what = "the whole row" if not unique else " and ".join(f'{name} "{shown(named[name])}"' for name in unique)
            problems.append(Problem(file, f"{what} is already in row {seen[key]}", number))
        seen.setdefault(key, number)
        values: dict[str, Any] = {}
        for column in columns:
            try:
                values.update(_values(column, named[column.name]))
            except ValueError as error:
                problems.append(Problem(file, str(error), number, column.name))
        rows.append(Row(number, values))
    return Table(tuple(rows), tuple(problems))


def decode(body: bytes) -> str:
    """The text of a CSV file: UTF-8, with or without a byte order mark.

    Raises:
        ValueError: it is too large, or not UTF-8, or something else than CSV.
    """
    if len(body) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES // 1024**2} MB")
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError('is UTF-16, not UTF-8: save it as "CSV UTF-8"')
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f'is not UTF-8 (line {line}, byte 0x{body[error.start]:02x}): save it as "CSV UTF-8"'
        ) from None
    if not text.strip():
        raise ValueError("is empty")
    if text.lstrip()[:1] == "<":
        raise ValueError("is a web page, not CSV: perhaps a login or error page that was saved under this name")
    if "\0" in text:
        raise ValueError(f"holds a NUL byte (line {text.count(chr(10), 0, text.index(chr(0))) + 1}): not a text file")
    return text


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    try:
        for cells in reader:
            number += 1
            yield number, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise ValueError(f"row {number + 1}: {error}") from None


def _positions(records: list[tuple[int, list[str]]], columns: Sequence[Column]) -> dict[str, int]:
    """Where each column stands, by the header. Their order is free."""
    header = records[0][1]
    known = [column.name for column in columns]
    if len(header) == 1 and len(known) > 1 and (found := next((mark for mark in ";\t|" if mark in header[0]), None)):
        raise ValueError(f"is separated by {found!r}: use commas")
    wrong = [
        f'column "{shown(name)}" is twice in the header' for name in dict.fromkeys(header) if header.count(name) > 1
    ]
    wrong += [f'column "{shown(name)}" is not known' for name in dict.fromkeys(header) if name not in known]
    wrong += [f'column "{name}" is missing' for name in known if name not in header]
    if wrong:
        raise ValueError(f"{'; '.join(wrong[:10])}. The columns are: {', '.join(known)}")
    return {name: header.index(name) for name in known}


def _values(column: Column, cell: str) -> Values:
    if not cell:
        if column.required:
            raise ValueError("is empty")
        return dict.fromkeys(column.fields, column.kind.empty)
    value = column.kind.parse(cell)
    return dict(zip(column.fields, value if isinstance(value, tuple) else (value,), strict=True))
