"""The writer on a sink that fails as it is told: whoever sends what cannot be stored harms only themselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_collector import writer as module
from gigawatch_collector.batch import Batch
from gigawatch_collector.load import Request
from gigawatch_collector.merge import Counts
from gigawatch_collector.meters import Meters
from gigawatch_collector.refusal import Refusal
from gigawatch_collector.store import Stored
from gigawatch_collector.writer import Writer
from gigawatch_contract.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


@dataclass
class FakeSink:
    """Refuses transactions that hold a poisonous request, and whatever `errors` says first."""

    poisonous: set[int] = field(default_factory=set[int])
    errors: list[Exception] = field(default_factory=list[Exception])
    committed: list[Request] = field(default_factory=list[Request])
    transactions: int = 0
    connections: int = 0
    down: bool = False

    async def connect(self) -> FakeSink:
        if self.down:
            raise Unavailable("the database does not answer")
        self.connections += 1
        return self

    async def store(self, requests: Sequence[Request]) -> Stored:
        self.transactions += 1
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        if any(id(request) in self.poisonous for request in requests):
            raise psycopg.errors.CheckViolation("no")
        self.committed += requests
        return Stored(Counts(sum(request.points for request in requests)), Counts(), 0)

    async def close(self) -> None:
        pass


def request() -> Request:
    return Request("metrics", Batch(points=3), 0)


def writing(sink: FakeSink, act: Callable[[Writer], Awaitable[None]]) -> Meters:
    """Run a writer on the sink while something acts."""
    meters = Meters()

    async def run() -> None:
        writer = Writer(sink.connect, meters, batch_points=1000, timeout=5)
        await writer.start()
        task = asyncio.create_task(writer.run())
        await act(writer)
        writer.finish()
        await asyncio.wait_for(task, 20)

    asyncio.run(run())
    return meters


def figure(meters: Meters, name: str) -> float:
    found = meters.registry.get_sample_value(f"gigawatch_collector_{name}", {"signal": "metrics"})
    return found or 0


def test_requests_that_wait_are_committed_together() -> None:
    sink = FakeSink()
    requests = [request() for _ in range(40)]

    async def act(writer: Writer) -> None:
        await asyncio.gather(*(writer.submit(one) for one in requests))

    writing(sink, act)
    assert sink.committed == requests
    assert sink.transactions <= 2


@given(bad=st.sets(st.integers(0, 15)))
def test_a_poisonous_request_is_refused_and_the_others_are_stored(bad: set[int]) -> None:
    requests = [request() for _ in range(16)]
    sink = FakeSink({id(requests[index]) for index in bad})
    outcomes: list[object] = []

    async def act(writer: Writer) -> None:
        outcomes.extend(await asyncio.gather(*(writer.submit(one) for one in requests), return_exceptions=True))

    meters = writing(sink, act)
    assert {index for index, one in enumerate(outcomes) if one is not None} == bad
    assert all(isinstance(one, Refusal) and one.http == 400 for one in outcomes if one is not None)
    assert len(sink.committed) == 16 - len(bad)
    assert sink.connections == 1
    rejected = meters.registry.get_sample_value(
        "gigawatch_collector_rejected_points_total", {"signal": "metrics", "reason": "poison"}
    )
    assert (rejected or 0) == 3 * len(bad)
    assert figure(meters, "stored_points_total") == 3 * (16 - len(bad))
    assert figure(meters, "in_flight_points") == 0


@pytest.mark.parametrize(
    "error", [psycopg.errors.DeadlockDetected, psycopg.OperationalError, psycopg.errors.AdminShutdown]
)
def test_what_may_pass_is_tried_again_before_the_sender_hears_of_it(error: type[Exception]) -> None:
    sink = FakeSink(errors=[error("once")])
    writing(sink, lambda writer: writer.submit(request()))
    assert len(sink.committed) == 1


def test_without_a_database_nothing_is_stored_and_senders_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.05)
    sink = FakeSink(errors=[psycopg.OperationalError("gone")])

    async def act(writer: Writer) -> None:
        sink.down = True
        for _ in range(3):
            with pytest.raises(Refusal) as caught:
                await writer.submit(request())
            assert caught.value.http == 503
            assert caught.value.retry_after in {1, 2, 3}
        assert not writer.up
        sink.down = False
        while not writer.up:  # noqa: ASYNC110 - it connects by itself
            await asyncio.sleep(0.01)
        await writer.submit(request())

    meters = writing(sink, act)
    assert len(sink.committed) == 1
    assert figure(meters, "failed_points_total") == 9
    assert figure(meters, "in_flight_points") == 0
    assert meters.registry.get_sample_value("gigawatch_collector_database_up") == 0  # at the end


def test_a_transaction_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen(FakeSink):
        async def store(self, requests: Sequence[Request]) -> Stored:
            await asyncio.sleep(60)
            return await super().store(requests)

    async def act(writer: Writer) -> None:
        monkeypatch.setattr(writer, "_timeout", 0.05)
        with pytest.raises(Refusal, match="does not answer"):
            await writer.submit(request())

    writing(Frozen(), act)


def test_what_was_submitted_before_the_end_is_stored() -> None:
    sink = FakeSink()
    answers: list[asyncio.Task[None]] = []

    async def act(writer: Writer) -> None:
        answers.extend(asyncio.create_task(writer.submit(request())) for _ in range(5))
        await asyncio.sleep(0)

    writing(sink, act)
    assert len(sink.committed) == 5
    assert all(answer.done() and answer.exception() is None for answer in answers)
