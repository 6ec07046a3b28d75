from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gigawatch_contract import docs
from gigawatch_contract.events import EVENTS
from gigawatch_contract.metrics import METRICS

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]


def test_the_page_in_the_checkout_is_what_the_contract_says_now() -> None:
    assert (ROOT / docs.PAGE).read_text("utf-8") == docs.page(), "run `make docs`"


def test_the_page_has_one_row_for_each_metric_and_event() -> None:
    rows = [line.strip("| ").split(" | ") for line in docs.page().splitlines() if line.startswith("| `")]
    assert [row[4] for row in rows[: len(METRICS)]] == [
        f"`{metric.table}_sample.{metric.column}`" for metric in METRICS
    ]
    assert [row[0] for row in rows[len(METRICS) :]] == [f"`{event.name}`" for event in EVENTS]


def test_no_cell_breaks_its_table() -> None:
    for line in docs.page().splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in {4, 8}, line


def test_writing_outside_a_checkout_says_where_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert docs.main() == 1
    said = capsys.readouterr().err
    assert (
        said
        == "python -m gigawatch_contract.docs: docs/metrics.md: No such file or directory: run this in the root of a checkout\n"
    )
    (tmp_path / "docs").mkdir()
    assert docs.main() == 0
    assert (tmp_path / "docs/metrics.md").read_text("utf-8") == docs.page()
