"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(start_ns: int, into: float) -> str:
    """The time `into` seconds after `start_ns`, as ISO 8601 in UTC with milliseconds."""
    milliseconds = round(start_ns / 1e6) + round(into * 1000)
    found = datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")
