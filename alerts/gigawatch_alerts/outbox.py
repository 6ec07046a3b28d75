"""The outbox: one message of a group is claimed under a lease, sent outside any transaction, and settled.

A group's messages leave one after the other. A message's body is written when it is first claimed and stays: every
repeat of it is the same under the same id. What changes meanwhile waits for the group's next message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from psycopg.rows import class_row

from gigawatch_alerts import webhook

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import psycopg

    from gigawatch_alerts.answers import Answer, Verdict

MOST_ALERTS = 500
"""In one message: changes beyond go into the next, firing alerts told of before are counted as truncated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message that this worker alone may send, until the lease ends."""

    message_id: UUID
    group_id: int
    lease: UUID
    body: str
    number: int
    """Of this attempt, from 1."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    group_id: int
    receiver: str
    group_key: str
    labels: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A row of the outbox with its alert."""

    outbox_id: int
    status: str
    instance_id: int
    alert_id: UUID
    labels: dict[str, str]
    annotations: dict[str, str]
    link: str
    fired_at: datetime
    resolved_at: datetime | None
    total: int

    def alert(self) -> webhook.Alert:
        """As a receiver is told; an alert that has ended since is still told as firing if this row says so."""
        return webhook.Alert(
            labels=self.labels,
            annotations=self.annotations,
            starts_at=self.fired_at,
            ends_at=self.resolved_at if self.status == "resolved" else None,
            link=self.link,
        )


_LINES: Final = """
  SELECT o.outbox_id, o.status, i.instance_id, i.alert_id, i.labels, i.annotations, i.link, i.fired_at, i.resolved_at,
    count(*) OVER () AS total
  FROM alert_outbox o
  JOIN alert_instance i USING (instance_id)
  WHERE o.group_id = %(group)s AND
"""


def register(connection: psycopg.Connection, receiver: str, address_digest: str) -> str | None:
    """Make the receiver known; with a new address it begins anew. Returns why it is disabled, or None."""
    row = connection.execute(
        """
        INSERT INTO alert_receiver AS r (receiver, address_digest) VALUES (%s, %s)
        ON CONFLICT (receiver) DO UPDATE SET
          address_digest = excluded.address_digest,
          disabled_at = CASE WHEN r.address_digest = excluded.address_digest THEN r.disabled_at END,
          disabled_reason = CASE WHEN r.address_digest = excluded.address_digest THEN r.disabled_reason END
        RETURNING disabled_reason
        """,
        [receiver, address_digest],
    ).fetchone()
    return row[0] if row else None


def enable(connection: psycopg.Connection, receiver: str) -> bool:
    """Deliver again to a receiver that was disabled; says whether there is such a one."""
    done = connection.execute(
        "UPDATE alert_receiver SET disabled_at = NULL, disabled_reason = NULL WHERE receiver = %s", [receiver]
    )
    return done.rowcount == 1


def claim(
    connection: psycopg.Connection, receiver: str, now: datetime, lease_for: timedelta, external_url: str
) -> Message | None:
    """The message that is due longest, leased to the caller; None when nothing is due."""
    with connection.transaction():
        with connection.cursor(row_factory=class_row(_Group)) as cursor:
            group = cursor.execute(
                """
                SELECT group_id, receiver, group_key, labels
                FROM alert_group
                WHERE receiver = %(receiver)s AND next_attempt <= %(now)s
                  AND (leased_until IS NULL OR leased_until <= %(now)s)
                  AND NOT EXISTS (SELECT FROM alert_receiver WHERE receiver = %(receiver)s AND disabled_at IS NOT NULL)
                ORDER BY next_attempt
                LIMIT 1
                FOR UPDATE SKIP LOCKED
                """,
                {"receiver": receiver, "now": now},
            ).fetchone()
        if group is None:
            return None
        message_id = _waiting(connection, group.group_id) or _write(connection, group, now, external_url)
        if message_id is None:
            connection.execute("UPDATE alert_group SET next_attempt = NULL WHERE group_id = %s", [group.group_id])
            return None
        lease = uuid4()
        connection.execute(
            "UPDATE alert_group SET lease = %s, leased_until = %s WHERE group_id = %s",
            [lease, now + lease_for, group.group_id],
        )
        row = connection.execute(
            """
            UPDATE alert_notification SET attempts = attempts + 1 WHERE notification_id = %s
            RETURNING body, attempts, created_at
            """,
            [message_id],
        ).fetchone()
        assert row is not None
        content, number, created_at = row
        connection.execute(
            "INSERT INTO alert_attempt (notification_id, number, started_at) VALUES (%s, %s, %s)",
            [message_id, number, now],
        )
    return Message(
        message_id=message_id, group_id=group.group_id, lease=lease, body=content, number=number, created_at=created_at
    )


def settle(
    connection: psycopg.Connection,
    message: Message,
    answer: Answer,
    verdict: Verdict,
    *,
    now: datetime,
    pause: timedelta,
) -> bool:
    """Record an attempt's end and what follows. False where the lease had gone to another, who will settle it."""
    with connection.transaction():
        group = connection.execute(
            "SELECT receiver FROM alert_group WHERE group_id = %s AND lease = %s FOR UPDATE",
            [message.group_id, message.lease],
        ).fetchone()
        connection.execute(
            """
            UPDATE alert_attempt SET finished_at = %s, status = %s, error = %s
            WHERE notification_id = %s AND number = %s
            """,
            [now, answer.status, answer.error, message.message_id, message.number],
        )
        if group is None:
            return False
        next_attempt: datetime | None = now + pause
        if verdict in ("delivered", "dead"):
            _finish(connection, message, verdict, now)
            next_attempt = now if _untold(connection, message.group_id) else None
        if verdict == "gone":
            next_attempt = now
            connection.execute(
                "UPDATE alert_receiver SET disabled_at = %s, disabled_reason = %s WHERE receiver = %s",
                [now, "it answered 410 Gone", group[0]],
            )
        connection.execute(
            "UPDATE alert_group SET next_attempt = %s, lease = NULL, leased_until = NULL WHERE group_id = %s",
            [next_attempt, message.group_id],
        )
    return True


def _waiting(connection: psycopg.Connection, group_id: int) -> UUID | None:
    row = connection.execute(
        "SELECT notification_id FROM alert_notification WHERE group_id = %s AND state = 'waiting'", [group_id]
    ).fetchone()
    return row[0] if row else None


def _untold(connection: psycopg.Connection, group_id: int) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM alert_outbox WHERE group_id = %s AND notification_id IS NULL)", [group_id]
    ).fetchone()
    return row == (True,)


def _write(connection: psycopg.Connection, group: _Group, now: datetime, external_url: str) -> UUID | None:
    """A new message about all that the group's receiver has yet to hear, and what still fires beside it."""
    changes = _changes(connection, group.group_id)
    if not changes:
        return None
    latest = {line.instance_id: line for line in changes}
    told = _told(connection, group.group_id)
    beside = told[: max(0, MOST_ALERTS - len(latest))]
    content = webhook.body(
        [line.alert() for line in (*latest.values(), *beside)],
        receiver=group.receiver,
        group_key=group.group_key,
        group_labels=group.labels,
        external_url=external_url,
        truncated=told[0].total - len(beside) if told else 0,
    )
    message_id = uuid4()
    connection.execute(
        "INSERT INTO alert_notification (notification_id, group_id, body, state, created_at) "
        "VALUES (%s, %s, %s, 'waiting', %s)",
        [message_id, group.group_id, content, now],
    )
    connection.execute(
        "UPDATE alert_outbox SET notification_id = %s WHERE outbox_id = ANY(%s)",
        [message_id, [line.outbox_id for line in changes]],
    )
    connection.execute(
        """
        INSERT INTO alert_notification_instance (notification_id, instance_id, status)
        SELECT %s, * FROM unnest(%s::bigint[], %s::text[])
        """,
        [message_id, list(latest), [line.status for line in latest.values()]],
    )
    return message_id


def _changes(connection: psycopg.Connection, group_id: int) -> list[_Line]:
    """What is untold, in order, up to the second episode of an alert: one message tells one story of each alert."""
    with connection.cursor(row_factory=class_row(_Line)) as cursor:
        lines = cursor.execute(
            _LINES + "o.notification_id IS NULL ORDER BY o.outbox_id LIMIT %(most)s",
            {"group": group_id, "most": MOST_ALERTS},
        ).fetchall()
    episodes: dict[UUID, int] = {}
    for index, line in enumerate(lines):
        if episodes.setdefault(line.alert_id, line.instance_id) != line.instance_id:
            return lines[:index]
    return lines


def _told(connection: psycopg.Connection, group_id: int) -> list[_Line]:
    """Alerts that fire and that the receiver was told of before, as many as a message holds."""
    with connection.cursor(row_factory=class_row(_Line)) as cursor:
        return cursor.execute(
            _LINES
            + "o.notification_id IS NOT NULL AND o.status = 'firing' AND i.state = 'firing' "
            + "ORDER BY o.outbox_id LIMIT %(most)s",
            {"group": group_id, "most": MOST_ALERTS},
        ).fetchall()


def _finish(connection: psycopg.Connection, message: Message, verdict: Verdict, now: datetime) -> None:
    connection.execute(
        "UPDATE alert_notification SET state = %s, finished_at = %s WHERE notification_id = %s",
        [verdict, now, message.message_id],
    )
    connection.execute(
        """
        DELETE FROM alert_outbox
        WHERE group_id = %(group)s AND instance_id IN (
          SELECT instance_id FROM alert_outbox WHERE notification_id = %(message)s AND status = 'resolved')
        """,
        {"group": message.group_id, "message": message.message_id},
    )
