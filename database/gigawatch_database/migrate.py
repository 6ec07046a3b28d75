"""The schema, brought up to date: run-once files in order, each in a transaction of its own, then the repeatable ones.

`schema_migration` keeps what ran, with its text. Services never migrate; they `check`.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from gigawatch_contract.errors import ConfigurationError, SchemaError, Unavailable
from gigawatch_database import comments, files
from gigawatch_database.grade import Grade, detect

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from gigawatch_database.files import File

LOCK = 4747_0001
"""The advisory lock that one migrator holds."""

_LACKS = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction)

LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
  name text PRIMARY KEY,
  sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  body text NOT NULL
)
"""


@dataclass(frozen=True)
class Plan:
    """What is still to run. `repeat` is all repeatable files, if any of them changed."""

    once: list[File] = field(default_factory=list["File"])
    repeat: list[File] = field(default_factory=list["File"])
    changed: int = 0

    def __len__(self) -> int:
        return len(self.once) + self.changed


def pending(known: Sequence[File], applied: Mapping[str, str]) -> Plan:
    """What is to run, given the files and the hashes of those that ran, by name.

    Raises:
        SchemaError: a run-once file was edited after it ran, or one that ran is not among the files.
    """
    names = {file.name for file in known}
    strangers = sorted(name for name in applied if name not in names and files.File(name, "").number is not None)
    if strangers:
        raise SchemaError(
            f"the database has {strangers[0]}, which this version of Gigawatch does not know: "
            f"it was migrated by a newer one; update Gigawatch"
        )
    for file in known:
        if file.number is not None and applied.get(file.name, file.sha256) != file.sha256:
            raise SchemaError(
                f"{file.name} was edited after it ran on this database: put it back, and make the change in a new file"
            )
    once = [file for file in known if file.number is not None and file.name not in applied]
    repeatable = [file for file in known if file.number is None]
    changed = sum(applied.get(file.name) != file.sha256 for file in repeatable)
    gone = [name for name in applied if name not in names]
    return Plan(once, repeatable if changed or gone or once else [], changed)


def migrate(
    connection: psycopg.Connection, *, report: Callable[[str], None] = print, root: Path | None = None
) -> list[str]:
    """Bring the schema up to date on an autocommit connection; returns the names of the files that ran.

    Raises:
        SchemaError: the history does not fit, or a file fails; the message names file and line.
        Unavailable: another migrator or a reader holds a lock for too long.
    """
    with _worded(), _alone(connection):
        _join_timescale(connection)
        connection.execute(LEDGER)
        applied = _applied(connection)
        known = _known(detect(connection), root)
        plan = pending(known, {name: sha256 for name, (sha256, _) in applied.items()})
        for file in plan.once:
            with connection.transaction():
                _run(connection, file)
                _record(connection, file)
            report(file.name)
        if plan.repeat:
            old = [files.File(name, body) for name, (_, body) in applied.items()]
            with connection.transaction():
                _repeat(connection, plan.repeat, old)
            report(f"{len(plan.repeat)} files of views and functions")
        connection.execute("SELECT ensure_partitions(now() - interval '1 day', now() + interval '7 days')")
        return [file.name for file in (*plan.once, *plan.repeat)]


def check(connection: psycopg.Connection, root: Path | None = None) -> Grade:
    """Check that the schema fits this code, as each service does at its start; returns the grade.

    Raises:
        SchemaError: it is older (run `gigawatch migrate`) or newer.
    """
    with _worded():
        grade = detect(connection)
        applied = {name: sha256 for name, (sha256, _) in _applied(connection).items()}
    missing = len(pending(_known(grade, root), applied))
    if missing:
        raise SchemaError(
            f"the database lacks {missing} file{'s' if missing > 1 else ''} of this version's schema: run `gigawatch migrate`"
        )
    return grade


@contextmanager
def _worded() -> Generator[None]:
    """Say in a sentence what a database refuses, or that it is gone."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"GIGAWATCH_DSN (--dsn) names a user who may not do this: {_first_line(error)}; "
            "use the one who owns the database, or GRANT it what is missing"
        ) from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database went away: {_first_line(error)}") from error


@contextmanager
def _alone(connection: psycopg.Connection) -> Generator[None]:
    """Hold the migrators' lock; waits a minute for it, and for what a reader holds."""
    connection.execute("SET lock_timeout = '60s'")
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    except psycopg.errors.LockNotAvailable as error:
        raise Unavailable("another `gigawatch migrate` has been running on this database for a minute") from error
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):  # a connection that is gone has let go
            connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
            connection.execute("RESET lock_timeout")


def _known(grade: Grade, root: Path | None) -> list[File]:
    """The schema's files; `root` stands in for them in tests."""
    return files.read(grade, root) if root else [*files.read(grade), comments.file()]


def _applied(connection: psycopg.Connection) -> dict[str, tuple[str, str]]:
    """Hash and text of what ran, by name; nothing ran where there is no ledger."""
    there = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
    if there != (True,):
        return {}
    rows = connection.execute("SELECT name, sha256, body FROM schema_migration").fetchall()
    return {name: (sha256, body) for name, sha256, body in rows}


def _join_timescale(connection: psycopg.Connection) -> None:
    """Have TimescaleDB in a new database where the server offers it.

    Raises:
        SchemaError: the server offers it and refuses it; a schema made now would be plain for good.
    """
    offered = connection.execute(
        "SELECT to_regclass('schema_migration') IS NULL AND EXISTS "
        "(SELECT FROM pg_available_extensions WHERE name = 'timescaledb' AND installed_version IS NULL)"
    ).fetchone()
    if offered != (True,):
        return
    try:
        connection.execute("CREATE EXTENSION timescaledb")
    except psycopg.Error as error:
        raise SchemaError(
            f"the server offers TimescaleDB and does not let this user have it ({_first_line(error)}): run "
            f"`CREATE EXTENSION timescaledb` in the database as a superuser, then `gigawatch migrate` again"
        ) from error


def _run(connection: psycopg.Connection, file: File) -> None:
    for line, statement in file.statements():
        try:
            connection.execute(statement.encode())
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable(
                f"{file.name}: a long query holds what this changes; try again when it is over"
            ) from error
        except psycopg.Error as error:
            position = int(error.diag.statement_position or 1)
            at = line + statement.count("\n", 0, position - 1)
            raise SchemaError(f"{file.name}, line {at}: {_first_line(error)}; nothing of this file was kept") from error


def _repeat(connection: psycopg.Connection, repeatable: Sequence[File], old: Iterable[File]) -> None:
    """Make all views and functions anew, in one transaction: readers see the old ones or the new ones.

    A view may rest on one of a file that comes later: what lacks something waits until the others are done.
    """
    views = {view for file in (*old, *repeatable) for view in file.views}
    if views:
        names = sql.SQL(", ").join(map(sql.Identifier, sorted(views)))
        try:
            connection.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(names))
        except psycopg.errors.DependentObjectsStillExist as error:
            raise SchemaError(
                f"a view that is not ours rests on ours: {error.diag.message_detail}; drop it, migrate, make it again"
            ) from error
    waiting = list(repeatable)
    while waiting:
        failed: list[tuple[File, SchemaError]] = []
        for file in waiting:
            try:
                with connection.transaction():
                    _run(connection, file)
            except SchemaError as error:
                if not isinstance(error.__cause__, _LACKS):
                    raise
                failed.append((file, error))
        if len(failed) == len(waiting):
            raise failed[0][1]
        waiting = [file for file, _ in failed]
    connection.execute("DELETE FROM schema_migration WHERE name !~ '(^|/)[0-9]{4}_[^/]*$'")
    for file in repeatable:
        _record(connection, file)


def _record(connection: psycopg.Connection, file: File) -> None:
    connection.execute(
        "INSERT INTO schema_migration (name, sha256, body) VALUES (%s, %s, %s)", [file.name, file.sha256, file.body]
    )


def _first_line(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).partition("\n")[0]
