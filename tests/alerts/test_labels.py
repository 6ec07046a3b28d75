"""Names made of labels, against Alertmanager's and Prometheus' own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gigawatch_alerts import labels

RECORDED = json.loads((Path(__file__).parent / "data" / "alertmanager-0.25.json").read_text("utf-8"))
SETS = st.dictionaries(st.from_regex(labels.NAME, fullmatch=True), st.text(min_size=1), max_size=4)


@pytest.mark.parametrize("alert", RECORDED["messages"][0]["alerts"], ids=lambda alert: alert["labels"]["accelerator"])
def test_fingerprints_are_those_of_alertmanager(alert: dict[str, dict[str, str]]) -> None:
    assert labels.fingerprint(alert["labels"]) == alert["fingerprint"]


def test_the_fingerprint_of_nothing_is_the_offset_of_fnv() -> None:
    assert labels.fingerprint({}) == "cbf29ce484222325"


@given(SETS, SETS)
def test_identities_differ_where_labels_do(one: dict[str, str], other: dict[str, str]) -> None:
    assume(one != other)
    assert labels.alert_id(one) != labels.alert_id(other)


@given(SETS)
def test_names_do_not_depend_on_the_order_of_labels(found: dict[str, str]) -> None:
    turned = dict(reversed(found.items()))
    assert labels.alert_id(turned) == labels.alert_id(found)
    assert labels.fingerprint(turned) == labels.fingerprint(found)
    assert labels.written(turned) == labels.written(found)


@pytest.mark.parametrize(
    ("sets", "shared"),
    [
        ([], {}),
        ([{"a": "1"}], {"a": "1"}),
        ([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}], {"a": "1"}),
        ([{"a": "1"}, {}], {}),
    ],
)
def test_common_labels_are_shared_with_their_values(sets: list[dict[str, str]], shared: dict[str, str]) -> None:
    assert labels.common(sets) == shared
