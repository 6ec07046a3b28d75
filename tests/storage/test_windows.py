"""What must fit together, and the words when it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gigawatch_contract.errors import ConfigurationError
from gigawatch_database.rollup import windows

if TYPE_CHECKING:
    import psycopg

    from gigawatch_database.rollup.windows import Windows

HOUR = timedelta(hours=1)


@pytest.fixture
def defaults(fleet: psycopg.Connection) -> Windows:
    return windows.read(fleet)


def test_the_defaults_fit_together(defaults: Windows) -> None:
    windows.check(defaults)


def test_each_misfit_is_named_with_its_harm(defaults: Windows) -> None:
    for change, words in (
        ({"spool": 27 * HOUR}, "accept = 26 h must be at least spool = 27 h: a node's spool would be refused"),
        ({"compress_after": 25 * HOUR}, "compress_after = 25 h must be at least accept = 26 h"),
        ({"repair": 26 * HOUR}, "repair = 26 h must be more than accept = 26 h"),
        ({"delay": -HOUR}, "delay"),
        ({"kept": {**defaults.kept, "accelerator_sample": 28 * HOUR}}, "kept of accelerator_sample = 28 h"),
        ({"kept": {**defaults.kept, "rollup_node_1min": 29 * HOUR}}, "node_1hour would be computed from what is"),
        ({"kept": {**defaults.kept, "rollup_accelerator_5min": 72 * HOUR}}, "less than that of the samples"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            windows.check(replace(defaults, **change))
        assert words in str(caught.value)


def test_spans_are_worded_in_the_largest_unit_that_fits() -> None:
    spans = (None, timedelta(days=30), 26 * HOUR, timedelta(minutes=90), timedelta(seconds=90))
    assert [windows.words(span) for span in spans] == ["for ever", "30 days", "26 h", "90 min", "90 s"]
