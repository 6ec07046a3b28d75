"""What the evaluation reads and writes: live alerts, their changes, and what is to be told. One statement a table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from gigawatch_alerts import queue
from gigawatch_alerts.state import Episode, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from gigawatch_alerts.labels import Labels
    from gigawatch_alerts.routes import Route


@dataclass(frozen=True, slots=True)
class Live:
    """A pending or firing alert as stored."""

    instance_id: int
    episode: Episode


@dataclass(frozen=True, kw_only=True, slots=True)
class Saying:
    """What an alert says of itself: fixed when it begins, and again when it fires."""

    labels: Labels
    annotations: Mapping[str, str]
    link: str
    value: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """One alert that an evaluation changed."""

    alert_id: UUID
    rule_group: str
    rule: str
    step: Step
    instance_id: int | None = None
    """None: the episode is new."""
    saying: Saying | None = None
    """None: it says what it said."""
    labels: Labels
    reason: str | None = None


def live(connection: psycopg.Connection, rule_group: str, rule: str) -> dict[UUID, Live]:
    """The pending and firing alerts of a rule."""
    rows = connection.execute(
        """
        SELECT alert_id, instance_id, state, active_since, fired_at, clear_since, unknown_since
        FROM alert_instance
        WHERE rule_group = %s AND rule = %s AND state <> 'resolved'
        """,
        [rule_group, rule],
    )
    return {
        alert_id: Live(
            instance_id,
            Episode(state=state, active_since=active, fired_at=fired, clear_since=clear, unknown_since=unknown),
        )
        for alert_id, instance_id, state, active, fired, clear, unknown in rows
    }


def live_rules(connection: psycopg.Connection, rule_group: str) -> set[str]:
    """The names of a group's rules that have pending or firing alerts."""
    rows = connection.execute(
        "SELECT DISTINCT rule FROM alert_instance WHERE rule_group = %s AND state <> 'resolved'", [rule_group]
    )
    return {rule for (rule,) in rows}


def labels(connection: psycopg.Connection, instances: Collection[int]) -> dict[int, Labels]:
    """The labels of these alerts."""
    rows = connection.execute(
        "SELECT instance_id, labels FROM alert_instance WHERE instance_id = ANY(%s)", [list(instances)]
    )
    return dict(rows.fetchall())


def write(
    connection: psycopg.Connection,
    changes: Sequence[Changed],
    routes: Sequence[Route],
    *,
    time: datetime,
    now: datetime,
) -> None:
    """Store changes, their history and what is to be told of them, all or nothing.

    `time` is the moment of the changes, `now` that from which the delivery may begin.
    """
    if not changes:
        return
    with connection.transaction():
        instances = {change.alert_id: change.instance_id for change in changes if change.instance_id is not None}
        instances |= _begin(connection, [change for change in changes if change.instance_id is None])
        _go_on(connection, [change for change in changes if change.instance_id is not None])
        _remember(connection, changes, instances, time)
        fired = {instances[change.alert_id]: change.labels for change in changes if "firing" in change.step.changes}
        queue.fired(connection, fired, routes, now)
        resolved = [instances[change.alert_id] for change in changes if "resolved" in change.step.changes]
        queue.resolved(connection, resolved, now)


def _begin(connection: psycopg.Connection, changes: Sequence[Changed]) -> dict[UUID, int]:
    if not changes:
        return {}
    sayings = [change.saying for change in changes if change.saying]
    rows = connection.execute(
        """
        INSERT INTO alert_instance
          (alert_id, rule_group, rule, labels, annotations, link, value, state, active_since, fired_at)
        SELECT * FROM unnest(
          %s::uuid[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::text[], %s::float8[],
          %s::text[], %s::timestamptz[], %s::timestamptz[])
        RETURNING alert_id, instance_id
        """,
        [
            [change.alert_id for change in changes],
            [change.rule_group for change in changes],
            [change.rule for change in changes],
            [_json(saying.labels) for saying in sayings],
            [_json(saying.annotations) for saying in sayings],
            [saying.link for saying in sayings],
            [saying.value for saying in sayings],
            *_episodes(changes, "state", "active_since", "fired_at"),
        ],
    )
    return dict(rows.fetchall())


def _go_on(connection: psycopg.Connection, changes: Sequence[Changed]) -> None:
    lapsed = [change.instance_id for change in changes if change.step.after is None]
    if lapsed:
        connection.execute("DELETE FROM alert_instance WHERE instance_id = ANY(%s)", [lapsed])
    lasting = [change for change in changes if change.step.after is not None]
    if not lasting:
        return
    sayings = [change.saying for change in lasting]
    connection.execute(
        """
        UPDATE alert_instance i
        SET state = n.state, fired_at = n.fired_at, clear_since = n.clear_since, unknown_since = n.unknown_since,
          resolved_at = n.resolved_at, annotations = coalesce(n.annotations, i.annotations),
          value = CASE WHEN n.annotations IS NULL THEN i.value ELSE n.value END
        FROM unnest(
          %s::bigint[], %s::jsonb[], %s::float8[],
          %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
          AS n (instance_id, annotations, value, state, fired_at, clear_since, unknown_since, resolved_at)
        WHERE i.instance_id = n.instance_id
        """,
        [
            [change.instance_id for change in lasting],
            [_json(saying.annotations) if saying else None for saying in sayings],
            [saying.value if saying else None for saying in sayings],
            *_episodes(lasting, "state", "fired_at", "clear_since", "unknown_since", "resolved_at"),
        ],
    )


def _remember(
    connection: psycopg.Connection, changes: Sequence[Changed], instances: Mapping[UUID, int], time: datetime
) -> None:
    history = [
        (instances[change.alert_id], name, change.reason)
        for change in changes
        if change.step.after is not None
        for name in change.step.changes
    ]
    connection.execute(
        """
        INSERT INTO alert_transition (instance_id, change, reason, time)
        SELECT n.instance_id, n.change, n.reason, %s
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS n (instance_id, change, reason)
        """,
        [time, *_columns(history, 3)],
    )


def _episodes(changes: Sequence[Changed], *names: LiteralString) -> list[list[Any]]:
    return [[getattr(change.step.after, name) for change in changes] for name in names]


def _columns(rows: Iterable[tuple[Any, ...]], count: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(count)]


def _json(value: Mapping[str, str]) -> str:
    return json.dumps(dict(value), ensure_ascii=False)
