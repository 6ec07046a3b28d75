"""The collector's connections to the database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from gigawatch_collector.catalogue import Catalogue
from gigawatch_collector.columns import TABLES
from gigawatch_collector.directory import Directory
from gigawatch_collector.ids import ACCELERATOR, NODE, Register
from gigawatch_collector.merge import prepare
from gigawatch_collector.store import Store
from gigawatch_database import connect, migrate

if TYPE_CHECKING:
    from gigawatch_collector.settings import Settings
    from gigawatch_database.grade import Grade

NAME = "gigawatch collector"


@dataclass(frozen=True, slots=True)
class Database:
    """Where the collector writes."""

    dsn: str
    settings: Settings

    def check(self) -> Grade:
        """Check that the database answers and that its schema fits; returns its grade.

        Raises:
            GigawatchError: it does not.
        """
        with connect.connect(self.dsn, application_name=NAME) as connection:
            return migrate.check(connection)

    async def open(self) -> Store:
        """A connection to write through, to a database that was just checked.

        Raises:
            GigawatchError, psycopg.Error: there is none to be had.
        """
        await asyncio.to_thread(self.check)
        connection = await psycopg.AsyncConnection.connect(
            self.dsn, autocommit=True, application_name=NAME, connect_timeout=5
        )
        try:
            # An answer is a promise: the commit must be on the disk, whatever the server's default is.
            await connection.execute("SET synchronous_commit = on; SET timezone = 'UTC'")
            await prepare(connection, TABLES)
            directory = Directory(
                Catalogue(self.settings.series_limit),
                Register(NODE, self.settings.node_limit),
                Register(ACCELERATOR, self.settings.accelerator_limit),
            )
            store = Store(connection, directory, self.settings.accept_window)
            await store.make_room()
        except BaseException:
            await connection.close()
            raise
        return store
