"""What the database of the demo holds: asked for the live status and for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

INCIDENT_XID = 79


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The demo's state in figures."""

    nodes_expected: int
    nodes_missing: tuple[str, ...]
    rows: int
    newest: datetime | None
    events: int
    incident_event_id: str | None


def observe(connection: psycopg.Connection, since: datetime) -> Observation:
    """Read the figures. `since`: samples and events count from then on."""
    nodes = connection.execute(
        """
        SELECT i.factory_id || '/' || i.host_name,
               EXISTS (SELECT FROM node n JOIN node_sample s USING (node_id)
                       WHERE n.factory_id = i.factory_id AND n.host_name = i.host_name AND s.time >= %(since)s)
        FROM inventory_node i
        WHERE i.valid_to IS NULL AND i.factory_id LIKE 'sim-%%'
        ORDER BY 1
        """,
        {"since": since},
    ).fetchall()
    rows = connection.execute("SELECT count(*) FROM accelerator_sample WHERE time >= %s", [since]).fetchone()
    newest = connection.execute("SELECT max(newest_time) FROM freshness").fetchone()
    events = connection.execute(
        """
        SELECT count(*), min(event_id) FILTER (WHERE xid_code = %(xid)s)
        FROM event_reading WHERE simulated AND time >= %(since)s
        """,
        {"since": since, "xid": INCIDENT_XID},
    ).fetchone()
    assert rows is not None
    assert newest is not None
    assert events is not None
    return Observation(
        nodes_expected=len(nodes),
        nodes_missing=tuple(name for name, seen in nodes if not seen),
        rows=rows[0],
        newest=newest[0],
        events=events[0],
        incident_event_id=events[1],
    )
