"""An open page follows the database without a reload, and says so when it cannot."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from gigawatch_contract import events
from gigawatch_dashboards.testing.fleet import Fault, Fleet, fill, happen, register
from gigawatch_dashboards.testing.serving import serving

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from gigawatch_database.testing import Database, Server

PAGE = "/factory/sim-aurora"
LONG = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def database(timescale: Server) -> Iterator[Database]:
    with timescale.database() as database:
        yield database


@contextmanager
def away(server: Server, database: Database) -> Generator[None]:
    """The database refuses connections and drops those it has, as one that is restarted does."""
    name = database.dsn.rpartition("/")[2].partition("?")[0]
    with server.admin() as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


def test_new_data_is_seen_without_a_reload_and_focus_stays(database: Database, open_browser: Any) -> None:
    start = now()
    healthy = Fleet(start, racks=1, nodes=2, accelerators=2)
    lost = Fault("lost", start + timedelta(seconds=1), start + LONG, node="r01n02", index=1)
    broken = Fleet(start, racks=1, nodes=2, accelerators=2, faults=(lost,), ids=healthy.ids)
    with database.connect() as connection:
        register(connection, healthy)
        fill(connection, healthy, start - timedelta(minutes=2), start)
        with serving(database.dsn, "--export-interval", "60") as site, open_browser(site) as visit:
            page = visit.go(PAGE)
            expect(page.locator(".verdict")).to_contain_text("Nothing wrong is seen")
            page.evaluate("window.sameDocument = true")
            chart = page.locator(".chart .js-plotly-plot").first.element_handle()
            page.locator("#earlier").focus()
            fill(connection, broken, start, start + timedelta(seconds=15))
            happen(
                connection, broken, broken.places[3], events.XID, start + timedelta(seconds=15), **{events.XID_CODE: 79}
            )
            expect(page.locator(".verdict")).to_contain_text("1 accelerator lost", timeout=30_000)
            expect(page.locator(".events")).to_contain_text("XID 79")
            expect(page.locator(".tile").first).to_contain_text("of 4 expected")
            assert page.evaluate("window.sameDocument") is True
            assert page.evaluate("document.activeElement.id") == "earlier"
            assert chart.evaluate("e => e.isConnected"), "a chart is updated in place"


def test_a_pipeline_that_stops_is_said_in_words_and_its_last_readings_are_not_the_present(
    database: Database, open_browser: Any
) -> None:
    start = now()
    fleet = Fleet(start, racks=1, nodes=1, accelerators=2)
    with database.connect() as connection:
        register(connection, fleet)
        fill(connection, fleet, start - timedelta(minutes=5), start)
        with serving(database.dsn, "--export-interval", "2") as site, open_browser(site) as visit:
            page = visit.go(PAGE)
            expect(page.locator("#freshness")).to_contain_text(re.compile("Stalled: no sample for"), timeout=30_000)
            expect(page.locator(".verdict")).to_contain_text("Unknown: telemetry has stopped", timeout=30_000)
            expect(page.locator(".list").first).to_contain_text("Telemetry has stopped")
            visit.go("/")
            card = page.locator(".cards.live li").first
            expect(card).to_contain_text("Stalled: no sample for")
            assert card.locator("strong").all_inner_texts() == ["\u2013"] * 3
            visit.go(PAGE)
            for number in range(1, 60):
                recovered = Fleet(datetime.now(UTC), racks=1, nodes=1, accelerators=2, ids=fleet.ids)
                fill(connection, recovered, recovered.epoch - timedelta(microseconds=1), recovered.epoch)
                page.wait_for_timeout(500)
                if "Unknown" not in page.locator(".verdict").inner_text():
                    break
                assert number < 59, "the page did not recover"


def test_a_database_that_goes_away_is_said_and_the_page_recovers(
    timescale: Server, database: Database, open_browser: Any
) -> None:
    start = now()
    fleet = Fleet(start, racks=1, nodes=1, accelerators=2)
    with database.connect() as connection:
        register(connection, fleet)
        fill(connection, fleet, start - timedelta(minutes=1), start)
    with serving(database.dsn, "--export-interval", "60") as site, open_browser(site) as visit:
        page = visit.go(PAGE)
        with away(timescale, database):
            expect(page.locator("#connection")).to_contain_text("The database does not answer since", timeout=30_000)
            expect(page.locator(".verdict")).to_contain_text("Nothing wrong is seen")
            page.reload()
            expect(page.locator("h1")).to_have_text("The database does not answer", timeout=30_000)
        expect(page.locator("h1")).to_have_text("Aurora", timeout=60_000)
        expect(page.locator("#connection")).to_be_empty()
        assert {fault for fault in visit.faults if "503" not in fault} == set()
        visit.faults.clear()


def test_a_server_that_stops_is_said_by_the_page_that_is_left(database: Database, open_browser: Any) -> None:
    with serving(database.dsn) as site, open_browser(site) as visit:
        page = visit.go("/")
        with serving(database.dsn) as other:
            page.goto(other)
            page.locator("h1").wait_for()
        expect(page.locator("#connection")).to_contain_text("Gigawatch does not answer since", timeout=30_000)
        visit.faults.clear()  # requests to the second site, and those that nobody answered


def test_a_range_that_takes_too_long_is_said_and_what_stands_is_not_passed_off_as_it(
    database: Database, open_browser: Any
) -> None:
    start = now()
    fleet = Fleet(start, racks=1, nodes=1, accelerators=2)
    with database.connect() as connection:
        register(connection, fleet)
        fill(connection, fleet, start - timedelta(minutes=1), start)
        with (
            serving(database.dsn, "--export-interval", "600", "--query-timeout", "1") as site,
            open_browser(site) as visit,
        ):
            page = visit.go(PAGE)
            with connection.transaction():
                connection.execute("LOCK accelerator_sample IN ACCESS EXCLUSIVE MODE")
                page.get_by_text("24 h", exact=True).click()
                expect(page.locator("#connection")).to_contain_text(
                    "Not updated: the database did not answer within 1 s"
                )
                page.reload()
                expect(page.locator("h1")).to_have_text("This takes too long")
            visit.go(PAGE + "?range=24h")
            expect(page.locator("h1")).to_have_text("Aurora")
