"""`gigawatch inventory`: what should be there, its state and its maintenance, against what is seen."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_contract import command, settings
from gigawatch_contract.errors import ConfigurationError, GigawatchError
from gigawatch_programme import cells, facts
from gigawatch_programme.entry import Settings, body, database, entered_by, moment
from gigawatch_programme.inventory import nodes, slurm, states
from gigawatch_programme.inventory.states import Said, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gigawatch_programme.inventory.nodes import Node


PART: Final = "programme"
FILES: Final = """\
FILE is CSV with the columns factory_id, host_name, rack, accelerators, model (rack and model may be empty), and lists
all nodes of each factory that it names; factories that it does not name stay as they are. A node that changed or is no
longer listed keeps its row, closed at --from. `gigawatch simulate --inventory` writes such a file. With
--format slurm --factory FACTORY, FILE is the output of `scontrol show nodes`, which also tells the nodes' states."""


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch-inventory") -> int:
    """Run a subcommand; returns its exit code."""
    arguments = _parser(prog).parse_args(argv)
    return command.run(prog, lambda: arguments.action(arguments))


def add_import(parser: argparse.ArgumentParser) -> None:
    """The arguments and the action of an import."""
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--from", dest="valid_from", metavar="TIME", help="valid from, ISO 8601, UTC if no zone is given (default: now)"
    )
    parser.add_argument("--format", choices=("csv", "slurm"), default="csv", help="what FILE is (default: csv)")
    parser.add_argument("--factory", metavar="FACTORY", help="with --format slurm: whose nodes these are")
    parser.set_defaults(action=_import)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="What should be there, and what is.")
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

    add_import(add("import", "import the nodes and accelerators that should be there", epilog=FILES))
    listing = add("list", "list the nodes that should be there, with what excuses them, as CSV")
    listing.add_argument("--at", metavar="TIME", help="at this moment (default: now)")
    listing.set_defaults(action=_list)
    diffing = add("diff", "show what an import of FILE would change")
    diffing.add_argument("file", metavar="FILE", type=Path)
    diffing.set_defaults(action=_diff)
    add("propose", "list what telemetry has seen and the inventory lacks, as CSV").set_defaults(action=_propose)
    accepting = add("accept", "take what `propose` lists for a factory into the inventory, from now on")
    accepting.add_argument("factory", metavar="FACTORY")
    accepting.add_argument("nodes", metavar="NODE", nargs="*", help="only these nodes")
    accepting.add_argument("--by", required=True, metavar="PERSON", help="who checked it: a machine does not accept")
    accepting.set_defaults(action=_accept)
    stating = add("state", "say that a node is up, drained, down or retired")
    stating.add_argument("factory", metavar="FACTORY")
    stating.add_argument("node", metavar="NODE")
    stating.add_argument("state", choices=states.STATES)
    stating.add_argument("--reason", metavar="TEXT", help="why; needed unless it is up")
    stating.add_argument("--from", dest="since", metavar="TIME", help="since when it is so (default: now)")
    stating.set_defaults(action=_state)
    working = add(
        "maintenance",
        "declare maintenance, or withdraw it",
        epilog="Maintenance declared after it began excuses from its declaration on, not from its beginning.",
    )
    working.add_argument("factory", metavar="FACTORY", nargs="?")
    place = working.add_mutually_exclusive_group(required=True)
    place.add_argument("--node", metavar="NODE")
    place.add_argument("--rack", metavar="RACK")
    place.add_argument("--site", action="store_true", help="all nodes of the factory")
    place.add_argument("--withdraw", metavar="ID", type=int, help="the window of this id excuses no longer")
    working.add_argument("--from", dest="since", metavar="TIME", help="its beginning (default: now)")
    working.add_argument("--until", metavar="TIME", help="its end")
    working.add_argument("--reason", metavar="TEXT")
    working.set_defaults(action=_maintenance)
    return parser


def _import(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    valid_from = moment(arguments.valid_from)
    by = entered_by(chosen)
    content = body(arguments.file)
    with database(chosen) as connection, connection.transaction():
        known = {factory.factory_id for factory in facts.factories(connection)}
        said: Sequence[Said] = ()
        if arguments.format == "slurm":
            factory = nodes.factory(arguments.factory or "", known)
            current = {node.host_name: node for node in nodes.in_force(connection, [factory])}
            told = slurm.read(arguments.file.name, content, factory, current, dt.datetime.now(dt.UTC))
            listed, said = list(told.nodes), told.states
        else:
            listed = nodes.read(arguments.file.name, content, known)
        made = nodes.save(connection, listed, valid_from=valid_from, entered_by=by)
        if said:
            new = states.save(
                connection, listed[0].factory_id, said, declared_at=dt.datetime.now(dt.UTC), declared_by=by
            )
            print(f"{len(new)} nodes changed their state")
    if not made.opened and not made.closed:
        print(f"unchanged: the inventory in force lists the same {made.unchanged} nodes")
        return
    expected = sum(node.accelerators for node in listed)
    print(
        f"{len(listed)} nodes with {expected} accelerators from {valid_from:%Y-%m-%d %H:%M:%S} UTC on: "
        f"{len(made.opened)} rows opened, {len(made.closed)} closed, {made.unchanged} unchanged"
    )


def _list(arguments: argparse.Namespace) -> None:
    at = moment(arguments.at, "--at")
    with database(settings.load(Settings, PART, arguments)) as connection:
        rows = connection.execute(
            "SELECT factory_id, host_name, rack, accelerators, model, state, reason, excuse FROM expected_node(%s, %s) "
            "ORDER BY factory_id, host_name",
            [at, at],
        ).fetchall()
    _csv(("factory_id", "host_name", "rack", "accelerators", "model", "state", "reason", "excuse"), rows)


def _diff(arguments: argparse.Namespace) -> None:
    content = body(arguments.file)
    with database(settings.load(Settings, PART, arguments)) as connection:
        known = {factory.factory_id for factory in facts.factories(connection)}
        listed = nodes.read(arguments.file.name, content, known)
        found = nodes.changes(nodes.in_force(connection, {node.factory_id for node in listed}), listed)
    for mark, changed in (("-", found.closed), ("+", found.opened)):
        for node in changed:
            print(f"{mark} {','.join(map(str, _cells(node)))}")
    print(f"{len(found.opened)} rows to open, {len(found.closed)} to close, {found.unchanged} unchanged")


def _propose(arguments: argparse.Namespace) -> None:
    with database(settings.load(Settings, PART, arguments)) as connection:
        _csv(nodes.CSV_HEADER, map(_cells, nodes.proposal(connection)))


def _accept(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    try:
        by = cells.TEXT.parse(arguments.by)
    except (ValueError, IndexError) as error:
        raise ConfigurationError(f"--by {error}") from None
    with database(chosen) as connection, connection.transaction():
        proposed = [node for node in nodes.proposal(connection) if node.factory_id == arguments.factory]
        if arguments.nodes:
            names = {node.host_name for node in proposed}
            for name in arguments.nodes:
                if name not in names:
                    raise GigawatchError(f"{cells.shown(name)} is not proposed: see `gigawatch inventory propose`")
            proposed = [node for node in proposed if node.host_name in arguments.nodes]
        if not proposed:
            raise GigawatchError(f"nothing is proposed for {cells.shown(arguments.factory)}")
        after = {node.host_name: node for node in nodes.in_force(connection, [arguments.factory])}
        after.update({node.host_name: node for node in proposed})
        nodes.save(connection, after.values(), valid_from=dt.datetime.now(dt.UTC), entered_by=by)
    print(f"{len(proposed)} nodes accepted by {by}")


def _state(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    said = Said(arguments.node, arguments.state, _text("--reason", arguments.reason), moment(arguments.since))
    with database(chosen) as connection:
        made = states.save(
            connection, arguments.factory, [said], declared_at=dt.datetime.now(dt.UTC), declared_by=entered_by(chosen)
        )
    since = f"{said.since:%Y-%m-%d %H:%M:%S} UTC"
    print(f"{said.host_name} is {said.state} since {since}" if made else f"unchanged: {said.host_name} is {said.state}")


def _maintenance(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    by = entered_by(chosen)
    with database(chosen) as connection:
        if arguments.withdraw is not None:
            states.withdraw(connection, arguments.withdraw, at=dt.datetime.now(dt.UTC), by=by)
            print(f"maintenance {arguments.withdraw} is withdrawn")
            return
        reason = _text("--reason", arguments.reason)
        if not arguments.factory or not arguments.until or not reason:
            raise ConfigurationError("maintenance needs FACTORY, --until and --reason")
        window = Window(
            "site" if arguments.site else "rack" if arguments.rack else "node",
            arguments.rack or arguments.node,
            moment(arguments.since),
            moment(arguments.until, "--until"),
            reason,
        )
        declared = dt.datetime.now(dt.UTC)
        made = states.declare(connection, arguments.factory, window, declared_at=declared, declared_by=by)
    counts = max(window.starts_at, declared)
    print(f"maintenance {made}: excuses from {counts:%Y-%m-%d %H:%M:%S} to {window.ends_at:%Y-%m-%d %H:%M:%S} UTC")


def _text(flag: str, text: str | None) -> str | None:
    try:
        return cells.TEXT.parse(text) if text else None
    except ValueError as error:
        raise ConfigurationError(f"{flag} {error}") from None


def _cells(node: Node) -> tuple[object, ...]:
    return node.factory_id, node.host_name, node.rack or "", node.accelerators, node.model or ""


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
