"""Putting changes into the outbox, inside the transaction that stores them.

What fires goes where the routes lead. What resolves goes to whom it was told, or will be told, that it fires: whatever
the routes say by now.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gigawatch_alerts.routes import Address, Route, addresses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import psycopg

    from gigawatch_alerts.labels import Labels


def fired(
    connection: psycopg.Connection, instances: Mapping[int, Labels], routes: Sequence[Route], now: datetime
) -> None:
    """Queue that these alerts fire; their groups become due after their wait."""
    wanted = [(address, instance) for instance, labels in instances.items() for address in addresses(routes, labels)]
    if not wanted:
        return
    _lock(connection)
    groups = _groups(connection, list(dict.fromkeys(address for address, _ in wanted)), now)
    connection.execute(
        """
        INSERT INTO alert_outbox (group_id, instance_id, status)
        SELECT n.group_id, n.instance_id, 'firing' FROM unnest(%s::bigint[], %s::bigint[]) AS n (group_id, instance_id)
        """,
        [
            [groups[address.receiver, address.group_key] for address, _ in wanted],
            [instance for _, instance in wanted],
        ],
    )


def resolved(connection: psycopg.Connection, instances: Sequence[int], now: datetime) -> None:
    """Queue that these alerts resolved; their groups become due now."""
    if not instances:
        return
    _lock(connection)
    connection.execute(
        """
        WITH told AS (
          INSERT INTO alert_outbox (group_id, instance_id, status)
          SELECT group_id, instance_id, 'resolved' FROM alert_outbox WHERE instance_id = ANY(%s) AND status = 'firing'
          RETURNING group_id
        )
        UPDATE alert_group SET next_attempt = coalesce(next_attempt, %s) WHERE group_id IN (SELECT group_id FROM told)
        """,
        [list(instances), now],
    )


def catch_up(connection: psycopg.Connection, routes: Sequence[Route], now: datetime) -> int:
    """Queue what fires and a receiver was never to hear of, because it was not there then; returns how many alerts."""
    count = 0
    for route in routes:
        with connection.transaction():
            _lock(connection)
            rows = connection.execute(
                """
                SELECT instance_id, labels FROM alert_instance i
                WHERE state = 'firing' AND NOT EXISTS (
                  SELECT FROM alert_outbox o JOIN alert_group g USING (group_id)
                  WHERE o.instance_id = i.instance_id AND g.receiver = %s)
                ORDER BY instance_id
                """,
                [route.receiver],
            ).fetchall()
            fired(connection, dict(rows), [route], now)
        count += len(rows)
    return count


def _groups(connection: psycopg.Connection, wanted: Sequence[Address], now: datetime) -> dict[tuple[str, str], int]:
    """The groups of these addresses by receiver and key, made where they are new, and due."""
    rows = connection.execute(
        """
        INSERT INTO alert_group (receiver, group_key, labels, next_attempt)
        SELECT n.receiver, n.group_key, n.labels, %s + n.group_wait
        FROM unnest(%s::text[], %s::text[], %s::jsonb[], %s::interval[]) AS n (receiver, group_key, labels, group_wait)
        ON CONFLICT (receiver, group_key) DO UPDATE
          SET next_attempt = coalesce(alert_group.next_attempt, excluded.next_attempt)
        RETURNING receiver, group_key, group_id
        """,
        [
            now,
            [address.receiver for address in wanted],
            [address.group_key for address in wanted],
            [json.dumps(dict(address.labels), ensure_ascii=False) for address in wanted],
            [address.group_wait for address in wanted],
        ],
    )
    return {(receiver, key): group_id for receiver, key, group_id in rows}


def _lock(connection: psycopg.Connection) -> None:
    """Let one transaction at a time queue: two that touch the same groups in another order would block each other."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('gigawatch alerts queue', 0))")
