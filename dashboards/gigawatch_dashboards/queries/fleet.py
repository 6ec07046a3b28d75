"""The factories that send telemetry: how fresh each is, and what it does now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from gigawatch_dashboards.moment import Window


@dataclass(frozen=True, slots=True)
class Sender:
    """A factory that has sent telemetry: the time of its newest sample, and when that was stored."""

    factory_id: str
    simulated: bool
    newest_time: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Inventory:
    """What should be in a factory, and what of it was not heard of, node by node: a surplus on one hides no other."""

    factory_id: str
    accelerators: int
    missing: int
    silent: int
    """Nodes that sent nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest reading of each accelerator of a factory within a window, taken together; power in W."""

    factory_id: str
    answering: int
    lost: int
    unresponsive: int
    failed: int
    degraded: int
    throttling: int
    utilization: float | None
    power: float | None
    power_known: int


def senders(connection: Connection, factory_id: str | None = None) -> list[Sender]:
    """All factories that have sent telemetry, or one, by id."""
    with connection.cursor(row_factory=class_row(Sender)) as cursor:
        return cursor.execute(
            """
            SELECT factory_id, simulated, newest_time, received_at
            FROM factory JOIN freshness USING (factory_id)
            WHERE %(factory)s::text IS NULL OR factory_id = %(factory)s
            ORDER BY factory_id
            """,
            {"factory": factory_id},
        ).fetchall()


def inventories(connection: Connection, at: datetime, window: Window) -> dict[str, Inventory]:
    """What should be in each factory at a moment, and was not heard of in a window; one without inventory is absent."""
    with connection.cursor(row_factory=class_row(Inventory)) as cursor:
        rows = cursor.execute(
            """
            WITH heard AS (
              SELECT factory_id, host_name, count(DISTINCT accelerator_id) AS accelerators
              FROM accelerator_reading
              WHERE time > %(since)s AND time <= %(until)s
              GROUP BY factory_id, host_name
            ), reporting AS (
              SELECT DISTINCT factory_id, host_name
              FROM node_reading
              WHERE time > %(since)s AND time <= %(until)s
            )
            SELECT
              i.factory_id,
              sum(i.accelerators)::int AS accelerators,
              sum(greatest(0, i.accelerators - coalesce(h.accelerators, 0)))::int AS missing,
              count(*) FILTER (WHERE h.host_name IS NULL AND r.host_name IS NULL)::int AS silent
            FROM inventory_node i
            LEFT JOIN heard h USING (factory_id, host_name)
            LEFT JOIN reporting r USING (factory_id, host_name)
            WHERE i.valid_from <= %(at)s AND (i.valid_to IS NULL OR i.valid_to > %(at)s)
            GROUP BY i.factory_id
            """,
            {"at": at, "since": window.since, "until": window.until},
        ).fetchall()
    return {row.factory_id: row for row in rows}


def readings(connection: Connection, window: Window) -> dict[str, Reading]:
    """What each factory does, by the newest sample of each accelerator in the window."""
    with connection.cursor(row_factory=class_row(Reading)) as cursor:
        rows = cursor.execute(
            """
            WITH recent AS (
              SELECT *,
                coalesce(throttle_software_thermal + throttle_hardware_thermal, throttle_software_thermal,
                  throttle_hardware_thermal) AS thermal
              FROM accelerator_reading
              WHERE time > %(since)s AND time <= %(until)s
            ), newest AS (
              SELECT DISTINCT ON (accelerator_id) *,
                thermal > min(thermal) OVER (PARTITION BY accelerator_id) AS throttled
              FROM recent
              ORDER BY accelerator_id, time DESC
            )
            SELECT
              factory_id,
              count(*) FILTER (
                WHERE coalesce(status_lost, 0) + coalesce(status_unresponsive, 0) = 0) AS answering,
              count(*) FILTER (WHERE status_lost = 1) AS lost,
              count(*) FILTER (WHERE status_unresponsive = 1) AS unresponsive,
              count(*) FILTER (WHERE status_failed = 1) AS failed,
              count(*) FILTER (WHERE status_degraded = 1) AS degraded,
              count(*) FILTER (WHERE throttled) AS throttling,
              avg(utilization) AS utilization,
              sum(power::float8) AS power,
              count(power) AS power_known
            FROM newest
            GROUP BY factory_id
            """,
            {"since": window.since, "until": window.until},
        ).fetchall()
    return {row.factory_id: row for row in rows}
