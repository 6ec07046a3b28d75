"""Community: when chunks go into the columnstore, kept in step with the windows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gigawatch_database.rollup.levels import BY_TABLE

if TYPE_CHECKING:
    import psycopg

    from gigawatch_database.rollup.windows import Windows

REST = timedelta(days=7)
"""After the last repair, before a level is compressed: its chunks are whole then, and nobody writes to them."""


def compress_after(table: str, windows: Windows) -> timedelta:
    """How old a table's chunk is when it is compressed: samples when none is accepted, levels when none is repaired. Pure."""
    return windows.repair + REST if table in BY_TABLE else windows.compress_after


def align(connection: psycopg.Connection, windows: Windows) -> int:
    """Give TimescaleDB's own jobs the spans of the windows; returns how many changed."""
    rows = connection.execute(
        """
        SELECT job_id, hypertable_name, (config ->> 'compress_after')::interval FROM timescaledb_information.jobs
        WHERE proc_name IN ('policy_compression', 'policy_columnstore') AND hypertable_schema = 'public'
        """
    ).fetchall()
    changed = [(job, compress_after(name, windows)) for job, name, now in rows if now != compress_after(name, windows)]
    for job, wanted in changed:
        connection.execute(
            "SELECT alter_job(job_id, config => config || jsonb_build_object('compress_after', %s::interval)) "
            "FROM timescaledb_information.jobs WHERE job_id = %s",
            [wanted, job],
        )
    return len(changed)
