"""What a page shows is in its address, and nowhere else: range, moment, colour, what is marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Range:
    """A span of time that a page can show: its key in the address, and how wide one point of a chart is."""

    key: str
    span: timedelta
    width: timedelta
    """At the least: a point is never narrower than two export intervals."""


RANGES: Final = {
    found.key: found
    for found in (
        Range("15m", timedelta(minutes=15), timedelta(seconds=10)),
        Range("1h", timedelta(hours=1), timedelta(seconds=30)),
        Range("6h", timedelta(hours=6), timedelta(minutes=2)),
        Range("24h", timedelta(hours=24), timedelta(minutes=5)),
    )
}
COLOURS: Final = {
    "status": "Status",
    "utilization": "Utilisation",
    "temperature": "Temperature",
    "power": "Power",
    "throttled": "Thermal throttling",
}
MAX_TEXT: Final = 255
"""Of a name in the address: a longer one names nothing, nor does one with a NUL, which PostgreSQL refuses."""


@dataclass(frozen=True)  # without slots: the class then has the defaults as attributes
class View:
    """The state of a page. `at` None is "now, live"."""

    range: str = "15m"
    at: datetime | None = None
    colour: str = "status"
    node: str | None = None
    event: str | None = None
    unread: str | None = None
    """What in the address made no sense, in words."""

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> View:
        """The view that a query asks for; what makes no sense is left at its default, and said in `unread`."""
        found = cls(node=_text(query.get("node")), event=_text(query.get("event")))
        unread: list[str] = []
        if (key := query.get("range")) is not None:
            found, unread = (replace(found, range=key), unread) if key in RANGES else (found, [*unread, "range"])
        if (key := query.get("colour")) is not None:
            found, unread = (replace(found, colour=key), unread) if key in COLOURS else (found, [*unread, "colour"])
        if (text := query.get("at")) is not None:
            at = _moment(text)
            found, unread = (replace(found, at=at), unread) if at else (found, [*unread, "at"])
        return replace(found, unread=", ".join(unread) or None)

    @classmethod
    def of_search(cls, search: str | None) -> View:
        """The view of an address's `?…`."""
        return cls.of({key: values[-1] for key, values in parse_qs((search or "").removeprefix("?")).items()})

    def search(self, **changes: Any) -> str:
        """The `?…` of this view with changes; defaults are left out, so that equal views have equal addresses."""
        view = replace(self, **changes)
        words = {
            "range": view.range if view.range != View.range else None,
            "at": f"{view.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if view.at else None,
            "colour": view.colour if view.colour != View.colour else None,
            "node": view.node,
            "event": view.event,
        }
        found = urlencode({key: value for key, value in words.items() if value is not None})
        return f"?{found}" if found else ""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and "\0" not in value else None


def _moment(text: Any) -> datetime | None:
    """An ISO 8601 moment; without a zone it is UTC. A '+' of a zone that was not escaped arrives as a space."""
    try:
        found = datetime.fromisoformat(str(text).strip().replace(" ", "+") if "T" in str(text) else str(text))
    except ValueError:
        return None
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        return None
