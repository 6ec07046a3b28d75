"""A small fleet for tests, benchmarks and screenshots: its rows are a pure function of time, its faults are planted.

Whoever seeds a database with it can compute what a page must say from the same rows, without asking the database.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from psycopg.types.json import Jsonb

from gigawatch_contract import events
from gigawatch_contract.resource import is_fictional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

Row = dict[str, Any]
BOOT: Final = timedelta(days=3)
"""How long before `Fleet.epoch` the counters started."""
LIMIT_W: Final = 700.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a node, one of its accelerators (`index`), a rack or all, in [since, until)."""

    kind: str
    """lost, unresponsive, silent, hot (throttled by heat), reset (counters start anew at `since`), absent."""
    since: datetime
    until: datetime
    node: str | None = None
    index: int | None = None
    rack: str | None = None

    def hits(self, kind: str, place: Place, at: datetime) -> bool:
        """Whether this fault, of this kind, is on a place at a time."""
        return (
            self.kind == kind
            and self.since <= at < self.until
            and self.node in {None, place.node}
            and self.index in {None, place.index}
            and self.rack in {None, place.rack}
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where an accelerator sits."""

    rack: str
    node: str
    index: int

    @property
    def hw_id(self) -> str:
        """Its UUID: any text will do."""
        return f"GPU-{self.node}-{self.index}"


@dataclass(frozen=True)
class Fleet:
    """A factory: racks of nodes of accelerators, that report every `interval`."""

    epoch: datetime
    factory_id: str = "sim-aurora"
    racks: int = 4
    nodes: int = 4
    accelerators: int = 4
    interval: timedelta = timedelta(seconds=15)
    faults: tuple[Fault, ...] = ()
    model: str = "NVIDIA H200"
    ids: dict[str, int] = field(default_factory=dict[str, int])
    """Ids in the database, by node name and by UUID; filled by `register`."""

    @property
    def places(self) -> list[Place]:
        """Every accelerator that should be there."""
        return [
            Place(f"R{rack:02}", f"r{rack:02}n{node:02}", index)
            for rack in range(1, self.racks + 1)
            for node in range(1, self.nodes + 1)
            for index in range(self.accelerators)
        ]

    def broken(self, kind: str, place: Place, at: datetime) -> bool:
        """Whether a fault of a kind is on a place at a time."""
        return any(fault.hits(kind, place, at) for fault in self.faults)

    def row(self, place: Place, at: datetime) -> Row | None:
        """What an accelerator's sample says at a time; None where none is sent."""
        if self.broken("silent", place, at) or self.broken("absent", place, at):
            return None
        state = next((kind for kind in ("lost", "unresponsive") if self.broken(kind, place, at)), "ok")
        row: Row = {
            "time": at,
            "accelerator_id": self.ids.get(place.hw_id),
            "node_id": self.ids.get(place.node),
            **{f"status_{name}": int(name == state) for name in ("ok", "degraded", "failed", "unresponsive", "lost")},
            "reading_age": 0.1 if state == "ok" else 30.0,
        }
        return row | self._readings(place, at) if state == "ok" else row

    def _readings(self, place: Place, at: datetime) -> Row:
        seconds = (at - self.epoch).total_seconds()
        phase = sum(map(ord, place.hw_id)) % 100
        hot = self.broken("hot", place, at)
        busy = 0.78 + 0.16 * math.sin(seconds / 700 + phase / 40) + 0.04 * math.sin(seconds / 31 + phase)
        busy *= 0.55 if hot else 1.0
        power = 110 + 560 * busy
        started = self.epoch - BOOT
        for fault in self.faults:
            if fault.kind == "reset" and fault.since <= at and fault.hits("reset", place, fault.since):
                started = fault.since
        counted = (at - started).total_seconds()
        thermal = sum(
            (min(at, fault.until) - max(fault.since, started)).total_seconds() * 0.6
            for fault in self.faults
            if fault.kind == "hot" and fault.since <= at and fault.hits("hot", place, fault.since)
        )
        return {
            "counters_since": started,
            "utilization": round(busy, 4),
            "memory_controller_utilization": round(busy * 0.6, 4),
            "memory_used": 100_000_000_000 + phase * 100_000_000,
            "memory_total": 150_754_820_096,
            "power": round(power, 2),
            "power_limit_enforced": LIMIT_W,
            "temperature": round(34 + 0.052 * power + (19 if hot else 0) + phase / 25, 2),
            "sm_clock": 1_980_000_000 if not hot else 1_200_000_000,
            "energy": counted * 520.0,
            "throttle_software_thermal": thermal,
            "throttle_hardware_thermal": 0.0,
            "pcie_receive": int(counted * 2.1e9 * (1 + phase / 500)),
            "pcie_transmit": int(counted * 1.4e9 * (1 + phase / 500)),
            "nvlink_receive": int(counted * 1.1e11),
            "nvlink_transmit": int(counted * 1.2e11),
        }

    def rows(self, since: datetime, until: datetime) -> Iterator[Row]:
        """Every sample of the fleet in (since, until], tick by tick; all nodes tick together."""
        tick = self.epoch + math.floor((since - self.epoch) / self.interval + 1) * self.interval
        while tick <= until:
            yield from filter(None, (self.row(place, tick) for place in self.places))
            tick += self.interval


def register(connection: Connection, fleet: Fleet, *, inventory: bool = True) -> None:
    """Write factory, nodes, accelerators and inventory, and keep their ids in the fleet."""
    connection.execute(
        "INSERT INTO factory (factory_id, simulated) VALUES (%s, %s)",
        [fleet.factory_id, is_fictional(fleet.factory_id)],
    )
    for place in fleet.places:
        if place.node not in fleet.ids:
            row = connection.execute(
                "INSERT INTO node (factory_id, host_name, rack) VALUES (%s, %s, %s) RETURNING node_id",
                [fleet.factory_id, place.node, place.rack],
            ).fetchone()
            assert row is not None  # RETURNING answers for the row that was inserted
            fleet.ids[place.node] = row[0]
            if inventory:
                connection.execute(
                    "INSERT INTO inventory_node (factory_id, host_name, rack, accelerators, model, valid_from, entered_by)"
                    " VALUES (%s, %s, %s, %s, %s, %s, 'test')",
                    [fleet.factory_id, place.node, place.rack, fleet.accelerators, fleet.model, fleet.epoch - BOOT],
                )
        if any(fault.kind == "absent" and fault.hits("absent", place, fault.since) for fault in fleet.faults):
            continue
        row = connection.execute(
            "INSERT INTO accelerator (factory_id, node_id, hw_id, accelerator_index, model) VALUES (%s, %s, %s, %s, %s)"
            " RETURNING accelerator_id",
            [fleet.factory_id, fleet.ids[place.node], place.hw_id, place.index, fleet.model],
        ).fetchone()
        assert row is not None  # as above
        fleet.ids[place.hw_id] = row[0]


def fill(connection: Connection, fleet: Fleet, since: datetime, until: datetime) -> list[Row]:
    """Write every sample of the fleet in (since, until] and the watermark; returns the rows."""
    rows = list(fleet.rows(since, until))
    store(connection, fleet, rows)
    return rows


def store(connection: Connection, fleet: Fleet, rows: list[Row]) -> None:
    """Write samples, a sample of each node beside them, and the watermark."""
    if not rows:
        return
    columns = sorted({column for row in rows for column in row})
    copy = sql.SQL("COPY accelerator_sample ({}) FROM STDIN").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(copy) as writer:
            for row in rows:
                writer.write_row([row.get(column) for column in columns])
        with cursor.copy("COPY node_sample (time, node_id, accelerators) FROM STDIN") as writer:
            counted: dict[tuple[Any, Any], int] = {}
            for row in rows:
                key = (row["time"], row["node_id"])
                counted[key] = counted.get(key, 0) + row["status_ok"]
            for (time, node_id), number in counted.items():
                writer.write_row([time, node_id, number])
        newest = max((row["time"] for row in rows), default=None)
        if newest is not None:
            cursor.execute(
                """
                INSERT INTO freshness VALUES (%(factory)s, %(newest)s, %(newest)s)
                ON CONFLICT (factory_id) DO UPDATE
                  SET newest_time = greatest(freshness.newest_time, excluded.newest_time), received_at = now()
                """,
                {"factory": fleet.factory_id, "newest": newest},
            )


def happen(
    connection: Connection, fleet: Fleet, place: Place, kind: events.Event, at: datetime, **attributes: Any
) -> str:
    """Write an event of an accelerator; returns its id."""
    identity = events.event_id(kind.name, place.hw_id, round(at.timestamp() * 1e9))
    connection.execute(
        """
        INSERT INTO event (event_id, time, factory_id, node_id, accelerator_id, name, severity_number, body, attributes)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            identity,
            at,
            fleet.factory_id,
            fleet.ids[place.node],
            fleet.ids.get(place.hw_id),
            kind.name,
            events.SEVERITY_NUMBER[kind.severity],
            kind.description,
            Jsonb(attributes),
        ],
    )
    return identity
