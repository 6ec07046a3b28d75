"""Services killed at random, a receiver that fails at random: no episode lost, none out of order, repeats the same."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import datetime
from typing import Any

import pytest

from gigawatch_alerts.sink import Reply, Sink

COMMAND = [sys.executable, "-c", "import sys; from gigawatch_alerts.cli import main; sys.exit(main())"]


class Services:
    """Some `gigawatch alerts run` on one database."""

    def __init__(self, things: Any, sink: Sink, count: int) -> None:
        self.words = [
            *(*COMMAND, "run", "--dsn", things.database.dsn, "--rules", str(things.path), "--webhook", sink.url),
            *("--interval", "0.1", "--group-wait", "0", "--group-by", "factory", "--timeout", "1"),
            *("--allow", "127.0.0.0/8", "--log-level", "error"),
        ]
        self.processes = [self.start() for _ in range(count)]

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.words, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        self.processes.remove(process)
        process.kill()
        process.wait()

    def kill_all(self) -> None:
        while self.processes:
            self.kill(self.processes[0])


def trouble(chance: random.Random) -> Reply:
    """How a receiver on a bad day answers."""
    return chance.choice(
        [
            *[Reply()] * 6,
            Reply(status=500),
            Reply(status=404),
            Reply(status=429, headers={"Retry-After": "1"}),
            Reply(status=302, headers={"Location": "/elsewhere"}),
            Reply(close=True),
            Reply(wait_s=1.5),
        ]
    )


@pytest.mark.parametrize(
    ("seed", "names", "rounds"),
    [(1, 40, 12), pytest.param(2, 2000, 400, marks=pytest.mark.soak)],
    ids=["short", "long"],
)
def test_nothing_is_lost_and_nothing_is_out_of_order(things: Any, seed: int, names: int, rounds: int) -> None:
    chance = random.Random(seed)
    connection = things.connection
    things.rules()
    connection.execute(
        "INSERT INTO thing SELECT 'f' || n %% 8, 'thing ' || n, 'clear' FROM generate_series(1, %s) n", [names]
    )
    with Sink(reply=lambda *_: trouble(chance)) as sink:
        services = Services(things, sink, 2)
        try:
            for number in range(rounds):
                for word in ("active", "clear", "unknown"):
                    connection.execute(
                        "UPDATE thing SET seen = %s WHERE hashtext(name || %s) %% 4 = 0",
                        [word, f"{seed} {number} {word}"],
                    )
                time.sleep(chance.uniform(0.2, 0.6))
                hurry(connection)
                if number % 4 == 3:
                    services.kill(chance.choice(services.processes))
                    services.processes.append(services.start())
            connection.execute("UPDATE thing SET seen = 'clear'")
            wait_until_quiet(connection)
            services.kill_all()
            connection.execute("UPDATE alert_group SET leased_until = NULL")
            services.processes.append(services.start())
            wait_until_quiet(connection, told=True, seconds=60 + 2 * rounds)
        finally:
            services.kill_all()
        check(connection, sink)


def hurry(connection: Any) -> None:
    """Back-off lasts seconds to an hour: the test does not wait for it."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('gigawatch alerts queue', 0))")
        connection.execute("UPDATE alert_group SET next_attempt = least(next_attempt, now())")


def wait_until_quiet(connection: Any, *, told: bool = False, seconds: float = 60) -> None:
    """Until nothing fires and, if asked for, all is told."""
    end, row = time.monotonic() + seconds, None
    while time.monotonic() < end:
        time.sleep(0.2)
        hurry(connection)
        row = connection.execute(
            "SELECT (SELECT count(*) FROM alert_current), (SELECT count(*) FROM alert_outbox)"
        ).fetchone()
        if row[0] == 0 and (row[1] == 0 or not told):
            return
    raise AssertionError(f"live alerts, untold changes: {row}")


def check(connection: Any, sink: Sink) -> None:
    """What the receiver accepted is the history in the database, in its order."""
    bodies: dict[str, str] = {}
    for received in sink.received:
        assert bodies.setdefault(received.message_id, received.body) == received.body, "a repeat says the same"
    accepted: dict[str, dict[str, Any]] = {}
    for received in sink.accepted():
        accepted.setdefault(received.message_id, received.payload)

    order = [
        str(row[0]) for row in connection.execute("SELECT notification_id FROM alert_notification ORDER BY created_at")
    ]
    for group in {payload["groupKey"] for payload in accepted.values()}:
        in_order = [key for key in order if accepted[key]["groupKey"] == group]
        assert [key for key in accepted if accepted[key]["groupKey"] == group] == in_order

    told: dict[tuple[str, datetime], list[str]] = {}
    for payload in accepted.values():
        for alert in payload["alerts"]:
            story = told.setdefault((alert["labels"]["thing"], datetime.fromisoformat(alert["startsAt"])), [])
            story.append(alert["status"])
    happened = {
        (thing, fired)
        for thing, fired in connection.execute("SELECT labels ->> 'thing', fired_at FROM alert_instance").fetchall()
    }
    assert set(told) == happened
    assert all(story[-1] == "resolved" and story.count("resolved") == 1 for story in told.values())
    repeats = len(sink.received) - len(bodies)
    assert happened, "something happened"
    assert repeats, "something was repeated"
