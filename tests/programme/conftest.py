from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gigawatch_programme.registry import SHIPPED
from gigawatch_programme.sheets import SHEETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from gigawatch_database.testing import Database


@pytest.fixture
def shipped() -> dict[str, bytes]:
    """The bytes of the shipped files, by name: to be changed by a test."""
    return {sheet.file: (SHIPPED / sheet.file).read_bytes() for sheet in SHEETS}


@pytest.fixture(params=["database", "plain_database"])
def connection(request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    """A connection to a fresh database, of each grade that this machine can have."""
    database: Database = request.getfixturevalue(request.param)
    with database.connect() as connection:
        yield connection
