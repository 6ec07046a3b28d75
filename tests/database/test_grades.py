"""The same telemetry gives the same answers from every view, whatever the grade."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from gigawatch_collector import testing as collectors
from gigawatch_database.testing import answers, copy_tables
from gigawatch_exporters.simulator import bodies, load
from gigawatch_exporters.simulator.scale import only

if TYPE_CHECKING:
    from gigawatch_database.testing import Database

VIEWS: Final = ("accelerator_reading", "node_reading", "event_reading", "other_reading")
OF_THE_STORE: Final = ("accelerator_id", "node_id", "series_id", "received_at", "clock_skew")
"""Numbers that a database gives out as things come, and what depends on when they came."""
STORY_S: Final = 60


def test_what_collectors_stored_reads_the_same_on_every_grade(
    database: Database, plain_database: Database, community_database: Database
) -> None:
    """Through a collector on Apache and plain; row by row on Community, which takes no COPY here."""
    story = list(bodies(only(load("demo"), "sim-aurora"), time.time() - 300, STORY_S, 10.0))
    for each in (database, plain_database):
        with collectors.running(each.dsn) as collector:
            for _, signal, _, body in story:
                reply = collector.post(body, signal=signal)
                assert (reply.status, reply.body) == (200, b""), reply
    with database.connect() as connection, community_database.connect() as community:
        copy_tables(connection, community)
        expected = {view: answers(connection, view, without=OF_THE_STORE) for view in VIEWS}
        assert {view: answers(community, view, without=OF_THE_STORE) for view in VIEWS} == expected
    with plain_database.connect() as connection:
        assert {view: answers(connection, view, without=OF_THE_STORE) for view in VIEWS} == expected
    assert len(expected["accelerator_reading"]) > 1000
    assert expected["node_reading"]
    assert len(expected["event_reading"]) == 2, "the XID and the loss"
