import pytest

from gigawatch_exporters.simulator import span


@pytest.mark.parametrize(
    ("text", "expected"),
    [("25s", 25), ("2m", 120), ("1h30m", 5400), ("-1d", -86_400), ("+2m", 120), ("90", 90), (90, 90), ("0.5s", 0.5)],
)
def test_a_span_is_read_in_seconds(text: str | float, expected: float) -> None:
    assert span.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "1x", "m", "1m2", "1 m", "--1m"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        span.seconds(text)
