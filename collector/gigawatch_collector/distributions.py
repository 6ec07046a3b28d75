"""Histograms, exponential histograms and summaries as JSON: nothing of them is lost, nothing is converted."""

from __future__ import annotations

import math
from typing import Any, Final

BUCKET_LIMIT: Final = 10_000


class Malformed(Exception):  # noqa: N818 - what a point is, no fault of ours
    """The point does not hold together; `reason` is a key of rejects.REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def body(kind: str, point: Any) -> dict[str, Any]:
    """The point without time and attributes; a number that is not finite becomes None.

    Raises:
        Malformed: counts and bounds do not fit, or there are too many of them.
    """
    if kind == "histogram":
        return _histogram(point)
    if kind == "exponential_histogram":
        return _exponential(point)
    return _summary(point)


def _histogram(point: Any) -> dict[str, Any]:
    counts, bounds = list(point.bucket_counts), list(point.explicit_bounds)
    _bounded(counts, bounds)
    if len(counts) != (len(bounds) + 1 if counts else len(bounds)):
        raise Malformed("malformed")
    return {**_totals(point), "bounds": [_finite(bound) for bound in bounds], "counts": counts}


def _exponential(point: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        **_totals(point),
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": _finite(point.zero_threshold),
    }
    for side in ("positive", "negative"):
        buckets = getattr(point, side)
        counts = list(buckets.bucket_counts)
        _bounded(counts)
        found[side] = {"offset": buckets.offset, "counts": counts}
    return found


def _summary(point: Any) -> dict[str, Any]:
    _bounded(point.quantile_values)
    quantiles = [[_finite(entry.quantile), _finite(entry.value)] for entry in point.quantile_values]
    return {"count": point.count, "sum": _finite(point.sum), "quantiles": quantiles}


def _totals(point: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"count": point.count}
    for name in ("sum", "min", "max"):  # optional: absent is not zero
        if point.HasField(name):
            found[name] = _finite(getattr(point, name))
    return found


def _bounded(*arrays: Any) -> None:
    if any(len(array) > BUCKET_LIMIT for array in arrays):
        raise Malformed("too_long")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
