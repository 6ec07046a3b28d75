"""Durations as Prometheus reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gigawatch_alerts import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("30s", 30),
        ("1m30s", 90),
        ("1h", 3600),
        ("1d12h", 129_600),
        ("2w", 1_209_600),
        ("5ms", 0.005),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "1.5h", "30s1m", "1 m", "-1m", "m", "1M", "101y", "\u0661s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it as|longer"):
        durations.parse(text)
