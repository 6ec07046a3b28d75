"""What the commands of this part share: the database, who enters, the times and files they are given."""

from __future__ import annotations

import datetime as dt
import getpass
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gigawatch_contract.errors import ConfigurationError, GigawatchError
from gigawatch_contract.settings import setting
from gigawatch_database.connect import connect, dsn_or_embedded
from gigawatch_database.migrate import check
from gigawatch_programme import cells, table

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import psycopg


@dataclass(frozen=True)
class Settings:
    """How the registry is reached, and who enters."""

    dsn: str | None = setting(None, help="the database; without one, the embedded server", shared="GIGAWATCH_DSN")
    entered_by: str | None = setting(None, help="who enters: kept with each version (default: your login name)")


@contextmanager
def database(chosen: Settings) -> Generator[psycopg.Connection]:
    """The database, of this version's schema."""
    with (
        dsn_or_embedded(chosen.dsn, report=lambda line: print(line, file=sys.stderr)) as dsn,  # noqa: T201 - progress
        connect(dsn, application_name="gigawatch programme") as connection,
    ):
        check(connection)
        yield connection


def entered_by(chosen: Settings, by_default: str | None = None) -> str:
    """Who enters.

    Raises:
        ConfigurationError: the login has no name, or not one that can be kept.
    """
    try:
        name = chosen.entered_by or by_default or getpass.getuser()
    except (KeyError, OSError):
        raise ConfigurationError("your login has no name: give --entered-by") from None
    try:
        return cells.TEXT.parse(name)
    except ValueError as error:
        raise ConfigurationError(f"entered_by {error}") from None


def moment(text: str | None, flag: str = "--from") -> dt.datetime:
    """A time that a flag gives, in UTC; now, where it is not given.

    Raises:
        ConfigurationError: it is not a time.
    """
    if text is None:
        return dt.datetime.now(dt.UTC)
    try:
        return cells.moment(text)
    except ValueError:
        raise ConfigurationError(f"{flag} {text!r} is not a time (ISO 8601, such as 2026-10-10T08:00Z)") from None


def body(path: Path) -> bytes:
    """What a file holds, as far as it is read at all.

    Raises:
        GigawatchError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(table.MAX_BYTES + 1)
    except OSError as error:
        raise GigawatchError(f"{path}: {error.strerror}") from error
