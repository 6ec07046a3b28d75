"""Has anything changed: the cheap question that an open page asks every few seconds."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gigawatch_contract import links
from gigawatch_contract.resource import FACTORY_ID
from gigawatch_dashboards import words
from gigawatch_dashboards.freshness import freshness
from gigawatch_dashboards.queries import fleet
from gigawatch_dashboards.queries.watermark import watermark

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

NETWORK: Final = "network"
EVENTS_WITHIN: Final = timedelta(days=1)


def page_of(path: str) -> str | None:
    """The page at a path: a factory's id, or "network"; None for an address that has no telemetry."""
    if path == links.NETWORK:
        return NETWORK
    before, _, _ = links.FACTORY.partition("{factory}")
    found = path.removeprefix(before)
    return found if path.startswith(before) and FACTORY_ID.fullmatch(found) else None


def version(connection: Connection, of: str, now: datetime, interval: timedelta) -> dict[str, str]:
    """The version of what a page shows, and how fresh it is in words. Equal versions draw equal pages.

    The state of freshness is part of it: a page changes when data stops, not only when data comes.
    """
    factory_id = None if of == NETWORK else of
    found = [
        (sender, freshness(sender.newest_time, sender.received_at, now, interval))
        for sender in fleet.senders(connection, factory_id)
    ]
    seen = [(sender.factory_id, sender.newest_time, fresh.state) for sender, fresh in found]
    digest = hashlib.blake2b(
        repr((seen, watermark(connection, factory_id, now - EVENTS_WITHIN))).encode(), digest_size=8
    )
    answer = {"of": of, "version": digest.hexdigest()}
    if factory_id and found:
        answer |= {"freshness": words.freshness(found[0][1]), "state": found[0][1].state}
    return answer
