"""`gigawatch jobs`: import the accounting of a site, and show who held what."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_contract import command, settings
from gigawatch_contract.errors import ConfigurationError, GigawatchError
from gigawatch_contract.settings import setting
from gigawatch_programme import cells, entry, facts
from gigawatch_programme.inventory import nodes
from gigawatch_programme.jobs import pseudonym, records, store

if TYPE_CHECKING:
    from collections.abc import Sequence

PART: Final = "programme"
FILES: Final = f"""\
Slurm, as it is typed on the site (in UTC, with all runs of requeued jobs, without steps):

  TZ=UTC sacct --allusers --allocations --duplicates --parsable2 --starttime 2026-11-22 \\
    --format={",".join(records.FIELDS)} > jobs.txt

CSV has the columns {", ".join(column.name for column in records.COLUMNS)};
nodes as n[01-03,07], accelerators as indexes separated by ";". Users become pseudonyms before anything is stored;
command lines are not read, and job names only with --names."""


@dataclass(frozen=True)
class Settings(entry.Settings):
    """How the database is reached, who enters, and where the key of the pseudonyms is."""

    key_file: Path = setting(
        Path("~/.local/share/gigawatch/user-pseudonyms.key"),
        help="the key of the users' pseudonyms: made on first use, stays on the site; back it up",
    )


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch-jobs") -> int:
    """Run a subcommand; returns its exit code."""
    arguments = _parser(prog).parse_args(argv)
    return command.run(prog, lambda: arguments.action(arguments))


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Jobs, and the accelerators that each held.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    importing = commands.add_parser(
        "import",
        help="import accounting: what is new or different becomes a version",
        epilog=FILES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    importing.add_argument("file", metavar="FILE", type=Path)
    importing.add_argument("--factory", metavar="FACTORY", required=True, help="whose jobs these are")
    importing.add_argument("--format", choices=("csv", "slurm"), default="csv", help="what FILE is (default: csv)")
    importing.add_argument("--names", action="store_true", help="with --format slurm: keep the names of jobs too")
    importing.set_defaults(action=_import)
    listing = commands.add_parser("list", help="list the jobs of a factory")
    listing.add_argument("factory", metavar="FACTORY")
    listing.set_defaults(action=_list)
    showing = commands.add_parser("show", help="show a job, and its versions")
    showing.add_argument("factory", metavar="FACTORY")
    showing.add_argument("job", metavar="JOB")
    showing.set_defaults(action=_show)
    for found in (importing, listing, showing):
        settings.add_arguments(found, Settings, PART)
    return parser


def _import(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    by = entry.entered_by(chosen)
    content = entry.body(arguments.file)
    name = arguments.file.name
    key = pseudonym.key(chosen.key_file.expanduser())
    with entry.database(chosen) as connection:
        factory = nodes.factory(arguments.factory, {found.factory_id for found in facts.factories(connection)})
        # A job may be older than the inventory in force: any node that was ever listed is known.
        known = {
            host
            for (host,) in connection.execute(
                "SELECT DISTINCT host_name FROM inventory_node WHERE factory_id = %s", [factory]
            )
        }
        if arguments.format == "slurm":
            jobs = records.from_sacct(name, content, key, known, names=arguments.names)
        elif arguments.names:
            raise ConfigurationError("--names goes with --format slurm")
        else:
            jobs = records.from_csv(name, content, key, known)
        made = store.save(connection, factory, jobs, file=name, form=arguments.format, entered_by=by)
        overlaps = connection.execute(
            "SELECT job_id, other_job_id, host_name FROM allocation_overlap WHERE factory_id = %s LIMIT 10", [factory]
        ).fetchall()
    print(f"{len(jobs)} jobs read, {made} of them new or changed")
    for first, second, host in overlaps:
        print(f"the accounting says that {first} and {second} held one accelerator of {host} at one time")


def _list(arguments: argparse.Namespace) -> None:
    with entry.database(settings.load(Settings, PART, arguments)) as connection:
        found = store.current(connection, arguments.factory)
    for job in found.values():
        print("  ".join((f"{job.job_id:<16}", f"{job.state:<12}", *_span(job), f"{len(job.nodes)} nodes")))
    print(f"{len(found)} jobs")


def _show(arguments: argparse.Namespace) -> None:
    with entry.database(settings.load(Settings, PART, arguments)) as connection:
        job = store.current(connection, arguments.factory, [arguments.job]).get(arguments.job)
        versions = connection.execute(
            "SELECT i.imported_at, i.entered_by, i.file, j.state FROM job j JOIN job_import i USING (import_id) "
            "WHERE j.factory_id = %s AND j.job_id = %s ORDER BY import_id",
            [arguments.factory, arguments.job],
        ).fetchall()
    if job is None:
        raise GigawatchError(f"there is no job {cells.shown(arguments.job)} of {cells.shown(arguments.factory)}")
    which = "not told which" if job.held is None else ", ".join(map(str, job.held))
    count = "unknown" if job.count is None else job.count
    print(f"{job.job_id} {job.state} {' to '.join(_span(job))}")
    print(f"user {job.user_pseudonym or 'unknown'}, account {job.account or 'unknown'}")
    print(f"nodes {', '.join(job.nodes) or 'none'}; accelerators on each: {count} ({which})")
    for imported_at, by, file, state in versions:
        print(f"  {imported_at:%Y-%m-%d %H:%M:%S} {state}, from {file} by {by}")


def _span(job: records.Job) -> tuple[str, str]:
    return tuple(f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else "-" for time in (job.started_at, job.ended_at))  # pyright: ignore[reportReturnType] - two in, two out
