r"""What `\d+` tells of each level: its table, its view and their columns, with units."""

from __future__ import annotations

from typing import Final

from gigawatch_database.rollup.levels import LEVELS, Level, reading_columns
from gigawatch_database.rollup.windows import words

KEYS: Final = {
    "bucket": "When the bucket begins, aligned to UTC.",
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

# One loop in the database: a statement for each column of each level would be 140 kB of text.
_LOOP = """
DO $do$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT l.relation, a.attname, c.comment
    FROM unnest(ARRAY[{relations}]) AS l (relation)
    JOIN pg_attribute a ON a.attrelid = l.relation::regclass AND a.attnum > 0
    JOIN (VALUES {columns}) AS c (name, comment) ON c.name = a.attname
  LOOP
    EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', found.relation, found.attname, found.comment);
  END LOOP;
END
$do$;
"""


def statements() -> str:
    """SQL that comments every table and view of the rollups and every column of theirs."""
    comments = {**KEYS, **{column.name: f"{column.description} Unit: {column.unit}." for column in reading_columns()}}
    lines = [
        f"COMMENT ON {kind} {name} IS {literal(_about(level))};"
        for level in LEVELS
        for kind, name in (("TABLE", level.table), ("VIEW", level.name))
    ]
    relations = ", ".join(literal(name) for level in LEVELS for name in (level.table, level.name))
    columns = ",\n      ".join(f"({literal(name)}, {literal(text)})" for name, text in comments.items())
    return "\n".join(lines) + _LOOP.format(relations=relations, columns=columns)


def _about(level: Level) -> str:
    return f"Each {level.thing} in buckets of {words(level.width)}, aligned to UTC: docs/storage.md."


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
