"""The inventory: which nodes and accelerators should be there. Coverage and every alert about absence rest on it.

A file lists all nodes of the factories that it names. Nothing is overwritten: a node that changed or is no longer
listed keeps its row, closed at the moment from which the file is valid.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

from psycopg.rows import class_row

from gigawatch_contract.errors import ConfigurationError, GigawatchError
from gigawatch_contract.resource import FACTORY_ID, is_fictional
from gigawatch_programme import table
from gigawatch_programme.cells import INT4, TEXT, matching
from gigawatch_programme.table import Column, Problem, Refused

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    import psycopg

COLUMNS: Final = (
    Column("factory_id", matching(FACTORY_ID.pattern, 'a factory id: up to 63 of a-z, 0-9 and "-"'), required=True),
    Column("host_name", TEXT, required=True),
    Column("rack", TEXT),
    Column("accelerators", INT4, required=True),
    Column("model", TEXT),
)
CSV_HEADER: Final = tuple(column.name for column in COLUMNS)


@dataclass(frozen=True, slots=True)
class Node:
    """A node that should be there, and how many accelerators it should have."""

    factory_id: str
    host_name: str
    rack: str | None
    accelerators: int
    model: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What an inventory changes: rows to close, rows to open, and how many nodes stay as they are."""

    closed: tuple[Node, ...]
    opened: tuple[Node, ...]
    unchanged: int


def read(file: str, body: bytes, known_factories: AbstractSet[str]) -> list[Node]:
    """The nodes of an inventory file.

    Raises:
        Refused: with every problem found, such as a factory that neither is fictional nor in the registry.
    """
    found = table.read(file, body, COLUMNS, unique=("factory_id", "host_name"))
    problems = list(found.problems)
    for row in found.rows:
        factory = row.values.get("factory_id")
        if factory is not None and not is_fictional(factory) and factory not in known_factories:
            problems.append(Problem(file, f'"{factory}" is not in the registry', row.number, "factory_id"))
    if not found.rows and not problems:
        problems.append(Problem(file, "lists no node"))
    if problems:
        raise Refused(tuple(problems))
    return [Node(**row.values) for row in found.rows]


def changes(current: Iterable[Node], listed: Iterable[Node]) -> Changes:
    """What leads from the nodes in force to the nodes listed, in the factories that are listed."""
    after = set(listed)
    factories = {node.factory_id for node in after}
    before = {node for node in current if node.factory_id in factories}
    return Changes(_sorted(before - after), _sorted(after - before), len(before & after))


def save(
    connection: psycopg.Connection, listed: Iterable[Node], *, valid_from: dt.datetime, entered_by: str
) -> Changes:
    """Put an inventory in force from a moment on, whole or not at all.

    Raises:
        GigawatchError: the moment is not after the last change of these factories' inventory.
    """
    nodes = list(listed)
    factories = sorted({node.factory_id for node in nodes})
    with connection.transaction():
        connection.execute("LOCK TABLE inventory_node IN SHARE ROW EXCLUSIVE MODE")  # one inventory at a time
        current = in_force(connection, factories)
        found = changes(current, nodes)
        if not found.closed and not found.opened:
            return found
        newest = connection.execute(
            "SELECT max(greatest(valid_from, valid_to)) FROM inventory_node WHERE factory_id = ANY(%s)", [factories]
        ).fetchone()
        if newest and newest[0] is not None and newest[0] >= valid_from:
            raise GigawatchError(
                f"--from {valid_from.isoformat()}: the inventory of {', '.join(factories)} last changed at "
                f"{newest[0].isoformat()}; what was true before stays as it was written: give a later moment"
            )
        connection.execute(
            "UPDATE inventory_node SET valid_to = %s FROM unnest(%s::text[], %s::text[]) AS gone (factory_id, host_name) "
            "WHERE inventory_node.factory_id = gone.factory_id AND inventory_node.host_name = gone.host_name "
            "AND valid_to IS NULL",
            [valid_from, [node.factory_id for node in found.closed], [node.host_name for node in found.closed]],
        )
        into = (
            "COPY inventory_node (factory_id, host_name, rack, accelerators, model, valid_from, entered_by) FROM STDIN"
        )
        with connection.cursor() as cursor, cursor.copy(into) as copy:
            for node in found.opened:
                copy.write_row((*astuple(node), valid_from, entered_by))
        return found


def in_force(connection: psycopg.Connection, factories: Iterable[str]) -> list[Node]:
    """The nodes of the inventory of these factories as it stands."""
    with connection.cursor(row_factory=class_row(Node)) as cursor:
        return cursor.execute(
            "SELECT factory_id, host_name, rack, accelerators, model FROM inventory_node "
            "WHERE factory_id = ANY(%s) AND valid_to IS NULL",
            [list(factories)],
        ).fetchall()


def proposal(connection: psycopg.Connection) -> list[Node]:
    """What telemetry has seen and the inventory in force lacks."""
    with connection.cursor(row_factory=class_row(Node)) as cursor:
        return cursor.execute(
            "SELECT factory_id, host_name, rack, accelerators, model FROM inventory_proposal "
            "ORDER BY factory_id, host_name"
        ).fetchall()


def factory(name: str, known_factories: AbstractSet[str]) -> str:
    """The name of a factory, where a flag gives it.

    Raises:
        ConfigurationError: it neither is fictional nor in the registry.
    """
    if FACTORY_ID.fullmatch(name) and (is_fictional(name) or name in known_factories):
        return name
    raise ConfigurationError(f"--factory {name!r} is not in the registry (`gigawatch programme list`)")


def _sorted(nodes: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(sorted(nodes, key=lambda node: (node.factory_id, node.host_name)))
