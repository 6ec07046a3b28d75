from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from gigawatch_contract.events import EVENTS, SEVERITY_NUMBER, event_id

FACTS = st.tuples(
    st.sampled_from([event.name for event in EVENTS]),
    st.uuids().map(str),
    st.integers(0, 2**63),
    st.integers(0, 200).map(str),
)


@given(FACTS, FACTS)
def test_the_same_facts_have_the_same_id_and_others_another(
    one: tuple[str, str, int, str], other: tuple[str, str, int, str]
) -> None:
    assert (event_id(*one) == event_id(*other)) == (one == other)
    assert uuid.UUID(event_id(*one)).version == 5


def test_an_id_stays_the_same_from_version_to_version() -> None:
    """Stored events are recognised by it: a change here would double them when a spool is replayed."""
    assert event_id("gigawatch.accelerator.xid", "GPU-1", 1, "79") == "8b476349-1862-5573-9b0f-34567b482ab5"


def test_events_are_named_as_ours_once_and_have_a_severity_of_otlp() -> None:
    names = [event.name for event in EVENTS]
    assert len(set(names)) == len(names)
    for event in EVENTS:
        assert event.name.startswith("gigawatch.")
        assert 1 <= SEVERITY_NUMBER[event.severity] <= 24
