r"""Comments on the columns that hold the contract's metrics: what `\d+ accelerator_sample` tells of each, with its unit."""

from __future__ import annotations

from gigawatch_contract.metrics import METRICS, Metric
from gigawatch_database.files import File
from gigawatch_database.rollup import comments as rollup
from gigawatch_database.rollup.comments import literal


def file() -> File:
    """A repeatable file that comments each metric's column in its table and its view, and everything of the rollups."""
    lines = (
        f"COMMENT ON COLUMN {metric.table}_{relation}.{metric.column} IS {literal(text(metric))};"
        for metric in METRICS
        for relation in ("sample", "reading")
    )
    return File("contract/comments.sql", "\n".join(lines) + "\n" + rollup.statements())


def text(metric: Metric) -> str:
    """The comment on a metric's column."""
    attributes = "".join(f", {name}={value}" for name, value in metric.attributes)
    return f"{metric.description} Unit: {metric.unit}. OpenTelemetry: {metric.name}{attributes} ({metric.kind})."
