"""How much time one chunk of samples spans: the indexes that are being written must stay in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psycopg

INDEX_BYTES: Final = 35
"""What a sample adds to UNIQUE (accelerator_id, time): 16 bytes and their place, in pages two thirds full."""
SHARE: Final = 0.25
"""Of the server's memory, for the indexes of the chunk that is being written."""
CHOICES: Final = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 8, 12, 24))
"""Each divides the next day evenly. Less than an hour makes too many chunks, more than a day is dropped too coarsely."""


def interval(*, accelerators: int, tick_s: float, memory_bytes: int) -> timedelta:
    """The widest chunk whose index fits in its share of memory. Pure."""
    bytes_per_s = accelerators / tick_s * INDEX_BYTES
    fitting = [choice for choice in CHOICES if bytes_per_s * choice.total_seconds() <= SHARE * memory_bytes]
    return fitting[-1] if fitting else CHOICES[0]


def adjust(connection: psycopg.Connection) -> timedelta | None:
    """Set the interval of coming chunks to what the fleet of now asks for; returns it if it changed (TimescaleDB)."""
    row = connection.execute(_FLEET).fetchone()
    assert row is not None  # aggregates always have a row
    accelerators, tick_s, memory_bytes, current = row
    wanted = interval(accelerators=accelerators, tick_s=tick_s, memory_bytes=memory_bytes)
    if wanted == current:
        return None
    connection.execute("SELECT set_chunk_time_interval('accelerator_sample', %s::interval)", [wanted])
    return wanted


# What is there or should be, whichever is more; effective_cache_size is what the server says of its machine's memory.
_FLEET = """
SELECT
  greatest(
    (SELECT count(*) FROM accelerator),
    (SELECT sum(accelerators) FROM inventory_node WHERE valid_to IS NULL)
  ),
  (SELECT coalesce(min(export_interval_s(f.factory_id, now())), w.export_interval_s) FROM factory f),
  (SELECT pg_size_bytes(current_setting('effective_cache_size'))),
  (
    SELECT time_interval FROM timescaledb_information.dimensions
    WHERE hypertable_name = 'accelerator_sample' AND column_name = 'time'
  )
FROM storage_window w
"""
