"""Databases with a small fleet, on TimescaleDB and on plain PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from gigawatch_database.testing import Database

FLEET = """
INSERT INTO factory (factory_id, simulated) VALUES ('sim-a', true), ('sim-b', true);
INSERT INTO node (factory_id, host_name) VALUES ('sim-a', 'a1'), ('sim-a', 'a2'), ('sim-b', 'b1');
INSERT INTO accelerator (factory_id, node_id, hw_id) VALUES
  ('sim-a', 1, 'a1-0'), ('sim-a', 1, 'a1-1'), ('sim-a', 2, 'a2-0'), ('sim-b', 3, 'b1-0');
INSERT INTO inventory_node (factory_id, host_name, accelerators, valid_from, entered_by) VALUES
  ('sim-a', 'a1', 2, '2026-01-01', 'test'), ('sim-a', 'a2', 1, '2026-01-01', 'test'),
  ('sim-a', 'never-seen', 4, '2026-01-01', 'test'), ('sim-b', 'b1', 1, '2026-10-25 00:07:30+00', 'test');
"""


@pytest.fixture(params=["database", "plain_database"])
def each_database(request: pytest.FixtureRequest) -> Database:
    """A fresh migrated database, once on TimescaleDB and once on plain PostgreSQL."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def fleet(each_database: Database) -> Iterator[psycopg.Connection]:
    """A connection to a database with two factories, three nodes, four accelerators and no sample."""
    with each_database.connect() as connection:
        connection.execute(FLEET.encode())
        yield connection
