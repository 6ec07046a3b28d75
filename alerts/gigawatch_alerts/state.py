"""The life of an alert, as pure functions of what is seen and when.

    inactive ──active──▶ pending ──active, `for` is over──▶ firing ──clear, `keep_firing_for` is over──▶ resolved
        ▲                   │                                │  ▲
        └───────clear───────┘                                └──┘ unknown: it stays, and says so

Only `clear` ends an alert: its condition is known not to hold. Missing data is `unknown`, and ends nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar

Seen = Literal["active", "clear", "unknown"]
State = Literal["pending", "firing", "resolved"]
Change = Literal["pending", "firing", "unknown", "known", "resolved", "lapsed"]
"""`known`: the data is back and the alert goes on. `lapsed`: it was pending, and ended before it fired."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long a condition must hold to fire, and be known not to hold to resolve."""

    hold: timedelta = timedelta()
    keep_firing_for: timedelta = timedelta()


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """One alert, from the first time that its condition held until it was known to hold no longer."""

    state: State
    active_since: datetime
    fired_at: datetime | None = None
    clear_since: datetime | None = None
    unknown_since: datetime | None = None
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One alert's way through one evaluation: what it was, what it is, and what to call the difference."""

    before: Episode | None
    after: Episode | None
    changes: tuple[Change, ...]


def step(
    live: Mapping[K, Episode], active: Collection[K], clear: Collection[K], timing: Timing, now: datetime
) -> dict[K, Step]:
    """What changes when the condition holds for `active` and is known not to hold for `clear`.

    What is live and in neither is unknown. `live` holds pending and firing episodes only; alerts that stay as they
    are do not appear in the answer.
    """
    steps: dict[K, Step] = {}
    for key in {**dict.fromkeys(active), **dict.fromkeys(live)}:
        seen: Seen = "active" if key in active else "clear" if key in clear else "unknown"
        before = live.get(key)
        after = advance(before, seen, timing, now)
        if after != before:
            steps[key] = Step(before, after, _changes(before, after))
    return steps


def advance(episode: Episode | None, seen: Seen, timing: Timing, now: datetime) -> Episode | None:
    """One alert after one evaluation; None is inactive."""
    if episode is None:
        if seen != "active":
            return None
        episode = Episode(state="pending", active_since=now)
    if seen == "active":
        episode = replace(episode, clear_since=None, unknown_since=None)
        if episode.state == "pending" and now - episode.active_since >= timing.hold:
            return replace(episode, state="firing", fired_at=now)
        return episode
    if seen == "unknown":
        # What was clear before the data went missing may have come back unseen: keep_firing_for starts anew.
        return replace(episode, clear_since=None, unknown_since=episode.unknown_since or now)
    if episode.state == "pending":
        return None
    clear_since = episode.clear_since or now
    if now - clear_since >= timing.keep_firing_for:
        return replace(episode, state="resolved", clear_since=clear_since, unknown_since=None, resolved_at=now)
    return replace(episode, clear_since=clear_since, unknown_since=None)


def _changes(before: Episode | None, after: Episode | None) -> tuple[Change, ...]:
    if after is None:
        return ("lapsed",)
    changes: list[Change] = []
    if before is None and after.state == "pending":
        changes.append("pending")
    if before is not None and before.unknown_since is None and after.unknown_since is not None:
        changes.append("unknown")
    if before is not None and before.unknown_since is not None and after.unknown_since is None:
        changes.append("known")
    if after.state in ("firing", "resolved") and (before is None or before.state != after.state):
        changes.append(after.state)
    return tuple(changes)
