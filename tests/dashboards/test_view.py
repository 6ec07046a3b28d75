from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gigawatch_contract import links
from gigawatch_dashboards.moment import Moment
from gigawatch_dashboards.view import COLOURS, RANGES, View

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
views = some.builds(
    View,
    range=some.sampled_from(sorted(RANGES)),
    colour=some.sampled_from(sorted(COLOURS)),
    at=some.none()
    | some.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=some.just(UTC)).map(  # noqa: DTZ001 - hypothesis adds the zone itself
        lambda at: at.replace(microsecond=0)
    ),
    node=some.none()
    | some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255),
    event=some.none() | some.uuids().map(str),
)


@given(views)
def test_a_view_comes_back_from_its_own_address(view: View) -> None:
    assert View.of_search(view.search()) == view


@given(some.text(max_size=300))
def test_any_address_gives_a_view(search: str) -> None:
    view = View.of_search(f"?{search}")
    assert view.range in RANGES
    assert view.colour in COLOURS


def test_defaults_are_not_in_the_address_so_that_equal_views_have_equal_addresses() -> None:
    assert View().search() == ""
    assert View(range="1h").search(range="15m") == ""


@pytest.mark.parametrize("key", ["range", "colour", "at"])
def test_what_makes_no_sense_is_left_out_and_said(key: str) -> None:
    view = View.of_search(f"?{key}=nonsense&node=n1")
    assert (view.unread, view.node) == (key, "n1")
    assert (view.range, view.colour, view.at) == (View.range, View.colour, None)


def test_the_links_of_alerts_are_read_as_they_are_written() -> None:
    moment = datetime(2026, 11, 23, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    address = links.factory("sim-aurora", at=moment.isoformat(), node="r02n03", event="0b6d")
    view = View.of_search("?" + urlsplit(address).query)
    assert view == View(at=datetime(2026, 11, 23, 10, 30, tzinfo=UTC), node="r02n03", event="0b6d")


@pytest.mark.parametrize("text", ["2026-11-23T10:30:00Z", "2026-11-23T10:30:00", "2026-11-23T12:30:00 02:00"])
def test_a_moment_without_a_zone_is_utc_and_an_unescaped_plus_is_understood(text: str) -> None:
    assert View.of({"at": text}).at == datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


def test_a_moment_that_has_not_come_is_now() -> None:
    assert Moment.of(View(at=NOW + timedelta(hours=1)), NOW) == Moment(NOW, live=True)
    assert Moment.of(View(at=NOW - timedelta(hours=1)), NOW) == Moment(NOW - timedelta(hours=1), live=False)


@pytest.mark.parametrize("interval", [1, 5, 15, 60])
@pytest.mark.parametrize("shown", RANGES.values(), ids=RANGES)
def test_a_chart_has_few_points_each_at_least_two_intervals_wide(shown: object, interval: int) -> None:
    span, step = RANGES["1h"] if shown is None else shown, timedelta(seconds=interval)
    spans = Moment(NOW, live=True).spans(span, NOW - step / 3, step)  # pyright: ignore[reportArgumentType] - parametrised
    assert spans.width >= 2 * step
    assert (spans.until - spans.since) / spans.width <= 2000
    assert spans.until - spans.since >= span.span  # pyright: ignore[reportAttributeAccessIssue] - parametrised
