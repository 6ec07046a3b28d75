"""How every command is configured: a frozen dataclass, filled from defaults, a TOML file, the environment and flags.

Later sources win. The key `push_interval` is `push_interval` in the file's table, GIGAWATCH_<PART>_PUSH_INTERVAL in
the environment and --push-interval on the command line. Every value is checked at start; an error names the key and
where its value was read.
"""

from __future__ import annotations

import dataclasses
import math
import os
import tomllib
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

T = TypeVar("T")


def setting(default: Any = dataclasses.MISSING, *, help: str, shared: str | None = None) -> Any:  # noqa: A002 - argparse's word
    """A field of a Settings class. `shared` names one environment variable that several parts read."""
    return dataclasses.field(default=default, metadata={"help": help, "shared": shared})


def add_arguments(parser: argparse.ArgumentParser, settings: type[Any], part: str) -> None:
    """A --config flag and one flag for each setting; --help tells default and environment variable of each."""
    parser.add_argument("--config", metavar="FILE", type=Path, help=f"a TOML file with a table [{part}]")
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        default = "" if field.default in (dataclasses.MISSING, None) else f" (default: {field.default})"
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            default=None,
            metavar=_metavar(hints[field.name]),
            nargs="?" if hints[field.name] is bool else None,
            const="true" if hints[field.name] is bool else None,
            help=f"{field.metadata.get('help', '')}{default} [{_variable(field, part)}]".replace("%", "%%"),
        )


def load(settings: type[T], part: str, arguments: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> T:
    """The settings of a part, from its flags, the environment, the file of --config, and the defaults.

    Raises:
        ConfigurationError: a key is unknown, missing or not of its type; the message names key and place.
    """
    path: Path | None = arguments.config
    table = _table(path, part) if path else {}
    hints = typing.get_type_hints(settings)
    fields = {field.name: field for field in dataclasses.fields(settings)}  # pyright: ignore[reportArgumentType] - T is a dataclass
    for key in table:
        if key not in fields:
            known = ", ".join(sorted(fields))
            raise ConfigurationError(f"{path}: [{part}] has no key {key!r}; it knows: {known}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        flag = getattr(arguments, name, None)
        variable = _variable(field, part)
        if flag is not None:
            values[name] = _value(flag, hints[name], name, f"--{name.replace('_', '-')}")
        elif environ.get(variable, "") != "":
            values[name] = _value(environ[variable], hints[name], name, variable)
        elif name in table:
            values[name] = _value(table[name], hints[name], name, f"{path}: [{part}] {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigurationError(
                f"{name} is not set: give --{name.replace('_', '-')}, {variable} or {name} in [{part}] of a --config file"
            )
    return settings(**values)


def check(condition: bool, key: str, value: object, wanted: str) -> None:
    """For a Settings class's __post_init__: refuse a value that is of the right type and makes no sense."""
    if not condition:
        raise ConfigurationError(f"{key} = {value!r}: {wanted}")


def _variable(field: dataclasses.Field[Any], part: str) -> str:
    return field.metadata.get("shared") or f"GIGAWATCH_{part.upper()}_{field.name.upper()}"


def _table(path: Path, part: str) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"--config {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"--config {path} is not TOML: {error}") from error
    table = document.get(part, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"--config {path}: {part} must be a table: [{part}]")
    return typing.cast("dict[str, Any]", table)


def _options(hint: Any) -> tuple[Any, ...]:
    """The types that a hint such as `str | None` allows, None left out."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return tuple(option for option in typing.get_args(hint) if option is not type(None))
    return (hint,)


def _metavar(hint: Any) -> str:
    kind = _options(hint)[0]
    words: dict[Any, str] = {int: "N", float: "NUMBER", bool: "true|false", Path: "PATH"}
    return words.get(kind, "TEXT")


def _value(raw: Any, hint: Any, key: str, place: str) -> Any:
    kind = _options(hint)[0]
    try:
        if kind is bool:
            return _boolean(raw)
        if kind is int and isinstance(raw, (bool, float)):
            raise ValueError  # noqa: TRY301 - one place words the error
        if kind is float and (isinstance(raw, bool) or not math.isfinite(float(raw))):
            raise ValueError  # noqa: TRY301 - as above; no interval or limit is infinite
        if kind in (int, float, Path):
            return kind(raw)
    except (TypeError, ValueError):
        words: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}
        word = words.get(kind, "a path")
        raise ConfigurationError(f"{place}: {key} = {raw!r} is not {word}") from None
    if not isinstance(raw, str):
        raise ConfigurationError(f"{place}: {key} = {raw!r} is not text")
    return raw


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise ValueError
