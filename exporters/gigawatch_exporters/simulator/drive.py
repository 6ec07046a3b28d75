"""Runs a fleet against the clock and tells how it goes."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gigawatch_exporters.simulator.fleet import Fleet

if TYPE_CHECKING:
    from gigawatch_exporters.simulator.pace import Pace
    from gigawatch_exporters.simulator.scenario import Scenario
    from gigawatch_exporters.simulator.sender import Sender, Tally

TOLD_EVERY: Final = 10.0
"""Seconds between two lines of progress for a person."""


class Drive:
    """One run: `nodes` is how many there are, `sender` where their exports go."""

    def __init__(self, scenario: Scenario, pace: Pace, interval: float, sender: Sender, *, stats: bool) -> None:
        self._fleet: Final = Fleet(scenario, pace.start_ns, interval, pace.history)
        self._nodes: Final = sum(factory.layout.nodes for factory in scenario.factories)
        self._pace: Final = pace
        self._sender: Final = sender
        self._stats: Final = stats
        self._told: float = time.monotonic()

    def run(self) -> Tally:
        """Send everything until the end, or until interrupted; what is queued then is not waited for."""
        try:
            while self._pace.end is None or self._fleet.tick < self._pace.end:
                for export in self._fleet.second():
                    self._wait(self._pace.due(export.time_unix_nano))
                    self._sender.put(export)
                    self._tell(export.time_unix_nano)
            tally = self._sender.close()
        except BaseException:
            self._sender.close(at_once=True)
            raise
        self._tell(self._pace.start_ns + self._fleet.tick * 1_000_000_000, last=True)
        return tally

    def _wait(self, due: float) -> None:
        """Sleep until an export is due; progress is told meanwhile."""
        while (left := due - time.time()) > 0:
            time.sleep(min(left, 1.0))
            self._tell(None)

    def _tell(self, time_unix_nano: int | None, *, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._told < (1.0 if self._stats else TOLD_EVERY):
            return
        self._told = now
        tally, reached = self._sender.tally, self._reached(time_unix_nano)
        if self._stats:
            print(json.dumps(_line(tally, reached, self._nodes)), flush=True)  # noqa: T201 - asked for by --stats
        else:
            print(_sentence(tally, reached, self._nodes), file=sys.stderr, flush=True)  # noqa: T201 - progress

    def _reached(self, time_unix_nano: int | None) -> datetime:
        seconds = (time_unix_nano or self._pace.start_ns + self._fleet.tick * 1_000_000_000) / 1e9
        return datetime.fromtimestamp(seconds, UTC)


def _line(tally: Tally, reached: datetime, nodes: int) -> dict[str, object]:
    """Progress for a program: the fields of `--stats`."""
    return {
        "time": reached.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "nodes": nodes,
        "sent": tally.exports,
        "points": tally.points,
        "rejected": tally.rejected,
        "errors": tally.errors,
        "given_up": tally.given_up,
        "last_error": tally.last_error,
    }


def _sentence(tally: Tally, reached: datetime, nodes: int) -> str:
    """Progress for a person."""
    trouble = f"; {tally.errors:,} errors, {tally.rejected:,} points rejected" if tally.errors or tally.rejected else ""
    why = f" (last: {tally.last_error})" if tally.last_error and trouble else ""
    return (
        f"{reached:%Y-%m-%d %H:%M:%S}Z  {nodes:,} nodes (simulated)  "
        f"{tally.exports:,} exports, {tally.points:,} points acknowledged{trouble}{why}"
    )


def dry_run(scenario: Scenario, pace: Pace, interval: float) -> dict[str, float]:
    """Make every body and send none: how many, how large, how fast."""
    began = time.perf_counter()
    fleet = Fleet(scenario, pace.start_ns, interval, pace.history)
    exports = points = size = 0
    while fleet.tick < (scenario.duration if pace.end is None else pace.end):
        for export in fleet.second():
            exports, points, size = exports + 1, points + export.points, size + len(export.body)
    seconds = time.perf_counter() - began
    return {
        "exports": exports,
        "points": points,
        "bytes": size,
        "seconds": round(seconds, 3),
        "points_per_second": round(points / seconds),
    }
