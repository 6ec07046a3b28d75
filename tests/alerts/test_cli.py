"""The command as people and the demo use it: real processes, a real database, a real receiver."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import pytest

from gigawatch_alerts import cli
from gigawatch_alerts.evaluate import evaluate_at
from gigawatch_alerts.sink import Reply, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

COMMAND = [sys.executable, "-c", "import sys; from gigawatch_alerts.cli import main; sys.exit(main())"]


@contextmanager
def running(*words: str, env: dict[str, str] | None = None) -> Generator[subprocess.Popen[str]]:
    """A command of the alerts, killed at the end if it still runs."""
    environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **(env or {})}
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().rstrip("\n")


def eventually(check: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Ask it to end; its exit code and what it logged."""
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    return process.returncode, log


@pytest.fixture
def run_words(things: Any) -> list[str]:
    things.rules()
    return [
        *("run", "--dsn", things.database.dsn, "--rules", str(things.path), "--interval", "0.2", "--group-wait", "0"),
        *("--allow", "127.0.0.0/8", "--timeout", "1"),
    ]


def statuses(sink: Sink) -> list[tuple[str, str]]:
    """What was told, each message once."""
    seen: dict[str, dict[str, Any]] = {received.message_id: received.payload for received in sink.accepted()}
    return [(alert["labels"]["thing"], alert["status"]) for body in seen.values() for alert in body["alerts"]]


def test_an_alert_goes_from_the_row_to_the_receiver_and_back(things: Any, run_words: list[str]) -> None:
    with Sink() as sink, running(*run_words, "--webhook", sink.url + "secret-path") as process:
        assert first_line(process.stdout) == f"ready: 1 rules, delivering to {sink.url.rstrip('/')}"
        things.show(a="active")
        eventually(lambda: statuses(sink) == [("a", "firing")])
        things.show(a="clear")
        eventually(lambda: statuses(sink) == [("a", "firing"), ("a", "resolved")])
        code, log = ended(process)
    assert code == 0
    assert "Traceback" not in log
    assert "secret-path" not in log


def test_a_worker_killed_while_it_sends_loses_nothing(things: Any, run_words: list[str]) -> None:
    """kill -9 between claim and answer, then a new process: the message comes again, under the same id."""
    with Sink(reply=lambda number, _: Reply(wait_s=30 if number == 0 else 0)) as sink:
        things.show(a="active")
        with running(*run_words, "--webhook", sink.url, "--timeout", "20") as process:
            eventually(lambda: len(sink.received) == 1)
            process.kill()
        things.show(a="clear")
        # The lease outlasts any attempt: the test does not wait for it, it moves it.
        things.connection.execute("UPDATE alert_group SET leased_until = now()")
        with running(*run_words, "--webhook", sink.url) as process:
            eventually(lambda: ("a", "resolved") in statuses(sink))
            assert ended(process)[0] == 0
        ids = [received.message_id for received in sink.received]
        assert ids[0] == ids[1]
        assert len(set(ids)) == 2
        assert sink.received[0].body == sink.received[1].body
        assert things.connection.execute(
            "SELECT count(*) FILTER (WHERE finished_at IS NULL), count(*) FROM alert_attempt"
        ).fetchone() == (1, 3)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret", "https://localhost/secret", "http://[::1]/secret"])
def test_a_webhook_into_the_own_network_is_refused_at_the_start_with_the_reason(things: Any, url: str) -> None:
    things.rules()
    words = ("run", "--dsn", things.database.dsn, "--rules", str(things.path), "--webhook", url)
    with running(*words) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert "add its network to allow" in err
    assert "secret" not in err
    assert "Traceback" not in err


def test_two_services_on_one_database_tell_everything_once(things: Any, run_words: list[str]) -> None:
    with Sink() as sink:
        words = [*run_words, "--webhook", sink.url, "--group-by", "thing"]
        with running(*words) as one, running(*words) as two:
            for process in (one, two):
                assert first_line(process.stdout).startswith("ready")
            for _ in range(3):
                for seen in ("active", "clear"):
                    things.show(a=seen, b=seen, c=seen)
                    expected = len(statuses(sink)) + 3
                    eventually(lambda expected=expected: len(statuses(sink)) >= expected)
            assert [ended(process)[0] for process in (one, two)] == [0, 0]
        for name in "abc":
            assert [status for thing, status in statuses(sink) if thing == name] == ["firing", "resolved"] * 3
        assert len(sink.received) == len({received.message_id for received in sink.received})


def test_the_service_outlives_an_outage_of_the_database(things: Any, run_words: list[str]) -> None:
    with Sink() as sink, running(*run_words, "--webhook", sink.url) as process:
        first_line(process.stdout)
        things.show(a="active")
        eventually(lambda: statuses(sink) == [("a", "firing")])
        things.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'gigawatch alerts' AND datname = current_database()"
        )
        things.show(b="active")
        eventually(lambda: ("b", "firing") in statuses(sink))
        code, log = ended(process)
    assert code == 0
    assert "waits for the database" in log
    assert "Traceback" not in log


def test_the_service_tells_how_it_is(things: Any, run_words: list[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def metrics() -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    reply = Reply(status=500)
    words = [*run_words, "--metrics-port", str(port)]
    with Sink(reply=lambda *_: reply) as sink, running(*words, "--webhook", sink.url) as process:
        first_line(process.stdout)
        things.show(a="active")
        eventually(lambda: metrics().get('gigawatch_alerts_deliveries_total{receiver="webhook",result="again"}') == 1)
        found = metrics()
        assert found['gigawatch_alerts_outbox_depth{receiver="webhook"}'] == 1
        assert found['gigawatch_alerts_outbox_oldest_seconds{receiver="webhook"}'] > 0
        assert found['gigawatch_alerts_receiver_disabled{receiver="webhook"}'] == 0
        assert found['gigawatch_alerts_changes_total{change="firing"}'] == 1
        assert found['gigawatch_alerts_evaluation_duration_seconds_count{group="things"}'] >= 1
        things.connection.execute("ALTER TABLE thing RENAME TO gone")
        name = 'gigawatch_alerts_rule_failures_total{group="things",rule="Thing"}'
        eventually(lambda: metrics().get(name, 0) >= 1)
        assert ended(process)[0] == 0


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Call the command in this process: exit code, output, errors."""
    for name in [name for name in os.environ if name.startswith("GIGAWATCH_")]:
        monkeypatch.delenv(name)

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(list(words), "gigawatch alerts")
        found = capsys.readouterr()
        return code, found.out, found.err

    return call


BAD_SETTINGS = [
    (("--webhook", "ftp://x/y-secret"), "webhook: must be a URL that begins with https://"),
    (("--webhook-secret", "hunter2"), "webhook_secret: must be whsec_ and 24 to 64 bytes"),
    (("--interval", "0"), "interval = 0.0: must be more than 0"),
    (("--interval", "soon"), "interval = 'soon' is not a number"),
    (("--workers", "0"), "workers = 0: must be from 1 to 64"),
    (("--allow", "10.0.0.0/99"), "allow: '10.0.0.0/99' does not appear to be"),
    (("--allow-ports", "443,x"), "allow_ports = 'x': is not a port"),
    (("--group-by", "my-label"), "group_by = 'my-label': is not a label's name"),
    (("--external-url", "pages"), "external_url = 'pages': must begin with http:// or https://"),
    (("--log-level", "loud"), "log_level = 'loud': must be one of"),
    (("--rules", "absent.yaml"), "absent.yaml: No such file"),
]


@pytest.mark.parametrize(("words", "complaint"), BAD_SETTINGS)
def test_a_bad_setting_is_one_line_that_names_it(
    called: Callable[..., Any], words: tuple[str, ...], complaint: str
) -> None:
    code, out, err = called("run", "--dsn", "postgresql://127.0.0.1:1/x", *words)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1
    assert "secret" not in err.replace("webhook_secret", "")
    assert "hunter2" not in err


def test_a_database_that_is_not_there_or_old_is_one_line(called: Callable[..., Any], timescale: Any) -> None:
    code, _, err = called("list", "--dsn", "postgresql://127.0.0.1:1/x")
    assert code != 0
    assert err.count("\n") == 1
    with timescale.database(template=None) as empty:
        for command in (["list"], ["check"], ["enable", "webhook"]):
            code, _, err = called(*command, "--dsn", empty.dsn)
            assert (code, "gigawatch migrate" in err) == (3, True)
        with running("run", "--dsn", empty.dsn) as process:
            _, err = process.communicate(timeout=30)
        assert (process.returncode, "gigawatch migrate" in err, "Traceback" in err) == (3, True, False)


def test_check_says_what_it_checked_and_what_is_wrong(called: Callable[..., Any], things: Any) -> None:
    things.rules()
    assert called("check", "--no-database")[:2] == (
        0,
        "5 rules in 1 group: well formed; their queries were not tried on a database\n",
    )
    dsn = ("--dsn", things.database.dsn)
    code, out, _ = called("check", *dsn)
    assert (code, out) == (0, "5 rules in 1 group: well formed, and the database reads their queries\n")
    assert called("check", str(things.path), *dsn)[0] == 0
    things.path.write_text(things.path.read_text().replace("FROM thing", "FROM thong", 1))
    code, out, err = called("check", str(things.path), *dsn)
    assert (code, out) == (2, "")
    assert f'{things.path}:6: groups[0].rules[0].condition: relation "thong" does not exist' in err


def test_list_shows_what_fires_and_what_is_unknown(called: Callable[..., Any], things: Any) -> None:
    dsn = ("--dsn", things.database.dsn)
    assert called("list", *dsn)[:2] == (0, "nothing fires\n")
    things.connection.execute("INSERT INTO thing VALUES ('f1', E'a\\x1b[31m', 'active')")
    more = "    annotations: {summary: 'thing {{ $labels.thing }}'}\n    labels: {severity: critical}\n"
    evaluate_at(things.connection, things.rules(more), datetime.now(UTC))
    things.connection.execute("UPDATE thing SET seen = 'unknown'")
    evaluate_at(things.connection, things.rules(more), datetime.now(UTC))
    code, out, _ = called("list", *dsn)
    assert code == 0
    head, line = out.splitlines()
    assert head.split() == ["STATE", "SEVERITY", "FOR", "ALERT", "WHERE", "SUMMARY"]
    assert line.startswith("firing, unknown  critical")
    assert line.endswith("Thing  f1     thing a?[31m")
    (found,) = json.loads(called("list", "--json", *dsn)[1])
    assert (found["rule"], found["state"], found["known"]) == ("Thing", "firing", False)
    assert found["labels"]["thing"] == "a\x1b[31m"


def test_enable_knows_its_receivers(called: Callable[..., Any], things: Any) -> None:
    dsn = ("--dsn", things.database.dsn)
    code, _, err = called("enable", "webhook", *dsn)
    assert code == 2
    assert "there is no receiver 'webhook'" in err
    things.connection.execute("INSERT INTO alert_receiver VALUES ('webhook', '', now(), 'it answered 410 Gone')")
    assert called("enable", "webhook", *dsn)[0] == 0
    assert things.connection.execute("SELECT disabled_at FROM alert_receiver").fetchone() == (None,)


def test_the_sink_shows_and_keeps_what_it_gets(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    with running("sink", "--port", "0", "--file", str(file)) as process:
        url = first_line(process.stdout).removeprefix("ready: receiving at ")
        body = {"status": "firing", "alerts": [{}, {}], "commonLabels": {"alertname": "X", "node": "n\x1b1"}}

        def post(content: bytes) -> int:
            request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                error.close()
                return error.code

        assert post(json.dumps(body).encode()) == 200
        assert post(b"[]") == 401
        assert post(b"\xff") == 401
        line = first_line(process.stdout)
        assert line.endswith("firing 2 of alertname=X node=n?1")
        assert ended(process)[0] == 0
    (kept,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert kept["body"] == body


def test_a_taken_port_is_one_line(called: Callable[..., Any]) -> None:
    with Sink() as sink:
        port = sink.url.rstrip("/").rpartition(":")[2]
        code, _, err = called("sink", "--port", port)
    assert code == 2
    assert err == f"gigawatch alerts: --port {port}: cannot listen: Address already in use\n"


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["run"], ["check"], ["list"], ["enable"], ["sink"]):
        with pytest.raises(SystemExit) as ended_with:
            cli.main([*words, "--help"], "gigawatch alerts")
        assert ended_with.value.code == 0
    out = capsys.readouterr().out
    for word in ("examples:", "--webhook", "GIGAWATCH_DSN", "GIGAWATCH_ALERTS_WEBHOOK_SECRET", "(default: 15.0)"):
        assert word in out


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("sink", "--port", "99999"), "--port"),
        (("sink", "--port", "-1"), "--port"),
        (("run", "--metrics-port", "99999"), "metrics_port"),
        (("run", "--allow-ports", "99999"), "allow_ports"),
        (("run", "--webhook", "http://127.0.0.1:99999/hook", "--allow", "127.0.0.0/8"), "webhook"),
    ],
)
def test_a_port_that_is_none_is_refused_in_one_line(
    words: tuple[str, ...], key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = () if words[0] == "sink" else ("--dsn", "postgresql://127.0.0.1:1/none")
    assert cli.main([*words, *dsn]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert key in line
    assert "port" in line
