from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gigawatch_dashboards.units import clock, count, digits, duration, quantity, scale, share


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "unit", "wanted"),
    [
        (0, "W", "0 W"),
        (713.4, "W", "713 W"),
        (84_213, "W", "84.2 kW"),
        (1_250_000, "W", "1.25 MW"),
        (3.2e9, "By/s", "3.2 GB/s"),
        (6.84e12, "By/s", "6.84 TB/s"),
        (0.7132, "1", "71.3 %"),
        (63.04, "Cel", "63 °C"),
        (12, "accelerators", "12 accelerators"),
        (None, "W", "\u2013"),
    ],
)
def test_a_quantity_has_a_unit_people_read_and_three_digits(value: float | None, unit: str, wanted: str) -> None:
    assert plain(quantity(value, unit)) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.0421, "0.0421"),
        (7.314, "7.31"),
        (9.996, "10"),
        (99.96, "100"),
        (12_345, "12,345"),
        (-84.21, "-84.2"),
        (120, "120"),
    ],
)
def test_digits_keep_three_that_count(value: float, wanted: str) -> None:
    assert digits(value) == wanted


def test_an_axis_has_one_unit_that_fits_its_largest_value() -> None:
    assert scale([10.0, None, 2500.0], "W") == (1e3, "kW")
    assert scale([], "W") == (1.0, "W")
    assert scale([0.2], "1") == (0.01, "%")


def test_a_share_says_100_per_cent_only_when_nothing_is_missing() -> None:
    assert plain(share(999_999, 1_000_000)) == "> 99.9 %"
    assert plain(share(1_000, 1_000)) == "100 %"
    assert plain(share(15, 16)) == "93.8 %"
    assert share(None, 3) == share(3, 0) == "\u2013"


def test_missing_counts_are_a_dash_and_zero_is_zero() -> None:
    assert (count(None), count(0), count(23536)) == ("\u2013", "0", "23,536")


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(12, "12 s"), (180, "3 min"), (7500, "2 h 5 min"), (36_000, "10 h"), (200_000, "2 d 7 h"), (-5, "0 s")],
)
def test_a_duration_has_its_two_largest_units(seconds: int, wanted: str) -> None:
    assert plain(duration(timedelta(seconds=seconds))) == wanted


def test_a_clock_shows_the_date_unless_it_is_today() -> None:
    moment = datetime(2026, 11, 23, 11, 40, 5, tzinfo=UTC)
    assert plain(clock(moment, moment)) == "11:40:05 UTC"
    assert plain(clock(moment, moment + timedelta(days=1))) == "2026-11-23 11:40:05 UTC"
    assert clock(None) == "\u2013"
