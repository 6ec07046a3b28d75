"""`gigawatch programme`: the registry of factories, and the inventory of what should be there."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_contract import command, settings
from gigawatch_contract.errors import GigawatchError
from gigawatch_programme import cells, facts, registry, report, store
from gigawatch_programme.entry import Settings, database
from gigawatch_programme.entry import entered_by as by_whom
from gigawatch_programme.inventory import cli as inventory_cli

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

PART: Final = "programme"
FILES: Final = f"""\
The files are CSV (UTF-8, commas, a header), to be edited in any spreadsheet. An empty cell is "not disclosed" or "not
found"; 0 is "confirmed none". `read` says who read the source: primary (the owner's own text), secondary (press, analyst,
mirror), second-hand (somebody who quotes it), none (looked for, not found). Sources that differ are rows side by side.
Dates: 2026-03-16, 2026-03, 2026-Q4, 2026. The files shipped with this version, to copy and edit, are in
{registry.SHIPPED}"""


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
        "inventory", "the same as `gigawatch inventory import`: what should be there", epilog=inventory_cli.FILES
    )
    inventory_cli.add_import(counting)
    return parser


def _import(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    found = registry.load(arguments.folder or registry.SHIPPED)
    by_default = None if arguments.folder else f"Gigawatch {version('gigawatch-programme')}"
    entered_by = by_whom(chosen, by_default)
    with database(chosen) as connection:
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
    with database(settings.load(Settings, PART, arguments)) as connection:
        version_shown = _newest(connection)
        print(report.listing(facts.factories(connection), facts.capacities(connection)))
        print(f"Import {version_shown.import_id}, entered by {version_shown.entered_by}.")


def _show(arguments: argparse.Namespace) -> None:
    with database(settings.load(Settings, PART, arguments)) as connection:
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


def _newest(connection: psycopg.Connection) -> store.Import:
    found = store.newest(connection)
    if found is None:
        raise GigawatchError("the registry is empty: run `gigawatch programme import`")
    return found
