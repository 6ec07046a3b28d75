"""What the end of an attempt means, and when the next one comes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_alerts.answers import LONGEST, LONGEST_WISH, Answer, judge, pause

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert judge(Answer(status=status), age=100 * HOUR, give_up_after=HOUR) == "delivered"


@pytest.mark.parametrize("status", [100, 301, 302, 307, 308, 400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504])
def test_all_else_is_tried_again_until_it_is_given_up(status: int) -> None:
    assert judge(Answer(status=status), age=timedelta(0), give_up_after=HOUR) == "again"
    assert judge(Answer(status=status), age=HOUR, give_up_after=HOUR) == "dead"


def test_gone_is_gone() -> None:
    assert judge(Answer(status=410), age=timedelta(0), give_up_after=HOUR) == "gone"


def test_no_answer_is_tried_again() -> None:
    assert judge(Answer(error="no answer within 15 s"), age=timedelta(0), give_up_after=HOUR) == "again"


@given(st.integers(1, 10_000), st.integers())
def test_pauses_double_up_to_an_hour_less_up_to_half_of_it(attempts: int, seed: int) -> None:
    found = pause(Answer(status=500), attempts, NOW, random.Random(seed))
    most = min(timedelta(seconds=5 * 2 ** min(attempts - 1, 30)), LONGEST)
    assert most / 2 <= found <= most


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("Sun, 01 Nov 2026 12:05:00 GMT", 300),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("1e9", 0),
        (" " * 20 + "120", 120),
        ("Sun, 01 Nov 2026 12:05:00 +9999999999", 0),
        ("9" * 400, LONGEST_WISH.total_seconds()),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WISH.total_seconds()),
    ],
)
def test_a_receiver_that_asks_for_time_gets_it_within_reason(header: str, seconds: float) -> None:
    found = pause(Answer(status=429, retry_after=header), 1, NOW, random.Random(0))
    assert found == max(timedelta(seconds=seconds), pause(Answer(status=429), 1, NOW, random.Random(0)))


@given(st.text())
def test_any_retry_after_is_survived(header: str) -> None:
    found = pause(Answer(status=503, retry_after=header), 1, NOW, random.Random(0))
    assert timedelta(0) < found <= LONGEST_WISH
