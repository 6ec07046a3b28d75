from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_contract.resource import FACTORY_ID, SIMULATED, is_fictional, objection


@pytest.mark.parametrize("factory_id", ["jaif", "1healthai", "ai-at", "a", "x" * 63])
def test_a_real_factorys_own_telemetry_is_taken(factory_id: str) -> None:
    assert objection(factory_id, simulated=False) is None


def test_simulated_telemetry_of_a_fictional_factory_is_taken() -> None:
    assert objection("sim-aurora", simulated=True) is None


def test_simulated_telemetry_for_a_real_factory_is_refused() -> None:
    said = objection("jaif", simulated=True)
    assert said == "simulated telemetry for the real factory 'jaif' is refused: use an id that starts with 'sim-'"


def test_real_telemetry_for_a_fictional_factory_is_refused() -> None:
    said = objection("sim-aurora", simulated=False)
    assert said is not None
    assert f"set {SIMULATED} = true" in said


@pytest.mark.parametrize(
    "factory_id",
    ["", "JAIF", "jaif\n", "-jaif", "jaif-", "../etc", "ja if", "x" * 64, "j\N{CYRILLIC SMALL LETTER A}if"],
)
def test_what_is_no_factory_id_is_refused_whatever_it_says_of_itself(factory_id: str) -> None:
    for simulated in (True, False):
        said = objection(factory_id, simulated=simulated)
        assert said is not None
        assert "is not a factory id" in said


@given(st.text(max_size=200), st.booleans())
def test_telemetry_is_taken_only_where_name_and_label_agree(factory_id: str, simulated: bool) -> None:
    said = objection(factory_id, simulated=simulated)
    if said is None:
        assert is_fictional(factory_id) == simulated
        assert re.fullmatch(r"[a-z0-9-]{1,63}", factory_id)
        assert FACTORY_ID.fullmatch(factory_id)
    else:
        assert len(said) < 400, "a message never repeats all that a stranger sent"
