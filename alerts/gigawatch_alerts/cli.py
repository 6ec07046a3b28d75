"""`gigawatch alerts`: run, check, list, enable, sink."""

from __future__ import annotations

import argparse
import functools
import signal
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_alerts import conditions, listing, outbox, rules, webhook
from gigawatch_alerts.service import Service
from gigawatch_alerts.settings import PART, Settings
from gigawatch_alerts.sink import Received, Sink
from gigawatch_contract import command, settings
from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_contract.settings import setting
from gigawatch_database import embedded
from gigawatch_database.connect import connect, dsn_or_embedded
from gigawatch_database.migrate import check as check_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROGRAM: Final = "gigawatch alerts"
DESCRIPTION: Final = """Evaluate alert rules on the database and deliver what changes.

Rule files are shaped like Prometheus', with a condition in SQL over the views (docs/alerts.md). Every change of state is
stored together with what is to be told of it; it is told until the receiver says that it has it. Missing data never
resolves an alert: it becomes unknown, and stays."""
EXAMPLES: Final = """examples:
  gigawatch alerts run --webhook https://alerts.example.org/hook
  gigawatch alerts run --rules mine.yaml,shipped/ --webhook http://10.2.0.7:9093/hook --allow 10.2.0.0/16
  gigawatch alerts check mine.yaml                what is wrong with it, by file, line and key
  gigawatch alerts list                           what fires now
  gigawatch alerts sink --port 9099               a receiver on this machine that shows what it gets

GIGAWATCH_ALERTS_WEBHOOK and GIGAWATCH_ALERTS_WEBHOOK_SECRET keep URL and secret out of the list of processes."""


@dataclass(frozen=True)
class DatabaseSettings:
    """The settings of the commands that only read or write the database."""

    dsn: str | None = setting(
        None, help="the database, postgresql://…; without it the embedded server, if it runs", shared="GIGAWATCH_DSN"
    )

    def find(self) -> str:
        """The DSN; starts no server.

        Raises:
            Unavailable: no database is named, and the embedded server does not run.
        """
        running = None if self.dsn else embedded.find()
        dsn = self.dsn or (running.dsn if running else None)
        if dsn is None:
            raise Unavailable("no database: give --dsn or GIGAWATCH_DSN, or start one (`gigawatch database start`)")
        return dsn


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch-alerts") -> int:
    """Run a command of the alerts; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog=prog, description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, action: Callable[[argparse.Namespace], None], summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        added.set_defaults(action=action)
        return added

    settings.add_arguments(
        add("run", _run, "evaluate rules and deliver alerts until SIGTERM or Ctrl-C"), Settings, PART
    )
    check = add("check", _check, "check rule files: their form, and on a database their queries too")
    check.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="a rule file or folder (default: the shipped)"
    )
    check.add_argument("--no-database", action="store_true", help="check only what needs no database")
    settings.add_arguments(check, DatabaseSettings, PART)
    lists = add("list", _list, "list what fires and what is pending")
    lists.add_argument("--json", action="store_true", help="as a JSON array")
    settings.add_arguments(lists, DatabaseSettings, PART)
    enable = add("enable", _enable, "deliver again to a receiver that answered 410 Gone")
    enable.add_argument("receiver", help="its name, as in --receiver")
    settings.add_arguments(enable, DatabaseSettings, PART)
    sink = add("sink", _sink, "receive messages on this machine and show them, a line each")
    sink.add_argument(
        "--port", type=int, default=9099, metavar="N", help="the port on 127.0.0.1 (default: 9099; 0: any)"
    )
    sink.add_argument("--file", type=Path, metavar="PATH", help="keep each message there as a line of JSON")
    sink.add_argument("--secret", metavar="TEXT", help="take only messages that are signed with it (whsec_…)")
    arguments = parser.parse_args(argv)
    return command.run(prog, lambda: arguments.action(arguments))


def _run(arguments: argparse.Namespace) -> None:
    chosen = settings.load(Settings, PART, arguments)
    command.log_to_stderr(chosen.log_level)
    groups = rules.load(chosen.rule_files())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with dsn_or_embedded(chosen.dsn, report=_to_stderr) as dsn:
        with connect(dsn, application_name=PROGRAM) as connection:
            check_schema(connection)
            timeout = timedelta(seconds=chosen.query_timeout)
            conditions.check(connection, groups, datetime.now(UTC), timeout)
        Service(
            connect=functools.partial(connect, dsn, application_name=PROGRAM),
            groups=groups,
            context=chosen.context(),
            interval=timedelta(seconds=chosen.interval),
            receiver=chosen.delivery(),
            workers=chosen.workers,
            metrics_at=None if chosen.metrics_port is None else (chosen.metrics_host, chosen.metrics_port),
            stop=stop,
        ).run(_say)


def _check(arguments: argparse.Namespace) -> None:
    groups = rules.load(arguments.files or [rules.SHIPPED])
    count = sum(len(group.rules) for group in groups)
    said = f"{count} rule{'s' * (count != 1)} in {len(groups)} group{'s' * (len(groups) != 1)}: well formed"
    if arguments.no_database:
        print(f"{said}; their queries were not tried on a database")
        return
    try:
        dsn = settings.load(DatabaseSettings, PART, arguments).find()
    except Unavailable as error:
        raise Unavailable(f"{error}; or check only the form, with --no-database") from error
    with connect(dsn, application_name=PROGRAM) as connection:
        check_schema(connection)
        conditions.check(connection, groups, datetime.now(UTC), timedelta(seconds=10))
    print(f"{said}, and the database reads their queries")


def _list(arguments: argparse.Namespace) -> None:
    dsn = settings.load(DatabaseSettings, PART, arguments).find()
    with connect(dsn, application_name=PROGRAM) as connection:
        check_schema(connection)
        alerts = listing.current(connection)
    print(listing.as_json(alerts) if arguments.json else listing.table(alerts, datetime.now(UTC)))


def _enable(arguments: argparse.Namespace) -> None:
    dsn = settings.load(DatabaseSettings, PART, arguments).find()
    with connect(dsn, application_name=PROGRAM) as connection:
        check_schema(connection)
        if not outbox.enable(connection, arguments.receiver):
            raise ConfigurationError(f"there is no receiver {arguments.receiver!r} in the database")
    print(f"{arguments.receiver}: what waits is delivered within a second, if `gigawatch alerts run` runs")


def _sink(arguments: argparse.Namespace) -> None:
    signing = webhook.signers(arguments.secret or "")
    if not 0 <= arguments.port < 65536:
        raise ConfigurationError(f"--port {arguments.port}: is no port: give one from 1 to 65535, or 0 for any")
    try:
        sink = Sink(arguments.port, file=arguments.file, signing=signing, say=_show)
    except OSError as error:
        raise ConfigurationError(f"--port {arguments.port}: cannot listen: {error.strerror}") from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with sink:
        _say(f"ready: receiving at {sink.url}")
        stop.wait()


def _show(received: Received) -> None:
    _say(received.line())


def _say(line: str) -> None:
    print(line, flush=True)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
