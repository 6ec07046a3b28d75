"""Durations as Prometheus writes them: `30s`, `5m`, `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}  # in seconds
_DURATION: Final = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS))
_LONGEST: Final = timedelta(days=100 * 365)


def parse(text: str) -> timedelta:
    """The duration that `text` names: units from the largest to the smallest, each at most once; `0` needs none.

    Raises:
        ValueError: it is no duration.
    """
    if text == "0":
        return timedelta()
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError("write it as 30s, 5m, 1h30m or 2d")
    seconds = sum(int(count) * unit for count, unit in zip(found.groups(), _UNITS.values(), strict=True) if count)
    if seconds > _LONGEST.total_seconds():
        raise ValueError("that is longer than 100 years")
    return timedelta(seconds=seconds)
