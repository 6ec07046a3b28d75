from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)

from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_exporters.simulator.fleet import Export
from gigawatch_exporters.simulator.sender import ATTEMPTS, LONGEST_WAIT, Sender, Tally, check_reachable, delay
from gigawatch_exporters.simulator.transport import Answer, Connection

if TYPE_CHECKING:
    from collections.abc import Callable


class Receiver(Protocol):
    endpoint: str
    got: list[tuple[str, bytes]]
    connections: int
    answer: Callable[[str, int], tuple[int, dict[str, str], bytes]]


def export(number: int = 0, host: str = "node") -> Export:
    return Export(number, "metrics", host, f"body {number}".encode() * 100, 10)


def send(receiver: Receiver, exports: list[Export], connections: int = 1) -> Tally:
    sender = Sender(lambda: Connection(receiver.endpoint), connections)
    for each in exports:
        sender.put(each)
    return sender.close()


def test_exports_arrive_whole_over_kept_connections(receiver: Receiver) -> None:
    sent = [export(number, f"node{number % 7}") for number in range(60)]
    tally = send(receiver, sent, connections=3)
    assert sorted(receiver.got) == sorted(("/v1/metrics", each.body) for each in sent)
    assert (tally.exports, tally.points, tally.errors, tally.given_up) == (60, 600, 0, 0)
    assert receiver.connections <= 3


def test_exports_of_a_node_arrive_in_order(receiver: Receiver) -> None:
    send(receiver, [export(number) for number in range(40)], connections=4)
    assert [body for _, body in receiver.got] == [export(number).body for number in range(40)]


def test_logs_go_to_their_own_path(receiver: Receiver) -> None:
    send(receiver, [Export(0, "logs", "node", b"event", 1)])
    assert receiver.got == [("/v1/logs", b"event")]


def test_a_receiver_that_is_full_is_asked_again_until_it_takes_the_export(receiver: Receiver) -> None:
    receiver.answer = lambda _path, number: (503, {"Retry-After": "0"}, b"full") if number < 4 else (200, {}, b"")
    tally = send(receiver, [export(1), export(2)])
    assert [body for _, body in receiver.got] == [export(1).body] * 4 + [export(2).body]
    assert (tally.exports, tally.errors, tally.given_up) == (2, 3, 0)
    assert tally.last_error == "503 Service Unavailable: full"


def test_patience_ends_and_the_next_export_is_sent(receiver: Receiver) -> None:
    receiver.answer = lambda _path, number: (429, {"Retry-After": "0"}, b"") if number <= ATTEMPTS else (200, {}, b"")
    tally = send(receiver, [export(1), export(2)])
    assert len(receiver.got) == ATTEMPTS + 1
    assert (tally.exports, tally.errors, tally.given_up) == (1, ATTEMPTS, 1)


def test_what_is_refused_for_good_is_not_sent_again(receiver: Receiver) -> None:
    receiver.answer = lambda _path, _number: (400, {}, b"\x08\x03\x12\x0bno such key")
    tally = send(receiver, [export()])
    assert len(receiver.got) == 1
    assert (tally.exports, tally.rejected, tally.given_up) == (0, 10, 1)
    assert "no such key" in tally.last_error


def test_points_that_a_receiver_rejects_are_not_counted_as_stored(receiver: Receiver) -> None:
    partial = ExportMetricsPartialSuccess(rejected_data_points=3, error_message="too old")
    response = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
    receiver.answer = lambda _path, _number: (200, {}, response)
    tally = send(receiver, [export()])
    assert (tally.exports, tally.points, tally.rejected, tally.last_error) == (1, 7, 3, "too old")


def test_a_receiver_that_hangs_up_is_called_again(receiver: Receiver) -> None:
    receiver.answer = lambda _path, number: (200, {"Connection": "close"} if number % 2 else {}, b"")
    tally = send(receiver, [export(number) for number in range(6)])
    assert (tally.exports, tally.given_up) == (6, 0)


def test_a_sender_that_must_stop_does_not_wait_for_a_full_receiver(receiver: Receiver) -> None:
    receiver.answer = lambda _path, _number: (503, {"Retry-After": "3600"}, b"")
    sender = Sender(lambda: Connection(receiver.endpoint), 1)
    for number in range(10):
        sender.put(export(number))
    while not receiver.got:
        pass
    tally = sender.close(at_once=True)
    assert tally.exports == 0
    assert len(receiver.got) == 1


def test_waits_follow_the_receiver_within_bounds() -> None:
    assert delay(Answer(status=503, retry_after=7), 1) == 7
    assert delay(Answer(status=503, retry_after=1e9), 1) == LONGEST_WAIT
    waits = [delay(None, attempt) for attempt in range(1, ATTEMPTS)]
    assert waits == sorted(wait for wait in waits if wait)
    assert delay(None, ATTEMPTS) is None
    assert delay(Answer(status=400), 1) is None


def test_nobody_listening_is_one_clear_error(receiver: Receiver) -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 does not answer .*: start `gigawatch collector`"):
        check_reachable("http://127.0.0.1:1")
    check_reachable(receiver.endpoint)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://a", "http://", "http://host:port"])
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"endpoint = .* is not like http://127\.0\.0\.1:4318"):
        Connection(endpoint)
