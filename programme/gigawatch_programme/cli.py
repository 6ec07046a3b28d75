"""`gigawatch programme`: the registry of factories, and the inventory of what should be there."""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_contract import command, settings
from gigawatch_contract.errors import ConfigurationError, GigawatchError
from gigawatch_contract.settings import setting
from gigawatch_database.connect import connect, dsn_or_embedded
from gigawatch_database.migrate import check
from gigawatch_programme import cells, facts, inventory, registry, report, store, table

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import psycopg

PART: Final = "programme"
FILES: Final = f"""\
The files are CSV (UTF-8, commas, a header), to be edited in any spreadsheet. An empty cell is "not disclosed" or "not
found"; 0 is "confirmed none". `read` says who read the source: primary (the owner's own text), secondary (press, analyst,
mirror), second-hand (somebody who quotes it), none (looked for, not found). Sources that differ are rows side by side.
Dates: 2026-03-16, 2026-03, 2026-Q4, 2026. The files shipped with this version, to copy and edit, are in
{registry.SHIPPED}"""
INVENTORY: Final = """\
FILE is CSV with the columns factory_id, host_name, rack, accelerators, model (rack and model may be empty), and lists
all nodes of each factory that it names; factories that it does not name stay as they are. A node that changed or is no
longer listed keeps its row, closed at --from. `gigawatch simulate --inventory` writes such a file."""


@dataclass(frozen=True)
class Settings:
    """How the registry is reached, and who enters."""

    dsn: str | None = setting(None, help="the database; without one, the embedded server", shared="GIGAWATCH_DSN")
    entered_by: str | None = setting(None, help="who enters: kept with each version (default: your login name)")


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch-programme") -> int:
    """Run a subcommand; returns its exit code."""
    arguments = _parser(prog).parse_args(argv)
    return command.run(prog, lambda: arguments.action(arguments))


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="What was promised of the AI factories, with sources; and the inventory of what should be there.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, summary: str, *, epilog: str | None = None) -> argparse.ArgumentParser:
        found = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        settings.add_arguments(found, Settings, PART)
        return found

    importing = add("import", "import the registry's files as a new version, all of them or nothing", epilog=FILES)
    importing.add_argument("folder", metavar="FOLDER", nargs="?", type=Path, help="default: the files shipped")
    importing.set_defaults(action=_import)
    add("list", "list the factories, with what is known of their accelerators").set_defaults(action=_list)
    showing = add("show", "show all that is known of a factory, with sources and dates")
    showing.add_argument("factory", metavar="FACTORY", help="its id, as `list` shows it")
    showing.set_defaults(action=_show)
    counting = add(
        "inventory", "import an inventory: the nodes and accelerators that should be there", epilog=INVENTORY
    )
    counting.add_argument("file", metavar="FILE", type=Path)
    counting.add_argument(
        "--from", dest="valid_from", metavar="TIME", help="valid from, ISO 8601, UTC if no zone is given (default: now)"
    )
    counting.set_defaults(action=_inventory)
    return parser


def _import(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    found = registry.load(arguments.folder or registry.SHIPPED)
    by_default = None if arguments.folder else f"Gigawatch {version('gigawatch-programme')}"
    entered_by = _entered_by(chosen, by_default)
    with _database(chosen) as connection:
        made = store.save(connection, found, entered_by=entered_by)
        if made is None:
            before = store.newest(connection)
            assert before is not None
            print(
                f"unchanged: import {before.import_id} of {before.imported_at:%Y-%m-%d %H:%M} UTC by {before.entered_by} "
                "holds the same files"
            )
            return
    rows = sum(map(len, found.rows.values()))
    print(f"imported {rows} rows of {len(found.rows)} files as import {made.import_id}, entered by {made.entered_by}")


def _list(arguments: argparse.Namespace) -> None:
    with _database(settings.load(Settings, PART, arguments)) as connection:
        version_shown = _newest(connection)
        print(report.listing(facts.factories(connection), facts.capacities(connection)))
        print(f"Import {version_shown.import_id}, entered by {version_shown.entered_by}.")


def _show(arguments: argparse.Namespace) -> None:
    with _database(settings.load(Settings, PART, arguments)) as connection:
        _newest(connection)
        factory = facts.factory(connection, arguments.factory)
        if factory is None:
            known = ", ".join(sorted(other.factory_id for other in facts.factories(connection)))
            raise GigawatchError(f"there is no factory {cells.shown(arguments.factory)!r}; the registry has: {known}")
        print(
            report.page(
                factory,
                facts.systems(connection, factory.factory_id),
                facts.capacities(connection, factory.factory_id),
                facts.milestones(connection, factory.factory_id),
                facts.funding(connection, factory.factory_id),
            )
        )


def _inventory(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    valid_from = _moment(arguments.valid_from)
    entered_by = _entered_by(chosen)
    try:
        with arguments.file.open("rb") as stream:
            body = stream.read(table.MAX_BYTES + 1)
    except OSError as error:
        raise GigawatchError(f"{arguments.file}: {error.strerror}") from error
    with _database(chosen) as connection:
        known = {factory.factory_id for factory in facts.factories(connection)}
        nodes = inventory.read(arguments.file.name, body, known)
        made = inventory.save(connection, nodes, valid_from=valid_from, entered_by=entered_by)
    if not made.opened and not made.closed:
        print(f"unchanged: the inventory in force lists the same {made.unchanged} nodes")
        return
    expected = sum(node.accelerators for node in nodes)
    print(
        f"{len(nodes)} nodes with {expected} accelerators from {valid_from:%Y-%m-%d %H:%M:%S} UTC on: "
        f"{len(made.opened)} rows opened, {len(made.closed)} closed, {made.unchanged} unchanged"
    )


@contextmanager
def _database(chosen: Settings) -> Generator[psycopg.Connection]:
    with (
        dsn_or_embedded(chosen.dsn, report=lambda line: print(line, file=sys.stderr)) as dsn,
        connect(dsn, application_name="gigawatch programme") as connection,
    ):
        check(connection)
        yield connection


def _newest(connection: psycopg.Connection) -> store.Import:
    found = store.newest(connection)
    if found is None:
        raise GigawatchError("the registry is empty: run `gigawatch programme import`")
    return found


def _entered_by(chosen: Settings, by_default: str | None = None) -> str:
    try:
        name = chosen.entered_by or by_default or getpass.getuser()
    except (KeyError, OSError):
        raise ConfigurationError("your login has no name: give --entered-by") from None
    try:
        return cells.TEXT.parse(name)
    except ValueError as error:
        raise ConfigurationError(f"entered_by {error}") from None


def _moment(text: str | None) -> dt.datetime:
    if text is None:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--from {text!r} is not a time (ISO 8601, such as 2026-10-10T08:00Z)") from None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
