"""Bodies as they arrive: any cutting into chunks gives the same bytes, and no body passes its limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_collector.budget import Budget
from gigawatch_collector.inflate import STEP, Body
from gigawatch_collector.refusal import Refusal

LIMIT = 8 * STEP


def chunks(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def read(parts: list[bytes], *, limit: int = LIMIT, gzipped: bool = True, budget: Budget | None = None) -> bytes:
    with (budget or Budget(LIMIT)).claim() as claim:
        body = Body(limit, claim, gzip=gzipped)
        for part in parts:
            body.feed(part)
        return body.finish()


@given(members=st.lists(st.binary(max_size=2000), min_size=1, max_size=4), size=st.integers(1, 700))
def test_any_members_in_any_chunks_are_the_same_bytes(members: list[bytes], size: int) -> None:
    packed = b"".join(gzip.compress(member) for member in members)
    assert read(chunks(packed, size)) == b"".join(members)
    assert read(chunks(packed, size), gzipped=False) == packed


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_what_inflates_to_whole_steps_is_complete(extra: int) -> None:
    content = b"\0" * (3 * STEP + extra)
    assert read([gzip.compress(content)]) == content


def test_a_bomb_is_stopped_within_a_step_of_the_limit() -> None:
    bomb = zlib.compress(b"\0" * (200 * STEP), wbits=31)
    tracemalloc.start()
    try:
        with pytest.raises(Refusal, match="larger than") as caught:
            read([bomb], limit=2 * STEP)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.http == 413
    assert caught.value.retry_after is None
    assert peak < 8 * STEP


def test_empty_members_without_end_are_stopped_by_the_limit_on_the_wire() -> None:
    with pytest.raises(Refusal, match="larger than"):
        read(chunks(gzip.compress(b"") * 1000, 100), limit=5000)


@given(content=st.binary(min_size=1, max_size=300), data=st.data())
def test_gzip_that_ends_early_is_refused(content: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(content)
    end = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(Refusal, match="ends early"):
        read([packed[:end]])


def test_what_is_no_gzip_is_refused() -> None:
    with pytest.raises(Refusal, match="not gzip"):
        read([b"\x0a\x00"])


def test_inflated_bytes_are_held_against_the_budget_until_the_answer() -> None:
    budget = Budget(1000)
    packed = gzip.compress(b"\0" * 900)
    with budget.claim() as claim:
        body = Body(LIMIT, claim, gzip=True)
        body.feed(packed)
        assert budget.used == 900
        with pytest.raises(Refusal, match="in flight") as caught:
            read([packed], budget=budget)
        assert caught.value.retry_after in {1, 2, 3}
        assert budget.used == 900
    assert budget.used == 0
