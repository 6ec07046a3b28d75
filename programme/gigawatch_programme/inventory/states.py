"""The state of nodes, and maintenance declared for them: what excuses that a node is not seen.

What excuses counts from when it was said; nothing said afterwards makes a figure of the past better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from gigawatch_contract.errors import GigawatchError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    import psycopg

State = Literal["up", "drained", "down", "retired"]
STATES: Final[tuple[State, ...]] = ("up", "drained", "down", "retired")
Scope = Literal["node", "rack", "site"]

KNOWN: Final[dict[Scope, str]] = {
    "node": "SELECT FROM inventory_node WHERE factory_id = %(factory)s AND valid_to IS NULL AND host_name = %(name)s",
    "rack": "SELECT FROM inventory_node WHERE factory_id = %(factory)s AND valid_to IS NULL AND rack = %(name)s",
    "site": "SELECT FROM inventory_node WHERE factory_id = %(factory)s AND valid_to IS NULL",
}


@dataclass(frozen=True, slots=True)
class Said:
    """The state of a node, since when, and why."""

    host_name: str
    state: State
    reason: str | None
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Maintenance of a node, a rack, or (without a name) a whole site."""

    scope: Scope
    name: str | None
    starts_at: dt.datetime
    ends_at: dt.datetime
    reason: str


def news(current: Iterable[Said], said: Iterable[Said]) -> list[Said]:
    """What differs in state or reason from what holds. A node of which nothing was said is up."""
    known = {one.host_name: (one.state, one.reason) for one in current}
    return [one for one in said if known.get(one.host_name, ("up", None)) != (one.state, one.reason)]


def save(
    connection: psycopg.Connection, factory: str, said: Iterable[Said], *, declared_at: dt.datetime, declared_by: str
) -> list[Said]:
    """Keep the states that are new; returns them.

    Raises:
        GigawatchError: a node is not in the inventory, a state is of the future, or lacks its reason.
    """
    with connection.transaction():
        connection.execute("LOCK TABLE node_state IN SHARE ROW EXCLUSIVE MODE")
        rows = connection.execute(
            "SELECT host_name, state, reason, since FROM node_state_current WHERE factory_id = %s", [factory]
        ).fetchall()
        found = news([Said(*row) for row in rows], said)
        for one in found:
            _known(connection, factory, "node", one.host_name)
            if one.state != "up" and not one.reason:
                raise GigawatchError(f"--reason is missing: say why {one.host_name} is {one.state}")
            if one.since > declared_at:
                raise GigawatchError(f"--from {one.since.isoformat()} is in the future: declare maintenance instead")
            connection.execute(
                "INSERT INTO node_state (factory_id, host_name, state, reason, since, declared_at, declared_by) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [factory, one.host_name, one.state, one.reason, one.since, declared_at, declared_by],
            )
    return found


def declare(
    connection: psycopg.Connection, factory: str, window: Window, *, declared_at: dt.datetime, declared_by: str
) -> int:
    """Declare maintenance; returns its id. Declared after it began, it excuses from its declaration only.

    Raises:
        GigawatchError: the inventory has no such node or rack, or the window ends before it begins.
    """
    if window.ends_at <= window.starts_at:
        raise GigawatchError(f"--until {window.ends_at.isoformat()} is not after --from {window.starts_at.isoformat()}")
    _known(connection, factory, window.scope, window.name)
    row = connection.execute(
        "INSERT INTO maintenance (factory_id, scope, name, starts_at, ends_at, reason, declared_at, declared_by) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING maintenance_id",
        [
            factory,
            window.scope,
            window.name,
            window.starts_at,
            window.ends_at,
            window.reason,
            declared_at,
            declared_by,
        ],
    ).fetchone()
    assert row is not None
    return int(row[0])


def withdraw(connection: psycopg.Connection, maintenance_id: int, *, at: dt.datetime, by: str) -> None:
    """End or call off maintenance: it excuses no longer from now on, and stays on record.

    Raises:
        GigawatchError: there is none in force under this id.
    """
    done = connection.execute(
        "UPDATE maintenance SET withdrawn_at = %s, withdrawn_by = %s "
        "WHERE maintenance_id = %s AND withdrawn_at IS NULL AND ends_at > %s",
        [at, by, maintenance_id, at],
    )
    if done.rowcount != 1:
        raise GigawatchError(f"there is no maintenance {maintenance_id} that could be withdrawn")


def _known(connection: psycopg.Connection, factory: str, scope: Scope, name: str | None) -> None:
    found = connection.execute(KNOWN[scope].encode() + b" LIMIT 1", {"factory": factory, "name": name}).fetchone()
    if found is None:
        what = f'{scope} "{name}"' if name else "node"
        raise GigawatchError(
            f"the inventory of {factory} has no {what}: import it first (`gigawatch inventory import`)"
        )
