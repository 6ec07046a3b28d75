from __future__ import annotations

import pytest

from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.simulator.pace import Pace, plan

NOW = 1_800_000_000.0


def planned(*, start: str | None = None, duration: str | None = None, backfill: str = "0s", speed: float = 1.0) -> Pace:
    return plan(now=NOW, start=start, duration=duration, backfill=backfill, speed=speed, story=300)


def at(pace: Pace, into: float) -> int:
    return pace.start_ns + round(into * 1e9)


def test_live_starts_now_and_goes_on() -> None:
    pace = planned()
    assert (pace.start, pace.end, pace.history) == (NOW, None, 0)
    assert pace.due(at(pace, 12)) == NOW + 12


def test_what_is_past_is_due_at_once_and_the_rest_in_its_time() -> None:
    pace = planned(backfill="30m", start="+10s")
    assert pace.history == 1800
    assert pace.due(at(pace, -1800)) < pace.due(at(pace, -10)) == NOW
    assert pace.due(at(pace, -1)) == NOW + 9
    assert pace.due(at(pace, 1)) == NOW + 11


def test_another_speed_tells_a_whole_story_that_ends_now() -> None:
    pace = planned(speed=10)
    assert (pace.start, pace.end) == (NOW - 300, 300)
    assert pace.due(at(pace, 300)) == NOW + 30


def test_speed_0_is_due_at_once() -> None:
    pace = planned(speed=0, duration="10m")
    assert (pace.start, pace.end) == (NOW - 600, 600)
    assert pace.due(at(pace, 599)) == NOW


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-15T08:00:00Z", NOW),
        ("2027-01-15T09:00:00+01:00", NOW),
        ("2027-01-15T08:00:00", NOW),
        ("1800000000", NOW),
        ("now", NOW),
        ("-30m", NOW - 1800),
        ("+10s", NOW + 10),
    ],
)
def test_a_start_is_a_time_or_a_span_from_now(text: str, expected: float) -> None:
    assert planned(start=text).start == expected


def test_a_start_in_the_future_is_waited_for() -> None:
    pace = planned(start="+10s")
    assert pace.due(at(pace, 5)) == NOW + 15


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"start": "yesterday"}, "start = 'yesterday' is not a time such as"),
        ({"start": "-yesterday"}, "start = '-yesterday' is not a span"),
        ({"start": "nan"}, "start = 'nan' is not a time such as"),
        ({"start": "1e300"}, "start = '1e300' is not a time such as"),
        ({"duration": "long"}, "duration = 'long' is not a span of time"),
        ({"duration": "0s"}, "duration = '0s': more than 0s"),
        ({"duration": "inf"}, "duration = 'inf' is not a span of time"),
        ({"backfill": "-1m"}, "backfill = '-1m': between 0s and 24h"),
        ({"backfill": "25h"}, "backfill = '25h': between 0s and 24h"),
    ],
)
def test_a_wrong_flag_is_named(flags: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        planned(**flags)  # pyright: ignore[reportArgumentType] - wrong on purpose
    assert says in str(error.value)
