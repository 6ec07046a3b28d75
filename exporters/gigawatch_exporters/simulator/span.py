"""Spans of time as people write them: `90`, `25s`, `2m`, `1h30m`, `-1d`."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_WHOLE: Final = re.compile(r"([+-]?)((?:\d+(?:\.\d+)?[dhms])+)")


def seconds(text: str | float) -> float:
    """Seconds of a span; a bare number is seconds.

    Raises:
        ValueError: the text is not a span.
    """
    if isinstance(text, (int, float)):
        return float(text)
    found = _WHOLE.fullmatch(text.strip())
    if not found:
        return float(text)
    sign = -1.0 if found[1] == "-" else 1.0
    return sign * sum(float(number) * UNITS[unit] for number, unit in _PART.findall(found[2]))
