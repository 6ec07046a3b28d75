"""From a TOML table to a frozen dataclass: every value is checked, every error names file, table and key."""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Any, TypeVar

from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.simulator import span

if typing.TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def key(default: Any = dataclasses.MISSING, *, low: float = float("-inf"), high: float = float("inf")) -> Any:
    """A field with a default, and the range that its value (or each of its values) must lie in."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high})


def time_key(default: Any = dataclasses.MISSING, *, low: float = float("-inf"), high: float = float("inf")) -> Any:
    """A field in seconds that is written as a span (`2m`) or a number."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "span": True})


def read(kind: type[T], table: dict[str, Any], place: str) -> T:
    """One table as a `kind`.

    Raises:
        ConfigurationError: a key is unknown, missing, of another type or out of its range.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType] - every `kind` is a dataclass
    for name in table:
        if name not in fields:
            raise ConfigurationError(f"{place} has no key {name!r}; it knows: {', '.join(fields)}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            convert = _spans if field.metadata.get("span") else _value
            values[name] = convert(hints[name], table[name], f"{place}: {name}")
            _check_range(values[name], field.metadata, f"{place}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigurationError(f"{place}: {name} is missing")
    return kind(**values)


def tables(document: dict[str, Any], name: str, place: str) -> list[tuple[str, dict[str, Any]]]:
    """The tables of `[[name]]`, each with the words that an error names it by."""
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):  # pyright: ignore[reportUnknownVariableType] - TOML gives no types
        raise ConfigurationError(f"{place}: {name} must be tables: [[{name}]]")
    return [(f"{place}: [[{name}]] {number}", entry) for number, entry in enumerate(found, start=1)]  # pyright: ignore[reportUnknownVariableType]


def _value(hint: Any, raw: Any, place: str) -> Any:
    if typing.get_origin(hint) is tuple:
        return _list(_value, typing.get_args(hint), raw, place)
    if hint is float and isinstance(raw, (int, float)) and not isinstance(raw, bool) and math.isfinite(raw):
        return float(raw)
    if hint in (int, str, bool) and type(raw) is hint:
        return raw
    word = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}[hint]
    raise ConfigurationError(f"{place} = {raw!r} is not {word}")


def _spans(hint: Any, raw: Any, place: str) -> Any:
    if typing.get_origin(hint) is tuple:
        return _list(_spans, typing.get_args(hint), raw, place)
    try:
        found = span.seconds(raw) if isinstance(raw, (str, int, float)) and not isinstance(raw, bool) else math.nan
    except ValueError:
        found = math.nan
    if math.isfinite(found):
        return found
    raise ConfigurationError(f"{place} = {raw!r} is not a span of time such as '25s', '2m' or '1h30m'")


def _list(convert: Callable[[Any, Any, str], Any], kinds: tuple[Any, ...], raw: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise ConfigurationError(f"{place} = {raw!r} is not a list")
    entries = typing.cast("list[Any]", raw)
    if kinds[-1] is not Ellipsis and len(entries) != len(kinds):
        raise ConfigurationError(f"{place} = {raw!r} needs {len(kinds)} values, lowest first")
    return tuple(convert(kinds[0], entry, place) for entry in entries)


def _check_range(value: Any, metadata: typing.Mapping[str, float], place: str) -> None:
    low, high = metadata.get("low", float("-inf")), metadata.get("high", float("inf"))
    values = value if isinstance(value, tuple) else (value,)
    for number in values:
        if isinstance(number, (int, float)) and not low <= number <= high:
            raise ConfigurationError(f"{place} = {number:g} is not between {low:g} and {high:g}")
