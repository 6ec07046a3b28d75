"""The life of an alert, for any sequence of what is seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_alerts.state import Episode, Seen, Step, Timing, advance, step

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SEEN = st.sampled_from(["active", "clear", "unknown"])
SEQUENCES = st.lists(st.tuples(SEEN, st.integers(1, 20)), max_size=40)
TIMINGS = st.builds(
    Timing,
    hold=st.integers(0, 30).map(lambda seconds: seconds * SECOND),
    keep_firing_for=st.integers(0, 30).map(lambda seconds: seconds * SECOND),
)


def life(sequence: list[tuple[Seen, int]], timing: Timing) -> list[tuple[datetime, Seen, Episode | None]]:
    """One alert through a sequence of what is seen after so many seconds; resolved is followed by inactive."""
    episode, now, found = None, NOW, list[tuple[datetime, Seen, Episode | None]]()
    for seen, seconds in sequence:
        now += seconds * SECOND
        episode = advance(episode if episode is None or episode.state != "resolved" else None, seen, timing, now)
        found.append((now, seen, episode))
    return found


@given(SEQUENCES, TIMINGS)
def test_only_what_is_known_to_be_over_resolves(sequence: list[tuple[Seen, int]], timing: Timing) -> None:
    for _, seen, episode in life(sequence, timing):
        if episode is not None and episode.state == "resolved":
            assert seen == "clear"


@given(SEQUENCES, TIMINGS)
def test_nothing_resolves_that_has_not_fired(sequence: list[tuple[Seen, int]], timing: Timing) -> None:
    for (_, _, before), (_, _, after) in pairwise([(NOW, "clear", None), *life(sequence, timing)]):
        if after is not None and after.state == "resolved":
            assert before is not None
            assert before.state == "firing"
            assert after.resolved_at is not None
            assert after.fired_at is not None
            assert after.resolved_at >= after.fired_at >= after.active_since


@given(SEQUENCES, TIMINGS)
def test_an_alert_fires_when_it_is_active_and_has_been_for_long_enough(
    sequence: list[tuple[Seen, int]], timing: Timing
) -> None:
    for now, seen, episode in life(sequence, timing):
        if seen == "active":
            assert episode is not None
            assert (episode.state == "firing") == (
                episode.fired_at is not None or now - episode.active_since >= timing.hold
            )
            if episode.fired_at is not None:
                assert episode.fired_at - episode.active_since >= timing.hold


@given(SEQUENCES, TIMINGS)
def test_an_alert_resolves_once_it_was_clear_without_a_break_for_long_enough(
    sequence: list[tuple[Seen, int]], timing: Timing
) -> None:
    clear_since: datetime | None = None
    for now, seen, episode in life(sequence, timing):
        clear_since = (clear_since or now) if seen == "clear" else None
        if episode is not None and clear_since is not None:
            assert (episode.state == "resolved") == (now - clear_since >= timing.keep_firing_for)


@given(SEQUENCES, TIMINGS)
def test_missing_data_changes_nothing_but_the_word_unknown(sequence: list[tuple[Seen, int]], timing: Timing) -> None:
    with_gaps = life(sequence, timing)
    for (_, _, before), (now, seen, after) in pairwise([(NOW, "clear", None), *with_gaps]):
        alive = before is not None and before.state != "resolved"
        if seen == "unknown":
            assert (after is not None) == alive
            if alive:
                assert before is not None
                assert after is not None
                assert (after.state, after.active_since, after.fired_at) == (
                    before.state,
                    before.active_since,
                    before.fired_at,
                )
                assert after.unknown_since == (before.unknown_since or now)
        elif after is not None:
            assert after.unknown_since is None


@given(SEQUENCES, TIMINGS)
def test_steps_of_a_set_are_the_steps_of_each(sequence: list[tuple[Seen, int]], timing: Timing) -> None:
    """Two alerts, the second seen the other way round, go through the same sequence as each would alone."""
    other: dict[Seen, Seen] = {"active": "clear", "clear": "active", "unknown": "unknown"}
    alone = {"a": life(sequence, timing), "b": life([(other[seen], seconds) for seen, seconds in sequence], timing)}
    live: dict[str, Episode] = {}
    now = NOW
    for index, (seen, seconds) in enumerate(sequence):
        now += seconds * SECOND
        active = {"active": {"a"}, "clear": {"b"}, "unknown": set[str]()}[seen]
        clear = {"active": {"b"}, "clear": {"a"}, "unknown": set[str]()}[seen]
        for key, found in step(live, active, clear, timing, now).items():
            assert found.before == live.get(key)
            live.pop(key, None)
            if found.after is not None and found.after.state != "resolved":
                live[key] = found.after
            else:
                assert found.changes[-1] == ("lapsed" if found.after is None else "resolved")
        for key in alone:
            expected = alone[key][index][2]
            assert live.get(key) == (None if expected is None or expected.state == "resolved" else expected)


@pytest.mark.parametrize(
    ("before", "seen", "hold", "changes"),
    [
        (None, "active", 0, ("firing",)),
        (None, "active", 5, ("pending",)),
        (Episode(state="pending", active_since=NOW - 5 * SECOND), "active", 5, ("firing",)),
        (Episode(state="pending", active_since=NOW - 4 * SECOND), "clear", 5, ("lapsed",)),
        (Episode(state="pending", active_since=NOW - 4 * SECOND), "unknown", 5, ("unknown",)),
        (Episode(state="firing", active_since=NOW, fired_at=NOW), "unknown", 0, ("unknown",)),
        (Episode(state="firing", active_since=NOW, fired_at=NOW), "clear", 0, ("resolved",)),
        (Episode(state="firing", active_since=NOW, fired_at=NOW, unknown_since=NOW), "active", 0, ("known",)),
        (Episode(state="firing", active_since=NOW, fired_at=NOW, unknown_since=NOW), "clear", 0, ("known", "resolved")),
    ],
)
def test_changes_have_names(before: Episode | None, seen: Seen, hold: int, changes: tuple[str, ...]) -> None:
    live = {} if before is None else {"a": before}
    steps = step(
        live, {"a"} if seen == "active" else (), {"a"} if seen == "clear" else (), Timing(hold=hold * SECOND), NOW
    )
    assert {key: found.changes for key, found in steps.items()} == {"a": changes}


def test_what_stays_as_it_is_is_no_step() -> None:
    firing = Episode(state="firing", active_since=NOW, fired_at=NOW)
    silent = Episode(state="firing", active_since=NOW, fired_at=NOW, unknown_since=NOW)
    assert step({"a": firing, "b": silent}, {"a"}, (), Timing(), NOW + SECOND) == {}


def test_keep_firing_for_is_a_step_without_a_change() -> None:
    firing = Episode(state="firing", active_since=NOW, fired_at=NOW)
    found = step({"a": firing}, (), {"a"}, Timing(keep_firing_for=SECOND), NOW + SECOND)
    kept = Episode(state="firing", active_since=NOW, fired_at=NOW, clear_since=NOW + SECOND)
    assert found == {"a": Step(firing, kept, ())}
