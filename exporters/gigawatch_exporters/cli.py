"""`gigawatch exporter`: read this node's accelerators, show and send what they say."""

from __future__ import annotations

import argparse
import signal
import time
from typing import TYPE_CHECKING

from gigawatch_contract import settings as setting_sources
from gigawatch_contract.command import log_to_stderr, run
from gigawatch_exporters.settings import PART, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
Reads every accelerator of this node through NVML once a second, in a process of its own: a driver that hangs takes
nothing else down. Sends one OTLP/HTTP export every 15 s, XIDs and lost accelerators at once, and serves the same
readings at /metrics. What the collector does not take waits on disk, and is sent later with its own time.

  gigawatch exporter --factory jaif --endpoint http://collector:4318
  gigawatch exporter --factory jaif --once        one reading of all accelerators, as a table
  gigawatch exporter --factory jaif --check       whether settings, driver, port and spool are well

Every setting can stand in a file (--config), in the environment (in brackets) or here. The standard variables
OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_CERTIFICATE give a token and a certificate authority."""


def main(argv: Sequence[str] | None = None, prog: str = "gigawatch-exporter") -> int:
    """Run the daemon; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog=prog, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    once = parser.add_mutually_exclusive_group()
    once.add_argument("--once", action="store_true", help="print one reading of every accelerator and end")
    once.add_argument("--check", action="store_true", help="check settings, library and spool, and end")
    setting_sources.add_arguments(parser, Settings, PART)
    arguments = parser.parse_args(argv)

    def action() -> int:
        settings = setting_sources.load(Settings, PART, arguments)
        if arguments.once:
            return _once(settings)
        if arguments.check:
            return _check(settings)
        return _serve(settings)

    return run(prog, action)


def _serve(settings: Settings) -> int:
    from gigawatch_exporters.exporter import Exporter  # noqa: PLC0415 - the SDK is not loaded to print a table

    log_to_stderr()
    exporter = Exporter(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: exporter.stop())
    exporter.run(lambda text: print(f"ready: {text}", flush=True))
    return 0


def _once(settings: Settings) -> int:
    from gigawatch_exporters.reader import connect  # noqa: PLC0415
    from gigawatch_exporters.table import table  # noqa: PLC0415

    library = connect(settings.plan(time.time()))
    devices = [library.open(index) for index in range(library.count())]
    if settings.is_simulated:
        print("These readings are simulated.")
    print(table([(device.hw_id, device.model, device.read()) for device in devices if device]))
    library.close()
    return 0


def _check(settings: Settings) -> int:
    from gigawatch_contract.ports import refuse_taken  # noqa: PLC0415
    from gigawatch_exporters.reader import connect  # noqa: PLC0415
    from gigawatch_exporters.spool import Spool  # noqa: PLC0415

    if settings.prometheus:
        refuse_taken(settings.prometheus_address, settings.prometheus_port, "prometheus_port")
    Spool(settings.spool_folder, max_bytes=settings.spool_size * 1_000_000, max_age=settings.spool_hours * 3600).close()
    library = connect(settings.plan(time.time()))
    print(f"well: driver {library.driver_version}, {library.count()} accelerators, spool {settings.spool_folder}")
    library.close()
    return 0
