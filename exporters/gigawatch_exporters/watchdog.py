"""What the daemon believes of its accelerators, from what the reader says and from what it no longer says; pure.

Every function takes what is believed and what is new, and gives what is believed then and what happened. An accelerator
that was seen once is never forgotten while the daemon lives.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from gigawatch_contract.events import LOST, RECOVERED, UNRESPONSIVE, XID
from gigawatch_exporters.counters import Totals, advance
from gigawatch_exporters.happened import Happened
from gigawatch_exporters.messages import Answered, Found, Inventory, Xid
from gigawatch_exporters.snapshot import AcceleratorReading, Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gigawatch_contract.events import Event
    from gigawatch_exporters.happened import Moment
    from gigawatch_exporters.messages import Message
    from gigawatch_exporters.snapshot import State, Value

ANSWERING: Final = frozenset({"ok", "degraded"})
SILENT: Final = frozenset({"unresponsive", "lost"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """One accelerator, as believed."""

    hw_id: str
    model: str
    index: int
    totals: Totals
    heard_at: float
    """When it answered last (monotonic), or when it was first heard of."""
    state: State | None = None
    """None until it has answered, or was given up on."""
    opened: bool = True
    """False: it is on the bus, and the reader has nothing to ask it by."""
    duration: float = 0.0
    values: Mapping[str, Value] = field(default_factory=dict[str, "Value"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """All that is believed of a node."""

    counters_since_unix_nano: int
    """Since when counters count that were never seen to fall: the node's start, before which there was no driver."""
    accelerators: Mapping[str, Watched] = field(default_factory=dict[str, Watched])
    driver_version: str | None = None
    complete: bool = False
    """Whether the reader has told all that is on the bus."""
    known_totals: Mapping[str, Totals] = field(default_factory=dict[str, Totals])
    """The counters that an earlier daemon knew."""

    def in_order(self) -> list[Watched]:
        """By index; those that are lost keep the place they had."""
        return sorted(self.accelerators.values(), key=lambda each: (each.index, each.hw_id))


Judgement = tuple[Watch, tuple[Happened, ...]]


def heard(watch: Watch, message: Message, now: Moment) -> Judgement:
    """What is believed after a message of the reader."""
    match message:
        case Found():
            return _with(watch, _found(watch, message, now)), ()
        case Inventory():
            return _counted(watch, message, now)
        case Answered() if message.hw_id in watch.accelerators:
            return _answered(watch, watch.accelerators[message.hw_id], message, now)
        case Xid():
            body = f"{_name(watch, message.hw_id)} reported XID {message.code}."
            return watch, (
                Happened(
                    event=XID,
                    hw_id=message.hw_id,
                    time_unix_nano=message.time_unix_nano,
                    body=body,
                    xid=message.code,
                ),
            )
        case _:
            return watch, ()


def judged(watch: Watch, now: Moment, deadline: float) -> Judgement:
    """What is believed when time has passed: who has not answered for longer than `deadline` seconds is unresponsive."""
    happened: list[Happened] = []
    for each in watch.accelerators.values():
        silence = now.monotonic - each.heard_at
        if each.opened and each.state not in SILENT and silence > deadline:
            watch = _with(watch, replace(each, state="unresponsive", values={}))
            body = f"{_name(watch, each.hw_id)} has not answered for {silence:.1f} s."
            happened.append(_event(UNRESPONSIVE, each.hw_id, body, now))
    return watch, tuple(happened)


def snapshot(watch: Watch, now: Moment, started_unix_nano: int, node: Mapping[str, Value]) -> Snapshot:
    """What is sent and shown: of each accelerator what it said last, and how long ago."""
    shown = [each for each in watch.in_order() if each.state is not None]
    return Snapshot(
        time_unix_nano=now.unix_nano // 1000 * 1000,
        counters_since_unix_nano=started_unix_nano,
        accelerators=tuple(
            AcceleratorReading(
                hw_id=each.hw_id,
                model=each.model,
                state=each.state or "unresponsive",
                age=max(0.0, now.monotonic - each.heard_at),
                values=each.values,
                counters_since_unix_nano=each.totals.since_unix_nano,
            )
            for each in shown
        ),
        node={**_counted_now(watch), **node},
    )


def _counted_now(watch: Watch) -> dict[str, Value]:
    """How many answer, and how long that took; nothing before the reader has told what is there: unknown is not zero."""
    answering = [each for each in watch.accelerators.values() if each.state in ANSWERING]
    if not watch.complete:
        return {}
    slowest = {"read_duration": max(each.duration for each in answering)} if answering else {}
    return {"accelerators": len(answering), **slowest}


def _found(watch: Watch, message: Found, now: Moment) -> Watched:
    known = watch.accelerators.get(message.hw_id)
    if known:
        return replace(known, index=message.index, model=message.model, opened=True, heard_at=now.monotonic)
    totals = watch.known_totals.get(message.hw_id) or Totals(since_unix_nano=watch.counters_since_unix_nano)
    return Watched(
        hw_id=message.hw_id,
        model=message.model,
        index=message.index,
        totals=totals,
        heard_at=now.monotonic,
    )


def _counted(watch: Watch, message: Inventory, now: Moment) -> Judgement:
    """Who was there and is not among those now on the bus is lost, or has failed if as many cannot be opened."""
    happened: list[Happened] = []
    missing = [each for each in watch.accelerators.values() if each.hw_id not in message.hw_ids]
    for each in missing:
        if len(missing) <= message.unopened:
            watch = _with(watch, replace(each, state="failed", values={}, opened=False))
        elif each.state != "lost":
            watch = _with(watch, replace(each, state="lost", values={}, opened=False))
            happened.append(_lost(watch, each, now))
    return replace(watch, driver_version=message.driver_version, complete=True), tuple(happened)


def _answered(watch: Watch, before: Watched, message: Answered, now: Moment) -> Judgement:
    if message.condition == "lost":
        watch = _with(watch, replace(before, state="lost", values={}))
        return watch, () if before.state == "lost" else (_lost(watch, before, now),)
    totals = advance(before.totals, message.counters, message.wraps, now.unix_nano)
    after = replace(
        before,
        state=message.condition,
        heard_at=message.at,
        duration=message.duration,
        totals=totals,
        values={**message.values, **totals.values(message.counters)},
    )
    watch = _with(watch, after)
    if before.state in SILENT and after.state in ANSWERING:
        body = f"{_name(watch, after.hw_id)} answers again."
        return watch, (_event(RECOVERED, after.hw_id, body, now),)
    return watch, ()


def _lost(watch: Watch, lost: Watched, now: Moment) -> Happened:
    return _event(LOST, lost.hw_id, f"{_name(watch, lost.hw_id)} is no longer on the bus.", now)


def _event(event: Event, hw_id: str, body: str, now: Moment) -> Happened:
    return Happened(event=event, hw_id=hw_id, time_unix_nano=now.unix_nano, body=body)


def _with(watch: Watch, accelerator: Watched) -> Watch:
    return replace(watch, accelerators={**watch.accelerators, accelerator.hw_id: accelerator})


def _name(watch: Watch, hw_id: str) -> str:
    known = watch.accelerators.get(hw_id)
    return f"Accelerator {known.index} ({known.model}, {hw_id})" if known else f"Accelerator {hw_id}"
