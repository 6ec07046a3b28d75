"""What is believed of accelerators, when readers are replaced, and how counters go on: decisions, without a process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_exporters.counters import Totals, advance
from gigawatch_exporters.happened import Moment
from gigawatch_exporters.messages import Answered, Decoder, Failed, Found, Inventory, Xid, encode
from gigawatch_exporters.replacing import (
    LIVED,
    LONGEST_AFTER_DEATH,
    STUCK_READERS,
    Patience,
    after_death,
    after_try,
    cause,
    does_as_well,
)
from gigawatch_exporters.watchdog import Watch, heard, judged, snapshot

if TYPE_CHECKING:
    from gigawatch_exporters.messages import Message

DEADLINE = 5.0


def at(seconds: float) -> Moment:
    return Moment(seconds, int(seconds * 1e9))


def answered(hw_id: str, seconds: float, **fields: Any) -> Answered:
    return replace(Answered(hw_id=hw_id, at=seconds, duration=0.01, condition="ok"), **fields)


def told(*messages: tuple[float, Message]) -> tuple[Watch, list[str]]:
    """What is believed after messages, with the names of the events on the way."""
    watch, names = Watch(counters_since_unix_nano=1), []
    for seconds, message in messages:
        watch, happened = heard(watch, message, at(seconds))
        names += [each.event.name.rpartition(".")[2] for each in happened]
    return watch, names


def found(*hw_ids: str) -> list[tuple[float, Message]]:
    opened: list[tuple[float, Message]] = [
        (0.0, Found(index=index, hw_id=hw_id, model="M")) for index, hw_id in enumerate(hw_ids)
    ]
    return [*opened, (0.0, Inventory(hw_ids=hw_ids, unopened=0, driver_version="1"))]


def test_an_accelerator_is_shown_only_when_it_has_answered_or_was_given_up_on() -> None:
    watch, _ = told(*found("A", "B"), (1.0, answered("A", 1.0)))
    assert [each.hw_id for each in snapshot(watch, at(2.0), 0, {}).accelerators] == ["A"]
    watch, happened = judged(watch, at(DEADLINE + 0.1), DEADLINE)
    assert [each.hw_id for each in happened] == ["B"]
    shown = snapshot(watch, at(6.0), 0, {}).accelerators
    assert [(each.hw_id, each.state, each.age) for each in shown] == [("A", "ok", 5.0), ("B", "unresponsive", 6.0)]


def test_silence_is_told_once_and_so_is_its_end() -> None:
    watch, _ = told(*found("A"), (1.0, answered("A", 1.0, values={"power": 1.0})))
    watch, first = judged(watch, at(7.0), DEADLINE)
    watch, second = judged(watch, at(8.0), DEADLINE)
    assert (len(first), len(second)) == (1, 0)
    assert watch.accelerators["A"].values == {}, "old readings are not repeated as new ones"
    watch, back = heard(watch, answered("A", 9.0), at(9.0))
    _, again = heard(watch, answered("A", 10.0), at(10.0))
    assert ([each.event.name for each in back], again) == (["gigawatch.accelerator.recovered"], ())


def test_a_lost_accelerator_never_becomes_merely_unresponsive_and_is_never_forgotten() -> None:
    watch, names = told(*found("A", "B"), (1.0, answered("A", 1.0)), (2.0, answered("A", 2.0, condition="lost")))
    watch, _ = judged(watch, at(2.1), DEADLINE)
    watch, more = heard(watch, Inventory(hw_ids=("B",), unopened=0, driver_version="1"), at(100.0))
    assert (names, more) == (["lost"], ())
    watch, happened = judged(watch, at(200.0), DEADLINE)
    assert watch.accelerators["A"].state == "lost"
    assert [each.hw_id for each in happened] == ["B"]


def test_the_same_event_has_the_same_id_and_another_time_or_code_another() -> None:
    def one(code: int, time: int) -> str:
        _, happened = heard(Watch(counters_since_unix_nano=1), Xid(hw_id="A", code=code, time_unix_nano=time), at(0))
        return happened[0].id

    assert one(79, 5) == one(79, 5)
    assert len({one(79, 5), one(79, 6), one(31, 5)}) == 3


def test_a_message_about_an_unknown_accelerator_changes_nothing() -> None:
    watch = Watch(counters_since_unix_nano=1)
    assert heard(watch, answered("X", 1.0), at(1.0)) == (watch, ())


def test_a_healthy_node_gives_no_cause_to_replace_its_reader() -> None:
    watch, _ = told(*found("A"), (1.0, answered("A", 1.0)))
    assert cause(watch, Patience(), 2.0, reader_age=1.0, hang=30.0, stuck=0) is None


def test_a_hang_beyond_its_limit_gives_cause_and_so_does_a_loss() -> None:
    silent, _ = judged(told(*found("A"))[0], at(31.0), DEADLINE)
    assert cause(silent, Patience(), 29.0, reader_age=29.0, hang=30.0, stuck=0) is None
    assert cause(silent, Patience(), 31.0, reader_age=31.0, hang=30.0, stuck=0) == "hung"
    lost, _ = told(*found("A"), (1.0, answered("A", 1.0, condition="lost")))
    assert cause(lost, Patience(), 2.0, reader_age=2.0, hang=30.0, stuck=0) == "rescan"
    assert cause(lost, Patience(not_before=9.0), 2.0, reader_age=2.0, hang=30.0, stuck=0) is None


def test_a_library_that_never_tells_what_is_there_gives_cause() -> None:
    watch = Watch(counters_since_unix_nano=1)
    assert cause(watch, Patience(), 31.0, reader_age=31.0, hang=30.0, stuck=0) == "hung"


def test_no_reader_is_risked_while_earlier_ones_are_stuck_in_the_driver() -> None:
    watch = Watch(counters_since_unix_nano=1)
    assert cause(watch, Patience(), 99.0, reader_age=99.0, hang=30.0, stuck=STUCK_READERS) is None


def test_a_new_reader_takes_over_only_when_it_hears_of_all_that_the_old_one_hears_of() -> None:
    watch, _ = told(*found("A", "B", "C"), (1.0, answered("A", 1.0)), (1.0, answered("B", 1.0, condition="lost")))
    assert does_as_well(watch, {"A"}, counted=True)
    assert not does_as_well(watch, {"A"}, counted=False)
    assert not does_as_well(watch, {"C"}, counted=True)


def test_pauses_between_tries_grow_to_a_limit_and_a_long_life_makes_a_death_the_first() -> None:
    patience, pauses = Patience(), []
    for _ in range(10):
        patience = after_death(patience, 0.0, lived=1.0)
        pauses.append(patience.not_before)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_AFTER_DEATH
    assert after_death(patience, 0.0, lived=LIVED + 1).not_before == pauses[0]
    assert after_try(Patience(), 100.0).not_before > 100.0


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_a_counter_that_only_grows_is_told_as_it_is(steps: list[int]) -> None:
    totals, value = Totals(since_unix_nano=1), 0
    for time, step in enumerate(steps, start=2):
        value += step
        totals = advance(totals, {"energy": value}, {}, time)
    assert totals.values({"energy": value}) == {"energy": value}
    assert totals.since_unix_nano == 1


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1))
def test_a_counter_that_wraps_goes_on(steps: list[int]) -> None:
    totals, truth = Totals(since_unix_nano=1), 0
    for time, step in enumerate(steps, start=2):
        truth += step
        totals = advance(totals, {"pcie_receive": truth % 2**32}, {"pcie_receive": 2**32}, time)
    assert totals.values({"pcie_receive": 0}) == {"pcie_receive": truth}
    assert totals.since_unix_nano == 1


def test_a_counter_that_falls_moves_the_start_of_all_to_the_answer_before() -> None:
    totals = advance(
        Totals(since_unix_nano=1), {"energy": 100.0, "pcie_receive": 2**32 - 1}, {"pcie_receive": 2**32}, 10
    )
    totals = advance(totals, {"energy": 5.0, "pcie_receive": 7}, {"pcie_receive": 2**32}, 20)
    assert totals.since_unix_nano == 10
    assert totals.values({"energy": 0, "pcie_receive": 0}) == {"energy": 5.0, "pcie_receive": 7}


def test_a_counter_that_was_not_read_is_not_told_and_not_forgotten() -> None:
    totals = advance(Totals(since_unix_nano=1), {"energy": 100.0, "ecc_corrected": 3}, {}, 10)
    totals = advance(totals, {"ecc_corrected": 3}, {}, 20)
    assert totals.values({"ecc_corrected": 3}) == {"ecc_corrected": 3}
    assert advance(totals, {"energy": 99.0}, {}, 30).since_unix_nano == 20


MESSAGES: list[Message] = [
    Found(index=0, hw_id="GPU-0", model="NVIDIA H100"),
    Inventory(hw_ids=("GPU-0",), unopened=1, driver_version=None),
    answered("GPU-0", 1.25, values={"power": 350.123}, counters={"energy": 2**53}, wraps={"pcie_receive": 2**32}),
    Xid(hw_id="GPU-0", code=79, time_unix_nano=2**62),
    Failed(text="…", exit_code=4),
]


@given(st.integers(1, 64))
def test_messages_arrive_whole_in_whatever_pieces_a_pipe_gives(piece: int) -> None:
    stream = b"".join(map(encode, MESSAGES))
    decoder = Decoder()
    arrived = [each for at in range(0, len(stream), piece) for each in decoder.feed(stream[at : at + piece])]
    expected = [replace(each, hw_ids=["GPU-0"]) if isinstance(each, Inventory) else each for each in MESSAGES]  # pyright: ignore[reportArgumentType] - JSON has no tuples
    assert arrived == expected


@pytest.mark.parametrize(
    "data", [b"\xff" * 8, b"\0\0\0\2[]", b"\0\0\0\4null", b'\0\0\0\x0b["What",{}]', b"\0\0\0\3abc"]
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"message|value"):
        list(Decoder().feed(data))
