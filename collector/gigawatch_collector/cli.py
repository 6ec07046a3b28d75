"""`gigawatch collector`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import uvloop

from gigawatch_collector.database import Database
from gigawatch_collector.service import check_ports, serve
from gigawatch_collector.settings import Settings
from gigawatch_contract import command, settings
from gigawatch_database.connect import dsn_or_embedded

if TYPE_CHECKING:
    from collections.abc import Sequence

PART = "collector"
DESCRIPTION = """Receive OTLP metrics and logs over HTTP (protobuf, JSON) and gRPC, and store them.

A request is answered when its rows are committed: what was acknowledged is stored. What the contract knows goes to
columns, the rest to other_point; what cannot be stored is rejected with a reason, in the answer and in /metrics.
Metrics go to /v1/metrics, logs to /v1/logs; /healthz, /readyz and /metrics tell how the collector is.

It ends on SIGTERM or Ctrl-C, after answering what is in flight."""
EXAMPLES = """examples:
  gigawatch collector                                  on this machine only, with its embedded database
  gigawatch collector --dsn postgresql://user@db/gigawatch --http-host 0.0.0.0
  curl http://127.0.0.1:4318/readyz                    whether it can store what it receives"""


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch-collector") -> int:
    """Run the collector; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog=prog, description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    settings.add_arguments(parser, Settings, PART)
    arguments = parser.parse_args(argv)
    return command.run(prog, lambda: _collect(settings.load(Settings, PART, arguments)))


def _collect(found: Settings) -> None:
    command.log_to_stderr(found.log_level)
    check_ports(found)  # before a database is started for nothing
    with dsn_or_embedded(found.dsn, report=lambda line: print(line, file=sys.stderr)) as dsn:
        uvloop.run(serve(found, Database(dsn, found), lambda line: print(line, flush=True)))
