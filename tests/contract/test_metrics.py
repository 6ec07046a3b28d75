"""The contract is well-formed, and speaks OpenTelemetry where OpenTelemetry has the word."""

from __future__ import annotations

import inspect
import re
from collections import Counter

import pytest
from opentelemetry.semconv._incubating.attributes import hw_attributes, network_attributes
from opentelemetry.semconv._incubating.metrics import hw_metrics
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.semconv.schemas import Schemas

from gigawatch_contract import metrics
from gigawatch_contract.metrics import METRICS

BASE_UNITS = {"1", "W", "J", "By", "s", "Cel", "Hz"}
OURS_IN_SEMCONV_NAMES = {"gigawatch.link"}
"""Attributes of ours on points of OpenTelemetry's metrics."""


def semconv() -> dict[str, tuple[str, str]]:
    """Instrument and unit of every hw.* metric, as OpenTelemetry's own package documents them."""
    source = inspect.getsource(hw_metrics)
    found = re.findall(
        r'^HW_\w+: Final = "([\w.]+)"\n"""\n.*?Instrument: (\w+)\nUnit: (\S+)\n', source, re.MULTILINE | re.DOTALL
    )
    return {name: (instrument, unit) for name, instrument, unit in found}


def test_no_two_entries_match_the_same_point_or_fill_the_same_column() -> None:
    assert [key for key, times in Counter(metric.key for metric in METRICS).items() if times > 1] == []
    assert [column for column, times in Counter((m.table, m.column) for m in METRICS).items() if times > 1] == []
    assert len(metrics.BY_KEY) == len(metrics.BY_COLUMN) == len(METRICS)


def test_entries_of_a_name_share_unit_kind_table_and_the_attributes_that_tell_them_apart() -> None:
    for name, entries in metrics.names().items():
        assert len({(entry.unit, entry.kind, entry.table) for entry in entries}) == 1, name
        assert len({frozenset(key for key, _ in entry.attributes) for entry in entries}) == 1, name


def test_no_entry_matches_the_points_of_another_by_having_fewer_attributes() -> None:
    for name, entries in metrics.names().items():
        for one in entries:
            for other in entries:
                assert one is other or not set(one.attributes) <= set(other.attributes), name


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.column)
def test_units_are_base_units_or_counted_things(metric: metrics.Metric) -> None:
    assert metric.unit in BASE_UNITS or re.fullmatch(r"\{[a-z]+\}", metric.unit)


def test_the_tables_are_each_others_partition_of_the_metrics() -> None:
    assert [metric for table in metrics.TABLES for metric in metrics.columns(table)] == list(METRICS)


def test_a_column_can_hold_what_its_metric_counts() -> None:
    for metric in METRICS:
        if metric.unit in {"By", "Hz"} or (metric.unit.startswith("{") and metric.kind == "counter"):
            assert metric.type == "int8", f"{metric.column}: bytes and counts are whole and grow"
        if metric.kind == "counter" and metric.unit in {"J", "s"}:
            assert metric.type == "float8", f"{metric.column}: a growing float4 loses its last digits"


def test_columns_and_descriptions_read_as_such() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]{1,62}", metric.column)
        assert metric.description.endswith(".")
        assert re.match(r"[A-Z0-9]", metric.description)


def test_hw_names_units_and_kinds_are_opentelemetrys_and_all_else_is_named_as_ours() -> None:
    known = semconv()
    assert known["hw.power"] == ("gauge", "W"), "the package no longer documents its metrics as this test reads them"
    for metric in METRICS:
        if metric.name.startswith("gigawatch."):
            continue
        assert known.get(metric.name) == (metric.kind, metric.unit), metric.name


def test_attributes_are_opentelemetrys_or_named_as_ours() -> None:
    modules = (error_attributes, hw_attributes, network_attributes)
    known = {value for module in modules for name, value in vars(module).items() if name.isupper()}
    for metric in METRICS:
        for name, _ in metric.attributes:
            assert name in known or name.startswith("gigawatch."), f"{metric.name}: {name}"
            if metric.name.startswith("hw.") and name.startswith("gigawatch."):
                assert name in OURS_IN_SEMCONV_NAMES


def test_values_that_opentelemetry_fixes_are_used_as_it_fixes_them() -> None:
    tasks = {value.value for value in hw_attributes.HwGpuTaskValues}
    types = {value.value for value in hw_attributes.HwTypeValues}
    for metric in METRICS:
        attributes = dict(metric.attributes)
        assert attributes.get("hw.gpu.task", "general") in tasks
        assert attributes.get("hw.type", "gpu") in types
        assert attributes.get("network.io.direction", "receive") in {"receive", "transmit"}


def test_the_schema_named_on_the_wire_is_the_one_that_the_names_were_checked_against() -> None:
    newest = max(Schemas, key=lambda schema: tuple(map(int, schema.value.rsplit("/", 1)[1].split("."))))
    assert newest.value == metrics.SCHEMA_URL
