"""Templates: what they know they render, and what they do not know they refuse."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_alerts import templates

SCOPE = templates.Scope(
    labels={"node": "n1"},
    value=0.12345,
    active_since=datetime(2026, 11, 1, 12, 0, 0, 900_000, tzinfo=UTC),
    link="https://pages.example/",
)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain { text }", "plain { text }"),
        ("{{ $labels.node }}", "n1"),
        ("{{$labels.node}}/{{ $labels.node }}", "n1/n1"),
        ("{{ $labels.absent }}", ""),
        ("{{ $value }}", "0.12345"),
        ("{{ $value | humanizePercentage }}", "12.35%"),
        ("since {{ $activeAt }}", "since 2026-11-01T12:00:00Z"),
        ("{{ link }}", "https://pages.example/"),
    ],
)
def test_known_forms_are_rendered(source: str, text: str) -> None:
    assert templates.parse(source).render(SCOPE) == text


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{{ $labels.node", "{{ without its other half"),
        ("$labels.node }}", "}} without its other half"),
        ("{{ $label.node }}", "is not understood"),
        ("{{ }}", "is not understood"),
        ("{{ if $value }}", "is not understood"),
        ("{{ $value | shout }}", "no function 'shout'"),
    ],
)
def test_unknown_forms_are_refused(source: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint.replace("{", r"\{").replace("}", r"\}")):
        templates.parse(source)


def test_a_value_that_is_missing_is_unknown_and_not_zero() -> None:
    scope = templates.Scope(labels={}, value=None, active_since=SCOPE.active_since, link="")
    assert templates.parse("{{ $value }}, {{ $value | humanize }}").render(scope) == "unknown, unknown"


@given(st.text())
def test_what_a_label_holds_is_never_read_as_a_template(value: str) -> None:
    scope = templates.Scope(labels={"node": value}, value=None, active_since=SCOPE.active_since, link="")
    assert templates.parse("<{{ $labels.node }}>").render(scope) == f"<{value}>"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.25s"), (59, "59s"), (61, "1m 1s"), (90_061, "1d 1h 1m 1s"), (-120, "-2m")]
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert templates.humanize_duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(999, "999"), (1_234_567, "1.235M"), (-2.5e15, "-2.5P"), (0, "0")])
def test_numbers_for_people(value: float, text: str) -> None:
    assert templates.humanize(value) == text
