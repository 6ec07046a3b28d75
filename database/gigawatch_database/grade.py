"""What a database offers: the grades of TimescaleDB's licences, or PostgreSQL alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import psycopg

Grade = Literal["community", "apache", "plain"]

TITLES: Final[dict[Grade, str]] = {
    "community": "TimescaleDB, Community licence",
    "apache": "TimescaleDB, Apache licence",
    "plain": "plain PostgreSQL, without TimescaleDB",
}


def detect(connection: psycopg.Connection) -> Grade:
    """The grade of a database. A schema that was made with partitions stays plain when TimescaleDB joins it later."""
    row = connection.execute(
        """
        SELECT
          EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('accelerator_sample') AND relkind = 'p'),
          EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb'),
          current_setting('timescaledb.license', true)
        """
    ).fetchone()
    assert row is not None  # a SELECT without FROM has one row
    partitioned, extension, licence = row
    if partitioned or not extension:
        return "plain"
    return "community" if licence == "timescale" else "apache"
