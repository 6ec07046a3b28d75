"""`gigawatch storage`: how the storage stands, what keeps it in order, and how long each level is kept."""

from __future__ import annotations

import argparse
import logging
import re
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003 - settings are read from the fields' types
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import sql

from gigawatch_contract import command, settings
from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_contract.settings import setting
from gigawatch_database import migrate
from gigawatch_database.connect import connect, dsn_or_embedded
from gigawatch_database.rollup import windows
from gigawatch_database.storage import show
from gigawatch_database.storage.maintain import Work, run
from gigawatch_database.storage.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence


ABOUT = """\
Storage that lasts: rollups, retention, and how long the disk will do.

Without an action it shows each level: rows, size, bytes for a point, rate, lag, and how long the disk lasts at the
present rate. `maintain` is the service that computes the rollups and drops what is due; run it beside the collector.
How long each level is kept stands in the database, the same for every process; `keep` changes it."""

ACTIONS = {
    "show": "levels, sizes, lag, and how long the disk lasts (the default)",
    "maintain": "compute rollups, repair them for late data, drop what is due; goes on until stopped",
    "keep": "set how long a level is kept: keep rollup_node_1min 30d; `forever` keeps it for ever",
    "window": "set a span that must fit with the others: window repair 50h",
}
log = logging.getLogger("gigawatch.storage")

WINDOWS: Final = ("spool", "accept", "compress_after", "repair", "delay")
UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Settings:
    """Which database."""

    dsn: str | None = setting(
        None, help="the database, postgresql://USER:PASSWORD@HOST:PORT/DATABASE", shared="GIGAWATCH_DSN"
    )
    data: Path | None = setting(None, help="the embedded server's data folder", shared="GIGAWATCH_DATA")


@dataclass(frozen=True)
class ShowSettings(Settings):
    """How to show it."""

    disk_free: int | None = setting(None, help="bytes free on the server's disk, where it is not this machine's")


@dataclass(frozen=True)
class MaintainSettings(Settings):
    """How to keep it in order."""

    every: float = setting(10.0, help="seconds from one round to the next")
    export_interval: float | None = setting(
        None, help="seconds between two exports of a node, where it is not the 15 of the default"
    )

    def __post_init__(self) -> None:
        settings.check(1 <= self.every <= 3600, "every", self.every, "between 1 and 3600 seconds")
        interval = self.export_interval
        settings.check(interval is None or 0 < interval <= 3600, "export_interval", interval, "up to 3600 seconds")


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch storage") -> int:
    """Show the storage, keep it in order, or set how long levels are kept."""
    parser = argparse.ArgumentParser(prog=prog, description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")
    children = {
        name: actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        for name, text in ACTIONS.items()
    }
    settings.add_arguments(children["show"], ShowSettings, "storage")
    form = children["show"].add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything, as JSON")
    form.add_argument(
        "--metrics", action="store_true", help="as Prometheus metrics (for node_exporter's textfile folder)"
    )
    settings.add_arguments(children["maintain"], MaintainSettings, "storage")
    children["maintain"].add_argument("--once", action="store_true", help="one round, then end")
    for name in ("keep", "window"):
        settings.add_arguments(children[name], Settings, "storage")
        children[name].add_argument("name", metavar="LEVEL" if name == "keep" else "WINDOW")
        children[name].add_argument("span", metavar="SPAN", help="such as 90s, 30min, 26h, 14d")
    words = list(sys.argv[1:] if argv is None else argv)
    asks = bool(words) and (words[0] in {"-h", "--help"} or not words[0].startswith("-"))
    arguments = parser.parse_args(words if asks else ["show", *words])
    doing: dict[str, Callable[[argparse.Namespace, str], int | None]] = {
        "show": _show,
        "maintain": _maintain,
        "keep": _keep,
        "window": _window,
    }
    return command.run(prog, lambda: doing[arguments.action](arguments, prog))


@contextmanager
def _connected(chosen: Settings, prog: str) -> Generator[psycopg.Connection]:
    """A connection to a database whose schema fits."""
    with (
        dsn_or_embedded(chosen.dsn, data=chosen.data, report=_to_stderr) as dsn,
        connect(dsn, application_name=prog) as connection,
    ):
        migrate.check(connection)
        yield connection


def _show(arguments: argparse.Namespace, prog: str) -> None:
    chosen = settings.load(ShowSettings, "storage", arguments)
    with _connected(chosen, prog) as connection:
        found = survey(connection, datetime.now(UTC), chosen.disk_free)
    if arguments.json:
        print(show.as_json(found))
    elif arguments.metrics:
        print(show.as_metrics(found), end="")
    else:
        print(show.as_text(found))


def _maintain(arguments: argparse.Namespace, prog: str) -> None:
    """Rounds until a signal. A database that is gone is waited for, once it was there."""
    chosen = settings.load(MaintainSettings, "storage", arguments)
    command.log_to_stderr()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with dsn_or_embedded(chosen.dsn, data=chosen.data, report=_to_stderr) as dsn:
        with connect(dsn, application_name=prog) as connection:
            migrate.check(connection)
            if chosen.export_interval is not None:
                connection.execute("UPDATE storage_window SET export_interval_s = %s", [chosen.export_interval])
        log.info("computing rollups every %g s", chosen.every)
        while True:
            try:
                with connect(dsn, application_name=prog) as connection:
                    run(connection, every=chosen.every, report=_tell, stopped=lambda s: arguments.once or stop.wait(s))
                    return
            except (psycopg.OperationalError, Unavailable) as error:
                log.warning("the database does not answer, and is tried again: %s", str(error).partition("\n")[0])
                if stop.wait(chosen.every):
                    return


def _keep(arguments: argparse.Namespace, prog: str) -> None:
    chosen = settings.load(Settings, "storage", arguments)
    kept = None if arguments.span == "forever" else span(arguments.span)
    with _connected(chosen, prog) as connection, connection.transaction():
        spans = windows.read(connection)
        if arguments.name not in spans.kept:
            raise ConfigurationError(
                f"there is no level {arguments.name!r}; there are: {', '.join(sorted(spans.kept))}"
            )
        windows.check(replace(spans, kept={**spans.kept, arguments.name: kept}))
        connection.execute("UPDATE storage_level SET kept = %s WHERE level = %s", [kept, arguments.name])
    print(f"{arguments.name}: kept {windows.words(kept)}")


def _window(arguments: argparse.Namespace, prog: str) -> None:
    chosen = settings.load(Settings, "storage", arguments)
    wide = span(arguments.span)
    if arguments.name not in WINDOWS:
        raise ConfigurationError(f"there is no window {arguments.name!r}; there are: {', '.join(WINDOWS)}")
    with _connected(chosen, prog) as connection, connection.transaction():
        windows.check(replace(windows.read(connection), **{arguments.name: wide}))
        connection.execute(sql.SQL("UPDATE storage_window SET {} = %s").format(sql.Identifier(arguments.name)), [wide])
    print(f"{arguments.name}: {windows.words(wide)}")


def span(text: str) -> timedelta:
    """A span as a person writes it: 90s, 30min, 26h, 14d.

    Raises:
        ConfigurationError: it is none.
    """
    found = re.fullmatch(r"(\d{1,6})\s*(s|min|h|d)", text)
    if not found or not int(found[1]):
        raise ConfigurationError(f"{text!r} is not a span: a whole number and s, min, h or d, such as 30min or 14d")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


def _tell(work: Work) -> None:
    if work.refreshed or work.repaired:
        log.info("computed %d buckets, repaired %d", sum(work.refreshed.values()), work.repaired)
    for table, count in work.dropped.items():
        log.info("dropped %d of %s: older than it is kept", count, table)
    if work.chunk_interval:
        log.info("chunks of samples span %s from now on", windows.words(work.chunk_interval))


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
