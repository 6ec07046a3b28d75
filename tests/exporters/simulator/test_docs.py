from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from gigawatch_exporters.simulator.faults import FAULTS
from gigawatch_exporters.simulator.library import load
from gigawatch_exporters.simulator.story import page

DOCS = Path(__file__).parents[3] / "docs"


def test_the_story_is_told_as_it_is_simulated() -> None:
    assert (DOCS / "incident.md").read_text("utf-8") == page(), "run `make docs`"


def test_the_example_scenario_of_the_docs_is_one(tmp_path: Path) -> None:
    example, model = re.findall(r"```toml\n(.*?)```", (DOCS / "simulator.md").read_text("utf-8"), re.DOTALL)
    file = tmp_path / "my.toml"
    file.write_text(example.replace('model = "h100"', 'model = "mine"') + model, "utf-8")
    scenario = load(str(file))
    assert scenario.model(scenario.factories[0]).name == "Mine 64GB"
    assert len(scenario.faults) == 1


@pytest.mark.parametrize("kind", FAULTS)
def test_the_docs_name_each_fault_with_its_keys(kind: str) -> None:
    (row,) = re.findall(rf"^\| `{kind}` \|([^|]*)\|", (DOCS / "simulator.md").read_text("utf-8"), re.MULTILINE)
    keys = {field.name for field in dataclasses.fields(FAULTS[kind])} - {"factory"}
    assert set(re.findall(r"`(\w+)`", row)) == keys


def test_the_docs_name_no_other_fault() -> None:
    text = (DOCS / "simulator.md").read_text("utf-8")
    table = text[text.index("| fault |") : text.index("A model of your own")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(FAULTS)
