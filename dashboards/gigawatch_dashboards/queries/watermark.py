"""What tells a page cheaply whether to draw itself anew: nothing here looks at samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection


@dataclass(frozen=True, slots=True)
class Watermark:
    """The newest of what comes beside the samples: an event, a change of an alert, an import of the registry."""

    event: datetime | None
    alert: int | None
    registry: int | None


def watermark(connection: Connection, factory_id: str | None, since: datetime) -> Watermark:
    """The watermark of a factory, or of all; events before `since` are not looked for."""
    with connection.cursor(row_factory=class_row(Watermark)) as cursor:
        found = cursor.execute(
            """
            SELECT
              (SELECT time FROM event
               WHERE (%(factory)s::text IS NULL OR factory_id = %(factory)s) AND time > %(since)s
               ORDER BY time DESC LIMIT 1) AS event,
              (SELECT transition_id FROM alert_transition ORDER BY transition_id DESC LIMIT 1) AS alert,
              (SELECT import_id FROM programme_import ORDER BY import_id DESC LIMIT 1) AS registry
            """,
            {"factory": factory_id, "since": since},
        ).fetchone()
    assert found is not None  # a SELECT without FROM has one row
    return found
