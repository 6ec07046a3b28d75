r"""What `\d+` tells of each level: its tables, its views and their columns, with units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gigawatch_database.rollup.levels import LEVELS, Level, reading_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES: Final = {
    "bucket": "When the bucket begins. Unit: s since 1970, aligned to UTC.",
    "factory_id": "The factory, as in the programme's registry; sim-… is a fictional one.",
    "simulated": "Whether the telemetry is simulated.",
    "host_name": "The node.",
    "rack": "Where the node stands.",
    "hw_id": "The accelerator's UUID.",
    "accelerator_index": "The accelerator's place on its node.",
    "model": "The accelerator's model, as its library names it.",
    "accelerator_id": "The accelerator, in this database.",
    "node_id": "The node, in this database.",
}
"""The columns that say of what and when."""


def statements() -> Iterator[tuple[str, str]]:
    """What is commented, in SQL's words, and the comment."""
    for level in LEVELS:
        about = (
            f"{level.thing.capitalize()}s by {_width(level)}, UTC. docs/storage.md says how each column is computed."
        )
        yield f"TABLE {level.table}", about
        yield f"VIEW {level.name}", about
        readings = {column.name: f"{column.description} Unit: {column.unit}." for column in reading_columns()}
        for name, text in {**_keys(level), **readings}.items():
            yield f"COLUMN {level.table}.{name}", text
        for name, text in {**_names(level), **readings}.items():
            yield f"COLUMN {level.name}.{name}", text


def _keys(level: Level) -> dict[str, str]:
    """The columns of the table that say of what and when."""
    keys = {"bucket", level.key} | ({"node_id"} if level.thing == "accelerator" else set[str]())
    return {name: text for name, text in NAMES.items() if name in keys}


def _names(level: Level) -> dict[str, str]:
    """The columns of the view that say of what and when."""
    left_out = {
        "accelerator": set[str](),
        "node": {"hw_id", "accelerator_index", "model", "accelerator_id"},
        "factory": {"host_name", "rack", "hw_id", "accelerator_index", "model", "accelerator_id", "node_id"},
    }[level.thing]
    return {name: text for name, text in NAMES.items() if name not in left_out}


def _width(level: Level) -> str:
    words = {60: "minute", 300: "5 minutes", 3600: "hour", 86400: "day"}
    return words[int(level.width.total_seconds())]
