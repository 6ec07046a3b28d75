"""A small factory with known faults on a real database, the pages served by the real command, and a real browser."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gigawatch_contract import events
from gigawatch_dashboards.testing.fleet import Fault, Fleet, Place, Row, fill, happen, register
from gigawatch_dashboards.testing.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from gigawatch_database.testing import Database, Server

NOW = datetime.now(UTC).replace(microsecond=0)
FOREVER = NOW + timedelta(days=30)
XID_PLACE = Place("R02", "r02n02", 1)
REGISTRY = """
INSERT INTO programme_import (entered_by, sha256) VALUES ('test', '{}');
INSERT INTO programme_factory (import_id, row, factory_id, official_name, aliases, country, city, host, partners,
  consortium_countries, selection_round, selection_date, source, read, stated_on, stated_on_precision, round_read)
VALUES (1, 2, 'jaif', 'JUPITER AI Factory', '{}', 'DE', 'Juelich', 'Forschungszentrum Juelich', '{}', '{DE}', 2,
    '2025-03-12', 'https://example.org/jaif', 'primary', '2025-03-12', 'day', 'primary'),
  (1, 3, 'ai-at', 'AI Factory <script>alert(1)</script>', '{}', 'AT', 'Vienna', 'TU Wien', '{}', '{AT}', 2,
    '2025-03-12', 'javascript:alert(1)', 'second-hand', NULL, NULL, 'primary');
INSERT INTO programme_system (import_id, row, factory_id, system, role, accelerator, status, status_as_of,
  status_as_of_precision, source, read)
VALUES (1, 2, 'jaif', 'JUPITER Booster', 'existing', 'NVIDIA GH200', 'operational', '2026-10-01', 'month', 'a note', 'secondary'),
  (1, 3, 'jaif', 'JARVIS', 'inference', NULL, 'announced', NULL, NULL, NULL, 'none');
INSERT INTO programme_capacity (import_id, row, factory_id, system, stage, accelerators, qualifier, source, read)
VALUES (1, 2, 'jaif', 'JUPITER Booster', 'operational', 23536, 'exact', 'https://example.org/booster', 'primary'),
  (1, 3, 'jaif', 'JUPITER Booster', 'operational', 24000, 'about', 'a paper', 'secondary'),
  (1, 4, 'jaif', 'JARVIS', 'announced', NULL, 'not_disclosed', 'https://example.org/jarvis', 'primary');
"""


def minutes(number: float) -> datetime:
    """So many minutes before the scene's moment."""
    return NOW - timedelta(minutes=number)


def aurora() -> Fleet:
    """A factory of 2 racks, 6 nodes and 24 accelerators on which every kind of fault is planted."""
    return Fleet(
        NOW,
        racks=2,
        nodes=3,
        accelerators=4,
        faults=(
            Fault("hot", minutes(12), FOREVER, rack="R01", node="r01n02"),
            Fault("lost", minutes(9), FOREVER, node=XID_PLACE.node, index=XID_PLACE.index),
            Fault("unresponsive", minutes(4), FOREVER, node="r01n01", index=0),
            Fault("silent", minutes(6), FOREVER, node="r02n03"),
            Fault("silent", minutes(14), minutes(12)),
            Fault("absent", minutes(10_000), FOREVER, node="r01n03", index=3),
            Fault("reset", minutes(8), FOREVER, node="r02n01", index=2),
        ),
    )


@dataclass
class Scene:
    """A seeded database: what was written, so that a test can compute what must be shown."""

    database: Database
    fleet: Fleet
    rows: list[Row]
    xid: str

    @property
    def at(self) -> str:
        """The scene's moment, for an address."""
        return f"at={NOW:%Y-%m-%dT%H:%M:%SZ}"


def scene_on(database: Database) -> Scene:
    """Write the scene."""
    fleet = aurora()
    with database.connect() as connection:
        connection.execute(REGISTRY)
        register(connection, fleet)
        rows = fill(connection, fleet, minutes(20), NOW)
        xid = happen(connection, fleet, XID_PLACE, events.XID, minutes(9), **{events.XID_CODE: 79})
        happen(connection, fleet, XID_PLACE, events.LOST, minutes(8.9))
        connection.execute(
            """
            INSERT INTO alert_instance (alert_id, rule_group, rule, labels, annotations, link, state, active_since, fired_at)
            VALUES (gen_random_uuid(), 'gpu', 'XidEvent',
              '{"severity": "critical", "factory": "sim-aurora", "node": "r02n02"}', '{"summary": "XID 79 on r02n02"}',
              '/', 'firing', %(since)s, %(since)s)
            """,
            {"since": minutes(9)},
        )
    return Scene(database, fleet, rows, xid)


@pytest.fixture(scope="session")
def scene(timescale: Server) -> Iterator[Scene]:
    """The scene on TimescaleDB, for tests that only read."""
    with timescale.database() as database:
        yield scene_on(database)


@pytest.fixture(scope="session")
def plain_scene(plain_server: Server) -> Iterator[Scene]:
    """The scene on plain PostgreSQL."""
    with plain_server.database() as database:
        yield scene_on(database)


@pytest.fixture(scope="session")
def site(scene: Scene) -> Iterator[str]:
    """The address of the pages on the scene."""
    with serving(scene.database.dsn) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("chromium is not installed")
    flags = ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


@dataclass
class Visit:
    """A page in a browser, and everything about it that must not happen."""

    page: Page
    site: str
    faults: list[str] = field(default_factory=list[str])

    def go(self, path: str) -> Page:
        """Open a path and wait until it has drawn itself."""
        self.page.goto(self.site + path)
        self.page.locator("h1").first.wait_for()
        if self.page.locator(".chart").count():
            self.page.locator(".chart .main-svg .legend").last.wait_for()
        return self.page


@contextmanager
def watched(context: BrowserContext, site: str) -> Generator[Visit]:
    """A new page of a browser context; what it must not do (errors, calls to other hosts) fails the test at the end."""
    context.set_default_timeout(20_000)
    visit = Visit(context.new_page(), site)
    page, faults = visit.page, visit.faults
    page.on("console", lambda message: faults.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((site, "data:")) else faults.append(asked.url))
    page.on("response", lambda got: faults.append(f"{got.status} {got.url}") if got.status >= 400 else None)
    try:
        yield visit
    finally:
        page.close()
    assert visit.faults == []


@contextmanager
def visiting(browser: Browser, site: str, **options: Any) -> Generator[Visit]:
    """A page in a browser context of its own."""
    wanted: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, **options}
    context = browser.new_context(**wanted)
    try:
        with watched(context, site) as visit:
            yield visit
    finally:
        context.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser at desk width whose cache the tests share."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def visit(context: BrowserContext, site: str) -> Iterator[Visit]:
    """A page on the scene's site."""
    with watched(context, site) as found:
        yield found


@pytest.fixture
def open_browser(browser: Browser) -> Callable[..., AbstractContextManager[Visit]]:
    """A browser on an address, with the options of a context: `open_browser(site, color_scheme="dark")`."""
    return partial(visiting, browser)
