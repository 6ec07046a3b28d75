"""One factory over time: one row for each span of equal width that holds a sample, reduced in the database.

A span is named by its start, and the last one ends with the window's end included, so that every span is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from psycopg import sql
from psycopg.rows import class_row

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from gigawatch_dashboards.moment import Spans, Window

TICK: Final = timedelta(microseconds=1)
"""The resolution of time in the database: spans begin a tick after the one before ended with its end included."""
RATES: Final = ("pcie_receive", "pcie_transmit", "nvlink_receive", "nvlink_transmit")
COUNTERS: Final = (*RATES, "throttle_software_thermal", "throttle_hardware_thermal")


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the accelerators of a factory showed in one span: each accelerator's own mean first, then over them."""

    start: datetime
    samples: int
    accelerators: int
    utilization: float | None
    utilization_min: float | None
    utilization_max: float | None
    power: float | None
    power_limit: float | None
    temperature: float | None
    temperature_max: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """What the counters of a factory gained per second in one span (By/s), and how many accelerators were throttled."""

    start: datetime
    accelerators: int
    pcie_receive: float | None
    pcie_transmit: float | None
    nvlink_receive: float | None
    nvlink_transmit: float | None
    throttled: int


@dataclass(frozen=True, slots=True)
class Expected:
    """Accelerators that should be there while one version of the inventory holds."""

    valid_from: datetime
    valid_to: datetime | None
    accelerators: int


def gauges(connection: Connection, factory_id: str, spans: Spans) -> list[Gauges]:
    """The gauges of a factory; a span without a sample has no row."""
    with connection.cursor(row_factory=class_row(Gauges)) as cursor:
        return cursor.execute(
            """
            WITH one AS (
              SELECT
                date_bin(%(width)s, time, %(origin)s) AS start,
                accelerator_id,
                count(*) AS samples,
                avg(utilization) AS utilization,
                min(utilization) AS utilization_min,
                max(utilization) AS utilization_max,
                avg(power) AS power,
                avg(power_limit_enforced) AS power_limit,
                avg(temperature) AS temperature,
                max(temperature) AS temperature_max
              FROM accelerator_reading
              WHERE factory_id = %(factory)s AND time > %(since)s AND time <= %(until)s
              GROUP BY 1, 2
            )
            SELECT
              start,
              sum(samples)::int8 AS samples,
              count(*) AS accelerators,
              avg(utilization) AS utilization,
              min(utilization_min) AS utilization_min,
              max(utilization_max) AS utilization_max,
              sum(power) AS power,
              sum(power_limit) AS power_limit,
              avg(temperature) AS temperature,
              max(temperature_max) AS temperature_max
            FROM one
            GROUP BY start
            ORDER BY start
            """,
            {"factory": factory_id, **_parameters(spans)},
        ).fetchall()


def rates(connection: Connection, factory_id: str, spans: Spans, gap: timedelta) -> list[Rates]:
    """The rates of a factory. What was counted across a gap longer than `gap` is in no span."""
    query = sql.SQL(
        """
        WITH sample AS (
          SELECT accelerator_id, time, counters_since, {columns}, lag(time) OVER own AS previous_time, {previous}
          FROM accelerator_reading
          WHERE factory_id = %(factory)s AND time > %(before)s AND time <= %(until)s
          WINDOW own AS (PARTITION BY accelerator_id ORDER BY time)
        ), step AS (
          SELECT date_bin(%(width)s, time, %(origin)s) AS start, accelerator_id,
            date_part('epoch', time - previous_time) AS seconds, {gains}
          FROM sample
          WHERE time > %(since)s AND time - previous_time <= %(gap)s
        ), one AS (
          SELECT start, accelerator_id, {rates},
            coalesce(sum(throttle_software_thermal), 0) + coalesce(sum(throttle_hardware_thermal), 0) > 0 AS throttled
          FROM step
          GROUP BY start, accelerator_id
        )
        SELECT start, count(*) AS accelerators, {sums}, count(*) FILTER (WHERE throttled) AS throttled
        FROM one
        GROUP BY start
        ORDER BY start
        """
    ).format(
        columns=_each("{column}", COUNTERS),
        previous=_each("lag({column}) OVER own AS {previous}", COUNTERS),
        # A fall is a reset, and so is a start of counting between two samples: what is counted since then is the gain.
        gains=_each(
            "CASE WHEN {column} < {previous} OR counters_since > previous_time AND {previous} IS NOT NULL THEN {column}"
            " ELSE {column} - {previous} END::float8 AS {column}",
            COUNTERS,
        ),
        rates=_each("sum({column}) / sum(seconds) FILTER (WHERE {column} IS NOT NULL) AS {column}", RATES),
        sums=_each("sum({column}) AS {column}", RATES),
    )
    with connection.cursor(row_factory=class_row(Rates)) as cursor:
        return cursor.execute(
            query,
            {"factory": factory_id, "before": spans.since - gap, "gap": gap, **_parameters(spans)},
        ).fetchall()


def expected(connection: Connection, factory_id: str, window: Window) -> list[Expected]:
    """How many accelerators the inventory holds, for each span of validity that touches a window."""
    with connection.cursor(row_factory=class_row(Expected)) as cursor:
        return cursor.execute(
            """
            SELECT valid_from, valid_to, sum(accelerators)::int AS accelerators
            FROM inventory_node
            WHERE factory_id = %(factory)s AND valid_from <= %(until)s AND (valid_to IS NULL OR valid_to > %(since)s)
            GROUP BY valid_from, valid_to
            ORDER BY valid_from
            """,
            {"factory": factory_id, "since": window.since, "until": window.until},
        ).fetchall()


def _parameters(spans: Spans) -> dict[str, datetime | timedelta]:
    return {"since": spans.since, "until": spans.bound, "width": spans.width, "origin": spans.until + TICK}


def _each(template: str, columns: tuple[str, ...]) -> sql.Composed:
    """A list of expressions, one for each column of ours."""
    return sql.SQL(", ").join(
        sql.SQL(template).format(column=sql.Identifier(column), previous=sql.Identifier(f"previous_{column}"))  # pyright: ignore[reportArgumentType] - literals of this module
        for column in columns
    )
