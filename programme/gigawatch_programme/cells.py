"""What a cell may hold: each kind turns text into a value, or says in a sentence why not.

A text may not start with `=`, `+`, `-` or `@`: a spreadsheet would run it as a formula, and no fact needs to start so.
It is refused rather than escaped, because a value that changes on its way through the registry is no evidence.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TEXT: Final = 2_000
YEARS: Final = range(1990, 2101)
"""A year outside is a misprint; copies of news pages with scrambled digits are about."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a cell may hold. `parse` raises ValueError with a sentence; its value fills one field for each suffix."""

    parse: Callable[[str], Any]
    suffixes: tuple[str, ...] = ("",)
    empty: Any = None


def shown(cell: str) -> str:
    """A cell as a message may show it: short, and without what a terminal would obey."""
    safe = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cell[:60])
    return safe + ("…" if len(cell) > 60 else "")


def _text(cell: str) -> str:
    if cell[0] in "=+-@":
        raise ValueError(f'"{shown(cell)}" starts with {cell[0]!r}: a spreadsheet would run it as a formula')
    for character in cell:
        if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}:
            raise ValueError(f"holds an invisible character (U+{ord(character):04X}) or a line break")
    if len(cell) > MAX_TEXT:
        raise ValueError(f"has {len(cell)} characters: at most {MAX_TEXT}")
    return cell


def _list(cell: str) -> list[str]:
    return [_text(part.strip()) for part in cell.split(";") if part.strip()]


def _number(cell: str, pattern: str, wanted: str) -> Decimal:
    if not re.fullmatch(pattern, cell):
        hint = ": no comma in a number, and a point before decimals" if "," in cell else ""
        raise ValueError(f'"{shown(cell)}" is not {wanted}{hint}')
    return Decimal(cell)


def _decimal(cell: str) -> Decimal:
    return _number(cell, r"-?[0-9]{1,14}(\.[0-9]{1,9})?", "a number")


def _amount(cell: str) -> Decimal:
    return _number(cell, r"[0-9]{1,14}(\.[0-9]{1,2})?", "an amount (0 or more, at most 2 decimals)")


def _day(cell: str) -> dt.date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", cell):
        raise ValueError(f'"{shown(cell)}" is not a date (YYYY-MM-DD)')
    try:
        return _plausible(dt.date.fromisoformat(cell))
    except ValueError:
        raise ValueError(f'"{cell}" is not a date (YYYY-MM-DD)') from None


def _plausible(day: dt.date) -> dt.date:
    if day.year not in YEARS:
        raise ValueError
    return day


def _period(cell: str) -> tuple[dt.date, dt.date, str]:
    """First day, last day and precision of a date as it was said."""
    found = re.fullmatch(r"([0-9]{4})(?:-Q([1-4])|-([0-9]{2})(?:-([0-9]{2}))?)?", cell)
    try:
        if found is None:
            raise ValueError  # noqa: TRY301 - one place words the error
        year = int(found[1])
        if found[4]:
            day = _plausible(dt.date(year, int(found[3]), int(found[4])))
            return day, day, "day"
        if found[3]:
            first, last, precision = int(found[3]), int(found[3]), "month"
        elif found[2]:
            first, last, precision = int(found[2]) * 3 - 2, int(found[2]) * 3, "quarter"
        else:
            first, last, precision = 1, 12, "year"
        start = _plausible(dt.date(year, first, 1))
        return start, dt.date(year, last, calendar.monthrange(year, last)[1]), precision
    except ValueError:
        raise ValueError(f'"{shown(cell)}" is not a date (YYYY-MM-DD, YYYY-MM, YYYY-Q1 to -Q4 or YYYY)') from None


def _since(cell: str) -> tuple[dt.date, str]:
    first, _, precision = _period(cell)
    return first, precision


def _until(cell: str) -> tuple[dt.date, str]:
    _, last, precision = _period(cell)
    return last, precision


def moment(cell: str) -> dt.datetime:
    """A time in UTC, from ISO 8601; without a zone it is UTC, never the zone of whoever reads it."""
    try:
        found = dt.datetime.fromisoformat(cell)
        if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}", cell):
            raise ValueError  # noqa: TRY301 - one place words the error
        _plausible(found.date())
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except ValueError:
        raise ValueError(f'"{shown(cell)}" is not a time (ISO 8601, such as 2026-10-10T08:00Z)') from None


TEXT: Final = Kind(_text)
MOMENT: Final = Kind(moment)
"""A time, in UTC where it names no zone."""
LIST: Final = Kind(_list, empty=[])
"""Texts, separated by `;`."""
DECIMAL: Final = Kind(_decimal)
AMOUNT: Final = Kind(_amount)
DAY: Final = Kind(_day)
SINCE: Final = Kind(_since, ("", "_precision"))
"""When something was said: a period counts from its first day."""
UNTIL: Final = Kind(_until, ("", "_precision"))
"""When something shall be, or was reached: a period counts to its last day."""


def whole(highest: int) -> Kind:
    """A count: 0 to `highest`."""

    def parse(cell: str) -> int:
        value = int(_number(cell, r"[0-9]{1,19}", "a whole number (0 or more)"))
        if value > highest:
            raise ValueError(f"{cell} is more than {highest}")
        return value

    return Kind(parse)


INT4: Final = whole(2**31 - 1)
INT8: Final = whole(2**63 - 1)


def between(low: int, high: int) -> Kind:
    """A number within bounds."""

    def parse(cell: str) -> Decimal:
        value = _decimal(cell)
        if not low <= value <= high:
            raise ValueError(f"{cell} is not between {low} and {high}")
        return value

    return Kind(parse)


def one_of(*words: str) -> Kind:
    """One of a few words."""

    def parse(cell: str) -> str:
        if cell not in words:
            raise ValueError(f'"{shown(cell)}" is not one of: {", ".join(words)}')
        return cell

    return Kind(parse)


def matching(pattern: str, wanted: str) -> Kind:
    """A text of a certain form; `wanted` says which."""

    def parse(cell: str) -> str:
        if not re.fullmatch(pattern, cell):
            raise ValueError(f'"{shown(cell)}" is not {wanted}')
        return cell

    return Kind(parse)
