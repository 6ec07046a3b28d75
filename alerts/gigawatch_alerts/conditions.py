"""Asking the database what the rules ask: checked before the first run, read-only, within a time limit."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import psycopg

from gigawatch_alerts import templates
from gigawatch_alerts.labels import ALERTNAME, NAME, Labels

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from gigawatch_alerts.rules import Group, Query, Rule

VALUE: Final = "value"
"""The column that is the alert's value; every other column is a label."""
_NUMBERS: Final = {psycopg.adapters.types[name].oid for name in ("int2", "int4", "int8", "float4", "float8", "numeric")}
_BEFORE: Final = "SELECT * FROM (\n"
_AFTER: Final = "\n) AS found"


class RuleFailure(Exception):  # noqa: N818 - it is caught and becomes the alert RuleFailed
    """A rule could not be evaluated: its query fails, overruns or gives what no alert can be made of."""


@dataclass(frozen=True, slots=True)
class Found:
    """One row of a condition: an alert's labels and value."""

    labels: dict[str, str]
    value: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """What can be judged now: label sets over `names`; an alert is covered by its values of these labels."""

    names: tuple[str, ...]
    sets: frozenset[tuple[str, ...]]

    def covers(self, labels: Labels) -> bool:
        """Whether the alert's state is known."""
        return tuple(labels.get(name, "") for name in self.names) in self.sets


@contextmanager
def reading(connection: psycopg.Connection, timeout: timedelta) -> Generator[None]:
    """One moment of the database for all queries inside, none of which may write or last longer than `timeout`."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        milliseconds = max(1, round(timeout.total_seconds() * 1000))
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
        yield


def find(connection: psycopg.Connection, rule: Rule, now: datetime, limit: int = 0) -> list[Found]:
    """The rows of a rule's condition.

    Raises:
        RuleFailure: says where and why.
    """
    names, rows = _ask(connection, rule.condition, now, limit + 1 if limit else None)
    if limit and len(rows) > limit:
        raise RuleFailure(f"more than {limit} alerts, the group's limit")
    value_at = names.index(VALUE) if VALUE in names else None
    labels_at = [(index, name) for index, name in enumerate(names) if name != VALUE]
    return [
        Found(
            {name: text for index, name in labels_at if (text := _text(row[index], name))},
            None if value_at is None else _number(row[value_at]),
        )
        for row in rows
    ]


def known(connection: psycopg.Connection, query: Query, now: datetime) -> Known:
    """The rows of a rule's `known`.

    Raises:
        RuleFailure: says where and why.
    """
    names, rows = _ask(connection, query, now, None)
    texts = (tuple(_text(value, name) for value, name in zip(row, names, strict=True)) for row in rows)
    return Known(tuple(names), frozenset(texts))


def check(connection: psycopg.Connection, groups: Sequence[Group], now: datetime, timeout: timedelta) -> None:
    """Have the database read every query of the rules, and compare the templates with the columns found.

    Raises:
        ConfigurationError: names file, line and key of the first mistake.
    """
    for group in groups:
        for rule in group.rules:
            columns = _check_query(connection, rule.condition, now, timeout)
            labels = [name for name, _ in columns if name != VALUE]
            for name in labels:
                if not NAME.fullmatch(name) or name == ALERTNAME or labels.count(name) > 1:
                    rule.condition.place.refuse(f"column {name!r} cannot be a label: rename it with AS, each once")
            if dict(columns).get(VALUE, min(_NUMBERS)) not in _NUMBERS:
                rule.condition.place.refuse(f"column {VALUE!r} must be a number")
            if rule.known is not None:
                strangers = sorted(dict(_check_query(connection, rule.known, now, timeout)).keys() - set(labels))
                if strangers:
                    rule.known.place.refuse(
                        f"column {strangers[0]!r} is no label of the condition: {', '.join(labels) or 'it has none'}"
                    )
            _check_templates(rule, labels)


def _check_query(
    connection: psycopg.Connection, query: Query, now: datetime, timeout: timedelta
) -> list[tuple[str, int]]:
    """The columns of a query, with the numbers of their types."""
    try:
        with reading(connection, timeout):
            cursor = _execute(connection, query, now, 0)
            return [(column.name, column.type_code) for column in cursor.description or ()]
    except psycopg.Error as error:
        if connection.broken:
            raise
        complaint, line = _complaint(query, error)
        query.place.refuse(complaint, line)


def _check_templates(rule: Rule, columns: list[str]) -> None:
    for key, template in {
        **{f"labels.{name}": template for name, template in rule.labels.items()},
        **{f"annotations.{name}": template for name, template in rule.annotations.items()},
    }.items():
        there = {*columns, ALERTNAME, *(rule.labels if key.startswith("annotations.") else ())}
        for name in sorted(template.labels - there):
            rule.templates[key].refuse(f"$labels.{name}: the condition has no such column: {', '.join(columns)}")


def _ask(
    connection: psycopg.Connection, query: Query, now: datetime, limit: int | None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    try:
        cursor = _execute(connection, query, now, limit)
        return [column.name for column in cursor.description or ()], cursor.fetchall()
    except psycopg.errors.QueryCanceled as error:
        raise RuleFailure("overran its time limit (query_timeout)") from error
    except psycopg.Error as error:
        if connection.broken:
            raise
        complaint, line = _complaint(query, error)
        raise RuleFailure(f"{query.place.path.name}:{line}: {query.place.key}: {complaint}") from error


def _execute(
    connection: psycopg.Connection, query: Query, now: datetime, limit: int | None
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a query as a subselect: what is not one SELECT cannot be one."""
    # Never prepared: the plan must be made for this `now`, which decides the chunks that are read.
    end = "" if limit is None else f" LIMIT {limit}"
    return connection.execute(f"{_BEFORE}{query.sql}{_AFTER}{end}".encode(), {"now": now}, prepare=False)


def _complaint(query: Query, error: psycopg.Error) -> tuple[str, int]:
    """What the database says of a query, and the line of the file that it speaks of."""
    message = error.diag.message_primary or str(error).partition("\n")[0]
    sent = _BEFORE + query.sql.replace("%(now)s", "$1").replace("%%", "%")
    position = int(error.diag.statement_position or 0)
    above = max(0, sent.count("\n", 0, position - 1) - _BEFORE.count("\n")) if position else 0
    hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
    if isinstance(error, psycopg.errors.SyntaxError):
        hint = "; it must be one SELECT"
    return f"{message}{hint}", query.place.first_line_of_text + above


def _text(value: object, column: str) -> str:
    """A label's value as text; missing is empty, as in Prometheus."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return templates.moment(value)
    if isinstance(value, (int, Decimal, date, UUID)):
        return str(value)
    raise RuleFailure(f"column {column!r} is a {type(value).__name__}, and a label is text: write {column}::text")


def _number(value: object) -> float | None:
    number = float(value) if isinstance(value, (int, float, Decimal)) else math.nan
    return number if math.isfinite(number) else None
