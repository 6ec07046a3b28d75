"""One factory at a moment: what should be there, what reports, what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import Connection

    from gigawatch_dashboards.moment import Window


@dataclass(frozen=True, slots=True)
class InventoryNode:
    """A node that should be there."""

    host_name: str
    rack: str | None
    accelerators: int
    model: str | None


@dataclass(frozen=True, slots=True)
class Accelerator:
    """The newest sample of an accelerator in the window; base units of the contract."""

    accelerator_id: int
    host_name: str
    rack: str | None
    hw_id: str
    accelerator_index: int | None
    model: str | None
    time: datetime
    state: str | None
    """As the exporter says it; None where the sender gives none."""
    utilization: float | None
    power: float | None
    temperature: float | None
    throttled: float | None
    """Share of the window in which it was throttled for thermal reasons; None where that is not known.

    Both reasons are counted: where they hold together the share may exceed 1.
    """


@dataclass(frozen=True, slots=True)
class Known:
    """An accelerator that has reported at some time."""

    accelerator_id: int
    host_name: str
    hw_id: str
    accelerator_index: int | None
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A node that has reported at some time, and when it last did within the search."""

    host_name: str
    rack: str | None
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class Happened:
    """An event; its id is the one in the webhook."""

    event_id: str
    time: datetime
    host_name: str | None
    hw_id: str | None
    accelerator_index: int | None
    name: str
    severity_number: int | None
    xid_code: int | None
    body: str | None


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that fires; `known` is false while the data that could end it is missing."""

    rule: str
    factory_id: str | None
    severity: str | None
    fired_at: datetime
    known: bool
    summary: str | None
    host_name: str | None


def inventory(connection: Connection, factory_id: str, at: datetime) -> list[InventoryNode]:
    """What should be in a factory at a moment, by rack and name."""
    with connection.cursor(row_factory=class_row(InventoryNode)) as cursor:
        return cursor.execute(
            """
            SELECT host_name, rack, accelerators, model
            FROM inventory_node
            WHERE factory_id = %(factory)s AND valid_from <= %(at)s AND (valid_to IS NULL OR valid_to > %(at)s)
            ORDER BY rack, host_name
            """,
            {"factory": factory_id, "at": at},
        ).fetchall()


def accelerators(connection: Connection, factory_id: str, window: Window) -> list[Accelerator]:
    """The newest sample in the window of each accelerator of a factory."""
    with connection.cursor(row_factory=class_row(Accelerator)) as cursor:
        return cursor.execute(
            """
            WITH recent AS (
              SELECT *,
                coalesce(throttle_software_thermal + throttle_hardware_thermal, throttle_software_thermal,
                  throttle_hardware_thermal) AS thermal
              FROM accelerator_reading
              WHERE factory_id = %(factory)s AND time > %(since)s AND time <= %(until)s
            ), step AS (
              SELECT *,
                CASE WHEN thermal < lag(thermal) OVER one THEN thermal ELSE thermal - lag(thermal) OVER one END AS rise,
                extract(epoch FROM time - lag(time) OVER one) AS seconds
              FROM recent
              WINDOW one AS (PARTITION BY accelerator_id ORDER BY time)
            )
            SELECT DISTINCT ON (accelerator_id)
              accelerator_id, host_name, rack, hw_id, accelerator_index, model, time,
              CASE 1
                WHEN status_lost THEN 'lost'
                WHEN status_unresponsive THEN 'unresponsive'
                WHEN status_failed THEN 'failed'
                WHEN status_degraded THEN 'degraded'
                WHEN status_ok THEN 'ok'
              END AS state,
              utilization, power, temperature,
              (sum(rise) OVER every / sum(seconds) FILTER (WHERE rise IS NOT NULL) OVER every)::float8 AS throttled
            FROM step
            WINDOW every AS (PARTITION BY accelerator_id)
            ORDER BY accelerator_id, time DESC
            """,
            {"factory": factory_id, "since": window.since, "until": window.until},
        ).fetchall()


def last_ok(connection: Connection, ids: Sequence[int], window: Window) -> dict[int, datetime]:
    """When each of some accelerators was last all right within the window; absent where it was not."""
    rows = connection.execute(
        """
        SELECT a.accelerator_id, last.time
        FROM unnest(%(ids)s::int[]) AS a (accelerator_id)
        CROSS JOIN LATERAL (
          SELECT s.time FROM accelerator_sample s
          WHERE s.accelerator_id = a.accelerator_id AND s.status_ok = 1 AND s.time > %(since)s AND s.time <= %(until)s
          ORDER BY s.time DESC LIMIT 1
        ) last
        """,
        {"ids": list(ids), "since": window.since, "until": window.until},
    ).fetchall()
    return dict(rows)


def known_accelerators(
    connection: Connection, factory_id: str, host_names: Sequence[str], window: Window
) -> list[Known]:
    """The accelerators that some nodes have ever reported, and when each was last heard of within the window."""
    with connection.cursor(row_factory=class_row(Known)) as cursor:
        return cursor.execute(
            """
            SELECT a.accelerator_id, n.host_name, a.hw_id, a.accelerator_index, last.time AS last_seen
            FROM accelerator a
            JOIN node n USING (node_id)
            LEFT JOIN LATERAL (
              SELECT s.time FROM accelerator_sample s
              WHERE s.accelerator_id = a.accelerator_id AND s.time > %(since)s AND s.time <= %(until)s
              ORDER BY s.time DESC LIMIT 1
            ) last ON true
            WHERE n.factory_id = %(factory)s AND n.host_name = ANY(%(names)s)
            ORDER BY n.host_name, a.accelerator_index, a.hw_id
            """,
            {"factory": factory_id, "names": list(host_names), "since": window.since, "until": window.until},
        ).fetchall()


def seen_nodes(connection: Connection, factory_id: str, reporting: Sequence[str], window: Window) -> list[Seen]:
    """The nodes that have reported before and are not among those that report now, and when each last did."""
    with connection.cursor(row_factory=class_row(Seen)) as cursor:
        return cursor.execute(
            """
            SELECT n.host_name, n.rack, greatest(own.time, accelerators.time) AS last_seen
            FROM node n
            LEFT JOIN LATERAL (
              SELECT s.time FROM node_sample s
              WHERE s.node_id = n.node_id AND s.time > %(since)s AND s.time <= %(until)s
              ORDER BY s.time DESC LIMIT 1
            ) own ON true
            LEFT JOIN LATERAL (
              SELECT max(last.time) AS time
              FROM accelerator a
              CROSS JOIN LATERAL (
                SELECT s.time FROM accelerator_sample s
                WHERE s.accelerator_id = a.accelerator_id AND s.time > %(since)s AND s.time <= %(until)s
                ORDER BY s.time DESC LIMIT 1
              ) last
              WHERE a.node_id = n.node_id
            ) accelerators ON true
            WHERE n.factory_id = %(factory)s AND NOT n.host_name = ANY(%(reporting)s)
            ORDER BY n.host_name
            """,
            {"factory": factory_id, "reporting": list(reporting), "since": window.since, "until": window.until},
        ).fetchall()


def newest_sample(connection: Connection, factory_id: str, window: Window) -> datetime | None:
    """The time of the newest sample of any accelerator of a factory; for short windows."""
    row = connection.execute(
        """
        SELECT max(time) FROM accelerator_reading
        WHERE factory_id = %(factory)s AND time > %(since)s AND time <= %(until)s
        """,
        {"factory": factory_id, "since": window.since, "until": window.until},
    ).fetchone()
    return row[0] if row else None


def reporting_nodes(connection: Connection, factory_id: str, window: Window) -> list[str]:
    """The nodes that sent samples of their own in the window, with or without an accelerator."""
    rows = connection.execute(
        """
        SELECT DISTINCT host_name FROM node_reading
        WHERE factory_id = %(factory)s AND time > %(since)s AND time <= %(until)s
        """,
        {"factory": factory_id, "since": window.since, "until": window.until},
    ).fetchall()
    return [host_name for (host_name,) in rows]


def events(
    connection: Connection, factory_id: str, window: Window, *, marked: str | None, limit: int
) -> list[Happened]:
    """The newest events of a factory in the window, newest first, and the marked one whenever it was."""
    with connection.cursor(row_factory=class_row(Happened)) as cursor:
        return cursor.execute(
            """
            (SELECT event_id, time, host_name, hw_id, accelerator_index, name, severity_number, xid_code, body
            FROM event_reading
            WHERE factory_id = %(factory)s AND time > %(since)s AND time <= %(until)s
            ORDER BY time DESC, event_id LIMIT %(limit)s)
            UNION
            SELECT event_id, time, host_name, hw_id, accelerator_index, name, severity_number, xid_code, body
            FROM event_reading
            WHERE event_id = %(marked)s AND factory_id = %(factory)s
            ORDER BY time DESC, event_id
            """,
            {"factory": factory_id, "since": window.since, "until": window.until, "marked": marked, "limit": limit},
        ).fetchall()


def open_alerts(connection: Connection, factory_id: str | None, at: datetime) -> list[OpenAlert]:
    """The alerts that fired and were not resolved at a moment, of a factory or of all, the newest first."""
    with connection.cursor(row_factory=class_row(OpenAlert)) as cursor:
        return cursor.execute(
            """
            SELECT rule, labels ->> 'factory' AS factory_id, labels ->> 'severity' AS severity, fired_at,
              unknown_since IS NULL OR unknown_since > %(at)s AS known,
              annotations ->> 'summary' AS summary, labels ->> 'node' AS host_name
            FROM alert_instance
            WHERE fired_at <= %(at)s AND (resolved_at IS NULL OR resolved_at > %(at)s)
              AND (%(factory)s::text IS NULL OR labels ->> 'factory' = %(factory)s)
            ORDER BY fired_at DESC, instance_id
            """,
            {"factory": factory_id, "at": at},
        ).fetchall()
