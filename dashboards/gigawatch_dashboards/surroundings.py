"""What every page is handed: the door to the database, the export interval to judge freshness by, and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_dashboards.store import Store


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """The surroundings of the pages."""

    store: Store
    interval: timedelta
    now: Callable[[], datetime] = utc_now
