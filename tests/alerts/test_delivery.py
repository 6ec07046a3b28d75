"""Delivery to a real receiver that fails in every way: none lost, none out of order, repeats under the same id."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from standardwebhooks import Webhook

from gigawatch_alerts import answers, outbox, queue, webhook
from gigawatch_alerts.address import Policy, networks
from gigawatch_alerts.delivery import HttpSender, Receiver, deliver_one
from gigawatch_alerts.evaluate import Context, evaluate_at
from gigawatch_alerts.routes import Route
from gigawatch_alerts.sink import Reply, Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_alerts.answers import Verdict

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ROUTE = Route(receiver="webhook", group_by=("alertname", "factory", "thing"))
CONTEXT = Context(routes=(ROUTE,), external_url="https://pages.example")
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
RECORDED = json.loads((Path(__file__).parent / "data" / "alertmanager-0.25.json").read_text("utf-8"))


class Post:
    """The way from the outbox of `things` to a sink, with a clock in the test's hand."""

    def __init__(self, things: Any, sink: Sink, context: Context = CONTEXT, **receiver: Any) -> None:
        self.things = things
        self.sink = sink
        self.now = NOW
        self.context = context
        self.receiver = Receiver(
            name="webhook",
            url=httpx.URL(receiver.pop("url", sink.url)),
            policy=Policy(networks=networks("127.0.0.0/8")),
            external_url="https://pages.example",
            timeout=receiver.pop("timeout", timedelta(seconds=5)),
            **receiver,
        )
        outbox.register(things.connection, "webhook", "digest")

    def show(self, **seen: str) -> None:
        """Show things and evaluate, a second later."""
        self.now += SECOND
        self.things.show(**seen)
        evaluate_at(self.things.connection, self.things.rules(), self.now, self.context)

    def deliver(self, most: int = 1000) -> list[Verdict]:
        """Deliver what is due now; how each attempt ended."""

        async def go() -> list[Verdict]:
            sender = HttpSender(self.receiver)
            found: list[Verdict] = []
            chance = random.Random(0)
            while len(found) < most:
                verdict = await deliver_one(
                    self.things.connection, self.receiver, sender, clock=lambda: self.now, chance=chance
                )
                if verdict is None:
                    break
                found.append(verdict)
            await sender.aclose()
            return found

        return asyncio.run(go())

    def until_quiet(self, step: timedelta = timedelta(minutes=1), rounds: int = 2000) -> int:
        """Deliver and let time pass until nothing is left; how many attempts that took."""
        attempts = 0
        for _ in range(rounds):
            attempts += len(self.deliver())
            if self.things.connection.execute("SELECT bool_and(next_attempt IS NULL) FROM alert_group").fetchone() == (
                True,
            ):
                return attempts
            self.now += step
        raise AssertionError("it never became quiet")

    def stories(self) -> dict[str, list[str]]:
        """What the sink was told of each thing, in order; repeats under the same id count once."""
        return {thing: [status for _, status in told] for thing, told in self.episodes().items()}

    def episodes(self) -> dict[str, list[tuple[str, str]]]:
        """As `stories`, with the start of the episode that each word is about."""
        found: dict[str, list[tuple[str, str]]] = {}
        ids: set[str] = set()
        for received in self.sink.accepted():
            if received.message_id in ids:
                continue
            ids.add(received.message_id)
            for alert in received.payload["alerts"]:
                found.setdefault(alert["labels"]["thing"], []).append((alert["startsAt"], alert["status"]))
        return found


def rows(post: Post, query: Any) -> list[tuple[Any, ...]]:
    return post.things.connection.execute(query).fetchall()


def test_a_message_is_delivered_once_signed_and_recorded(things: Any) -> None:
    with Sink(signing=webhook.signers(SECRET)) as sink:
        post = Post(things, sink, signing=webhook.signers(SECRET))
        # The standard's library checks the time of a signature against the real clock.
        post.now = datetime.now(UTC)
        post.show(a="active")
        assert post.deliver() == ["delivered"]
        assert post.deliver() == []
        (received,) = sink.accepted()
        Webhook(SECRET).verify(received.body, received.headers)
        assert received.headers["content-type"] == "application/json"
        assert [alert["labels"]["thing"] for alert in received.payload["alerts"]] == ["a"]
        assert received.payload["groupKey"] == '{}:{alertname="Thing", factory="f1", thing="a"}'
        ((delivery, attempts, status, error),) = rows(
            post, "SELECT delivery, attempts, last_status, last_error FROM alert_delivery"
        )
        assert (delivery, attempts, status, error) == ("delivered", 1, 200, None)


def test_an_unsigned_message_is_refused_by_a_sink_that_wants_signatures(things: Any) -> None:
    with Sink(signing=webhook.signers(SECRET)) as sink:
        post = Post(things, sink)
        post.show(a="active")
        assert post.deliver() == ["again"]
        assert sink.accepted() == []


TROUBLE: dict[str, Callable[..., Reply]] = {
    "500": lambda _: Reply(status=500),
    "429": lambda _: Reply(status=429, headers={"Retry-After": "30"}),
    "503 with a date": lambda _: Reply(status=503, headers={"Retry-After": "Sun, 01 Nov 2026 12:00:30 GMT"}),
    "redirects to itself": lambda _: Reply(status=307, headers={"Location": "/other"}),
    "closes": lambda _: Reply(close=True),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_delays_and_loses_nothing(things: Any, trouble: str) -> None:
    """The first attempts of each message fail; all is told in the end, in order, each message under one id."""
    with Sink(reply=lambda number, _: TROUBLE[trouble](number) if number % 3 != 2 else Reply()) as sink:
        post = Post(things, sink)
        for seen in ("active", "clear", "active", "clear"):
            post.show(a=seen, b=seen)
            post.deliver()
        post.until_quiet()
        told = post.episodes()
        assert set(told) == {"a", "b"}
        for story in told.values():
            # Both episodes in their order, each to its end; one that ended while it waited is told once.
            starts = list(dict.fromkeys(start for start, _ in story))
            assert starts == ["2026-11-01T12:00:01Z", "2026-11-01T12:00:03Z"]
            for start in starts:
                words = [status for at, status in story if at == start]
                assert words in (["firing", "resolved"], ["resolved"])
            assert [start for start, _ in story] == sorted(start for start, _ in story)
        bodies: dict[str, set[str]] = {}
        for received in sink.received:
            bodies.setdefault(received.message_id, set()).add(received.body)
        assert all(len(found) == 1 for found in bodies.values())
        assert {received.path for received in sink.received} == {"/"}
        attempts = rows(post, "SELECT count(*), count(finished_at) FROM alert_attempt")
        assert attempts == [(len(sink.received), len(sink.received))]


def test_a_receiver_that_is_down_for_days_hears_the_whole_story_in_one_message(things: Any) -> None:
    with Sink() as gone:
        url = gone.url
    with Sink() as sink:
        post = Post(things, sink, url=url)
        post.show(a="active")
        assert post.deliver() == ["again"]
        assert rows(post, "SELECT status, error FROM alert_attempt") == [
            (None, "cannot connect: All connection attempts failed")
        ]
        post.show(a="clear")
        assert post.deliver() == []  # not due: order is kept, and the back-off too
        post.now += timedelta(hours=50)
        post.receiver = Receiver(name="webhook", url=httpx.URL(sink.url), policy=post.receiver.policy)
        post.until_quiet()
        assert post.stories() == {"a": ["firing", "resolved"]}


def test_what_was_over_before_it_could_be_told_is_told_once_as_resolved(things: Any) -> None:
    with Sink() as sink:
        post = Post(things, sink)
        post.show(a="active")
        post.show(a="clear")
        post.until_quiet()
        assert post.stories() == {"a": ["resolved"]}
        (alert,) = sink.accepted()[0].payload["alerts"]
        assert (alert["startsAt"], alert["endsAt"]) == ("2026-11-01T12:00:01Z", "2026-11-01T12:00:02Z")


def test_two_episodes_of_an_alert_are_told_in_two_messages(things: Any) -> None:
    with Sink() as sink:
        post = Post(things, sink)
        for seen in ("active", "clear", "active"):
            post.show(a=seen)
        post.until_quiet()
        assert post.stories() == {"a": ["resolved", "firing"]}
        assert len(sink.accepted()) == 2


def test_a_slow_receiver_is_waited_for_and_a_hanging_one_is_not(things: Any) -> None:
    with Sink(reply=lambda number, _: Reply(wait_s=0.3 if number else 30)) as sink:
        post = Post(things, sink, timeout=timedelta(seconds=1))
        post.show(a="active")
        assert post.deliver() == ["again"]
        assert rows(post, "SELECT error FROM alert_attempt") == [("no answer within 1 s",)]
        post.now += timedelta(minutes=1)
        assert post.deliver() == ["delivered"]
        assert len({received.message_id for received in sink.received}) == 1


def test_a_receiver_that_answers_drop_by_drop_meets_the_deadline_too(things: Any) -> None:
    async def go() -> answers.Answer:
        async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            try:
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            except OSError:
                writer.close()

        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        receiver = Receiver(
            name="webhook",
            url=httpx.URL(f"http://127.0.0.1:{port}/"),
            policy=Policy(networks=networks("127.0.0.0/8")),
            timeout=timedelta(seconds=0.5),
        )
        sender = HttpSender(receiver)
        answer = await sender.send("{}", {})
        await sender.aclose()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.2)  # the drips end with the connection
        return answer

    assert asyncio.run(go()) == answers.Answer(error="no answer within 0.5 s")


def test_a_receiver_that_is_gone_is_asked_no_more_until_it_is_enabled(things: Any) -> None:
    with Sink(reply=lambda number, _: Reply(status=410) if number == 0 else Reply()) as sink:
        post = Post(things, sink)
        post.show(a="active")
        post.show(b="active")
        assert post.deliver() == ["gone"]
        post.now += timedelta(days=1)
        assert post.deliver() == []
        assert outbox.register(things.connection, "webhook", "digest") == "it answered 410 Gone"
        assert rows(post, "SELECT receiver, changes FROM alert_backlog") == [("webhook", 2)]
        assert outbox.enable(things.connection, "webhook")
        post.until_quiet()
        assert post.stories() == {"a": ["firing"], "b": ["firing"]}
        assert rows(post, "SELECT changes, oldest FROM alert_backlog") == [(0, None)]


def test_another_address_begins_anew(things: Any) -> None:
    with Sink(reply=lambda number, _: Reply(status=410) if number == 0 else Reply()) as sink:
        post = Post(things, sink)
        post.show(a="active")
        assert post.deliver() == ["gone"]
        assert outbox.register(things.connection, "webhook", "another digest") is None
        post.until_quiet()
        assert post.stories() == {"a": ["firing"]}


def test_what_never_gets_through_is_a_dead_letter_and_blocks_nobody(things: Any) -> None:
    with Sink(reply=lambda number, _: Reply(status=500) if number < 3 else Reply()) as sink:
        post = Post(things, sink, give_up_after=timedelta(hours=2))
        post.show(a="active")
        for verdict in ("again", "again", "dead"):
            assert post.deliver() == [verdict]
            post.now += timedelta(hours=1)
        post.show(b="active")
        post.show(a="clear")
        post.until_quiet()
        assert post.stories() == {"a": ["resolved"], "b": ["firing"]}
        assert rows(post, "SELECT state, attempts FROM alert_notification ORDER BY created_at") == [
            ("dead", 3),
            ("delivered", 1),
            ("delivered", 1),
        ]


def test_groups_do_not_wait_for_each_other(things: Any) -> None:
    with Sink(reply=lambda _, body: Reply(status=500 if '"thing":"a"' in body else 200)) as sink:
        post = Post(things, sink)
        post.show(a="active", b="active", c="active")
        assert sorted(post.deliver()) == ["again", "delivered", "delivered"]
        assert post.stories() == {"b": ["firing"], "c": ["firing"]}


def test_a_group_waits_for_more_changes_before_its_first_message(things: Any) -> None:
    context = Context(routes=(Route(receiver="webhook", group_wait=10 * SECOND),))
    with Sink() as sink:
        post = Post(things, sink, context)
        post.show(a="active")
        assert post.deliver() == []
        post.show(b="active")
        post.now += 9 * SECOND
        assert post.deliver() == ["delivered"]
        (received,) = sink.accepted()
        assert len(received.payload["alerts"]) == 2
        post.show(c="active")
        post.now += 10 * SECOND
        assert post.deliver() == ["delivered"]
        # What still fires is told again beside what is new, as Alertmanager does.
        assert [alert["labels"]["thing"] for alert in sink.accepted()[1].payload["alerts"]] == ["a", "b", "c"]


def test_a_message_has_bounds_and_says_what_it_leaves_out(things: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_ALERTS", 3)
    context = Context(routes=(Route(receiver="webhook"),))
    with Sink() as sink:
        post = Post(things, sink, context)
        names = [f"t{number}" for number in range(8)]
        post.show(**dict.fromkeys(names, "active"))
        post.deliver()
        messages = [received.payload for received in sink.accepted()]
        assert [len(message["alerts"]) for message in messages] == [3, 3, 3]
        assert [message["truncatedAlerts"] for message in messages] == [0, 3, 5]
        assert sorted({alert["labels"]["thing"] for message in messages for alert in message["alerts"]}) == names


def test_the_secret_and_the_path_of_the_url_are_in_no_log_and_no_row(
    things: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with Sink(reply=lambda number, _: Reply(close=True) if number == 0 else Reply(status=500)) as sink:
        url = sink.url.replace("http://", "http://user:hunter2@") + "T0/path-secret?token=query-secret"
        post = Post(things, sink, url=url, signing=webhook.signers(SECRET))
        post.show(a="active")
        for _ in range(2):
            post.deliver()
            post.now += timedelta(hours=1)
        post.receiver = Receiver(
            name="webhook", url=httpx.URL(url.replace("127.0.0.1", "receiver.invalid")), policy=post.receiver.policy
        )
        post.deliver()
        shown = caplog.text + repr(post.receiver)
        tables = ("alert_receiver", "alert_group", "alert_notification", "alert_attempt", "alert_outbox")
        for table in tables:
            shown += str(rows(post, f"SELECT * FROM {table}"))
        assert "status 500" in shown
        for secret in ("hunter2", "path-secret", "query-secret", SECRET.removeprefix("whsec_")):
            assert secret not in shown


def test_what_the_receiver_writes_is_not_kept(things: Any) -> None:
    with Sink(reply=lambda *_: Reply(status=500, headers={"X-Note": "remember me"})) as sink:
        post = Post(things, sink)
        post.show(a="active")
        post.deliver()
        assert "remember me" not in str(rows(post, "SELECT * FROM alert_attempt"))


def test_a_worker_that_lost_its_lease_settles_nothing(things: Any) -> None:
    """The other worker sends the same message under the same id, and settles it."""
    with Sink() as sink:
        post = Post(things, sink)
        post.show(a="active")
        lease = post.receiver.lease
        first = outbox.claim(things.connection, "webhook", post.now, lease, "")
        assert first is not None
        assert outbox.claim(things.connection, "webhook", post.now + lease - SECOND, lease, "") is None
        second = outbox.claim(things.connection, "webhook", post.now + lease, lease, "")
        assert second is not None
        assert (second.message_id, second.body, second.number) == (first.message_id, first.body, 2)
        ok = answers.Answer(status=200)
        late = post.now + lease
        assert not outbox.settle(things.connection, first, ok, "delivered", now=late, pause=SECOND)
        assert rows(post, "SELECT state FROM alert_notification") == [("waiting",)]
        assert outbox.settle(things.connection, second, ok, "delivered", now=late, pause=SECOND)
        assert rows(post, "SELECT state FROM alert_notification") == [("delivered",)]
        assert rows(post, "SELECT number, status FROM alert_attempt ORDER BY number") == [(1, 200), (2, 200)]


def test_the_messages_of_a_group_are_those_of_alertmanager_for_the_same_alerts(things: Any) -> None:
    """Three alerts fire, one resolves, then the others, as Alertmanager was recorded: equal but for what names us."""
    connection = things.connection
    recorded = RECORDED["messages"]
    route = Route(receiver="webhook", group_by=("alertname", "factory", "missing"))
    with Sink() as sink:
        post = Post(things, sink, Context(routes=(route,)))
        ends = {"2026-11-01T12:15:00.5Z": 1, "2026-11-01T12:16:00Z": 2}
        instances = {alert["fingerprint"]: _fire(connection, alert) for alert in recorded[0]["alerts"]}
        labels = {instances[alert["fingerprint"]]: alert["labels"] for alert in recorded[0]["alerts"]}
        queue.fired(connection, labels, [route], post.now)
        post.deliver()
        for end, index in ends.items():
            over = [a for a in recorded[index]["alerts"] if a["status"] == "resolved" and a["endsAt"] == end]
            chosen = [instances[alert["fingerprint"]] for alert in over]
            connection.execute(
                "UPDATE alert_instance SET state = 'resolved', resolved_at = %s WHERE instance_id = ANY(%s)",
                [end, chosen],
            )
            queue.resolved(connection, chosen, post.now)
            post.deliver()
        ours = [received.payload for received in sink.accepted()]
        assert [{**message, "receiver": "hook"} for message in ours] == recorded


def _fire(connection: Any, alert: dict[str, Any]) -> int:
    row = connection.execute(
        "INSERT INTO alert_instance (alert_id, rule_group, rule, labels, annotations, link, state, active_since, fired_at) "
        "VALUES (gen_random_uuid(), 'g', 'XidEvent', %s, %s, %s, 'firing', %s, %s) RETURNING instance_id",
        [
            json.dumps(alert["labels"]),
            json.dumps(alert["annotations"]),
            alert["generatorURL"],
            alert["startsAt"],
            alert["startsAt"],
        ],
    ).fetchone()
    return row[0]


def test_a_receiver_that_comes_later_hears_what_fires_already_and_hears_it_once(things: Any) -> None:
    things.show(a="active", b="active")
    evaluate_at(things.connection, things.rules(), NOW)
    with Sink() as sink:
        post = Post(things, sink)
        assert queue.catch_up(things.connection, CONTEXT.routes, NOW) == 2
        assert queue.catch_up(things.connection, CONTEXT.routes, NOW) == 0
        post.show(a="clear")
        post.until_quiet()
        assert queue.catch_up(things.connection, CONTEXT.routes, NOW) == 0
        assert post.stories() == {"a": ["resolved"], "b": ["firing"]}


def test_what_resolves_goes_where_it_was_said_to_fire_whatever_the_routes_are_by_then(things: Any) -> None:
    with Sink() as sink:
        post = Post(things, sink)
        post.show(a="active")
        post.deliver()
        post.context = Context(routes=(Route(receiver="webhook", group_by=("factory",)),))
        post.show(a="clear")
        post.until_quiet()
        first, last = (received.payload for received in sink.accepted())
        assert (first["groupKey"], first["status"], last["status"]) == (last["groupKey"], "firing", "resolved")
        assert rows(post, "SELECT FROM alert_outbox") == []
