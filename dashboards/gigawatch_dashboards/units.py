"""How figures are written for people: base units in, "84.2 kW" out; what is missing is a dash, never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

MISSING: Final = "\u2013"
"""An en dash."""
SPACE: Final = "\u00a0"
"""Between a number and its unit: they are never on two lines."""
PREFIXES: Final = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
BASE: Final = {"W": "W", "By": "B", "By/s": "B/s", "J": "J", "Hz": "Hz"}
"""Units of the contract that take a prefix, and how people write them."""


def scale(values: Iterable[float | None], unit: str) -> tuple[float, str]:
    """One divisor and one unit for a whole axis, chosen by its largest value: `(1e3, "kW")`."""
    if unit == "1":
        return 0.01, "%"
    if unit == "Cel":
        return 1.0, "°C"
    if unit not in BASE:
        return 1.0, unit
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    divisor, prefix = next((pair for pair in PREFIXES if largest >= pair[0]), PREFIXES[-1])
    return divisor, prefix + BASE[unit]


def quantity(value: float | None, unit: str) -> str:
    """A value of the contract with its unit, to three significant digits: "71 %", "84.2 kW", "63 °C"."""
    if value is None:
        return MISSING
    divisor, name = scale((value,), unit)
    return f"{digits(value / divisor)}{SPACE}{name}"


def digits(value: float) -> str:
    """A number to three significant digits, with no exponent: 0.0421, 7.31, 84.2, 713, 12,400."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    for limit, places in ((9.995, 1), (0.9995, 2), (0.09995, 3)):
        if size >= limit:
            return trimmed(f"{value:.{places}f}")
    return trimmed(f"{value:.4f}")


def trimmed(text: str) -> str:
    """The number without zeros that say nothing: "63.0" is "63"."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: float | None) -> str:
    """A whole number with thousands marked: "23,536"."""
    return MISSING if value is None else f"{value:,.0f}"


def share(part: float | None, whole: float | None) -> str:
    """A part of a whole in per cent; never "100 %" where something is missing."""
    if part is None or not whole:
        return MISSING
    ratio = min(part / whole, 1.0)
    if 0.999 <= ratio < 1:
        return f">{SPACE}99.9{SPACE}%"
    return f"{digits(round(100 * ratio, 1))}{SPACE}%"


def plural(number: int, noun: str) -> str:
    """A counted noun: "1 node", "12 nodes"."""
    return f"{count(number)}{SPACE}{noun}{'' if number == 1 else 's'}"


def duration(span: timedelta) -> str:
    """A span in the two largest units that matter: "12 s", "3 min", "2 h 5 min", "4 d 3 h"."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 100:
        return f"{seconds}{SPACE}s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes}{SPACE}min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}{SPACE}h" + (f" {minutes}{SPACE}min" if minutes and hours < 10 else "")
    days, hours = divmod(hours, 24)
    return f"{days}{SPACE}d" + (f" {hours}{SPACE}h" if hours and days < 10 else "")


def clock(moment: datetime | None, now: datetime | None = None) -> str:
    """A moment in UTC: the time of day if it is on the day of `now`, else with its date."""
    if moment is None:
        return MISSING
    if now is not None and moment.date() == now.date():
        return f"{moment:%H:%M:%S}{SPACE}UTC"
    return f"{moment:%Y-%m-%d}{SPACE}{moment:%H:%M:%S}{SPACE}UTC"
