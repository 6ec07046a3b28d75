"""The scheme of links to pages: alerts, webhooks and pages all build and read addresses here."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

NETWORK: Final = "/"
FACTORY: Final = "/factory/{factory}"


def network() -> str:
    """The page of all factories."""
    return NETWORK


def factory(factory_id: str, *, at: str | None = None, node: str | None = None, event: str | None = None) -> str:
    """One factory's page, at a moment (ISO 8601), with a node or an event marked."""
    query = {"at": at, "node": node, "event": event}
    found = urlencode({key: value for key, value in query.items() if value is not None})
    return FACTORY.format(factory=quote(factory_id, safe="")) + (f"?{found}" if found else "")
