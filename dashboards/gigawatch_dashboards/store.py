"""The door to the database: a pool of connections that can only read, each answer from one snapshot."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from gigawatch_contract.errors import Unavailable
from gigawatch_database.grade import Grade, detect

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import timedelta

LOG: Final = logging.getLogger(__name__)
WAIT_S: Final = 3
"""How long a page waits for a free connection before it says that the database does not answer."""


class TooSlow(Unavailable):
    """The database answers, and this answer would take too long."""


class Store:
    """Connections for pages. `open` is for the process that serves: a pool does not survive a fork."""

    def __init__(self, dsn: str, *, timeout: timedelta, size: int = 8) -> None:
        self._pool = ConnectionPool(
            dsn,
            min_size=1,
            max_size=size,
            timeout=WAIT_S,
            reconnect_timeout=2 * WAIT_S,  # then the next page asks anew: the waits between tries double without end
            open=False,
            configure=self._configure,
            check=ConnectionPool.check_connection,
            kwargs={"application_name": "gigawatch dashboards", "connect_timeout": WAIT_S},
            name="dashboards",
        )
        self._timeout = timeout
        self._grade: Grade | None = None

    def open(self) -> None:
        """Start to connect; a database that is away now is tried again later."""
        self._pool.open()

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def snapshot(self) -> Generator[psycopg.Connection]:
        """A connection on which everything read is of one moment.

        Raises:
            Unavailable: the database does not answer.
        TooSlow: it does not answer in time.
        """
        try:
            with self._pool.connection() as connection, connection.transaction():
                yield connection
        except PoolTimeout as error:
            raise Unavailable(f"the database gave no connection within {WAIT_S} s") from error
        except psycopg.errors.QueryCanceled as error:
            raise TooSlow(f"the database did not answer within {self._timeout.total_seconds():g} s") from error
        except psycopg.OperationalError as error:
            raise Unavailable("the connection to the database was lost") from error
        except psycopg.Error as error:
            LOG.exception("a query failed")
            raise Unavailable("the database answered with an error, which is in the log of the pages") from error

    def grade(self, connection: psycopg.Connection) -> Grade:
        """The grade of the database: it does not change while a service runs."""
        if self._grade is None:
            self._grade = detect(connection)
        return self._grade

    def _configure(self, connection: psycopg.Connection) -> None:
        timeout = f"{self._timeout.total_seconds() * 1000:.0f}ms"
        connection.execute("SELECT set_config('statement_timeout', %s, false)", [timeout])
        connection.execute("SET timezone = 'UTC'")
        connection.execute("SET jit = off")  # compiling costs more than these queries take
        connection.commit()
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
