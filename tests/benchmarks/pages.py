"""Load time and weight of both pages in headless Chromium, and the answer time of their updates; the last line is JSON.

A factory of 512 accelerators with an hour of history, the pages served by the real command. Cold is a browser without a
cache, warm one that has been there; both end when every chart is drawn. Figures are medians over rounds (p95 for
updates). Grafana, the peer, cannot be had as a package here, so nothing stands beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from gigawatch_dashboards.charts import CHARTS
from gigawatch_dashboards.testing.fleet import Fleet, fill, register
from gigawatch_dashboards.testing.serving import serving
from gigawatch_database import testing

UPDATE = "_dash-update-component"


@dataclass(frozen=True)
class Load:
    """One load of a page: until its charts (its heading where it has none) are drawn, its first paint, its bytes."""

    ready_ms: float
    first_paint_ms: float
    transferred_bytes: float


@dataclass(frozen=True)
class Request:
    """A request for an update, to be sent again."""

    url: str
    body: bytes


def load(context: BrowserContext, address: str, charts: int) -> tuple[Load, Request]:
    """Load a page; returns its figures and the largest of its requests for an update."""
    page = context.new_page()
    asked: list[Request] = []
    page.on(
        "request",
        lambda one: asked.append(Request(one.url, one.post_data_buffer or b"")) if UPDATE in one.url else None,
    )
    began = time.perf_counter()
    page.goto(address)
    page.locator(".chart .main-svg .legend" if charts else ".cards li").nth(max(charts - 1, 0)).wait_for()
    ready = time.perf_counter() - began
    entries = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map(e => e.transferSize)"
    )
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.close()
    return Load(1000 * ready, paint, sum(entries)), max(asked, key=lambda one: len(one.body))


def answer_ms(request: Request) -> float:
    """How long one update takes to be answered."""
    began = time.perf_counter()
    sent = urllib.request.Request(request.url, request.body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent) as answer:
        answer.read()
    return 1000 * (time.perf_counter() - began)


def measure(browser: Browser, address: str, charts: int, rounds: int) -> dict[str, float]:
    """The figures of one page."""
    cold: list[Load] = []
    request: Request | None = None
    for _ in range(rounds):
        context = browser.new_context()
        found, request = load(context, address, charts)
        cold.append(found)
        context.close()
    context = browser.new_context()
    load(context, address, charts)
    warm = [load(context, address, charts)[0] for _ in range(rounds)]
    context.close()
    assert request is not None
    answers = sorted(answer_ms(request) for _ in range(10 * rounds))
    return {
        "cold_ms": round(statistics.median(one.ready_ms for one in cold)),
        "warm_ms": round(statistics.median(one.ready_ms for one in warm)),
        "cold_bytes": round(statistics.median(one.transferred_bytes for one in cold)),
        "warm_bytes": round(statistics.median(one.transferred_bytes for one in warm)),
        "first_contentful_paint_ms": round(statistics.median(one.first_paint_ms for one in cold)),
        "callback_p95_ms": round(answers[int(0.95 * (len(answers) - 1))]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="loads of each kind (default: 5)")
    rounds: int = parser.parse_args().rounds
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("pages: chromium is not installed")
    now = datetime.now(UTC)
    fleet = Fleet(now, racks=8, nodes=8, accelerators=8)
    flags = ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gigawatch-pages-")))
        folder.chmod(0o755)
        server = stack.enter_context(testing.server(folder / "server", timescale=True))
        database = stack.enter_context(server.database())
        with database.connect() as connection:
            register(connection, fleet)
            rows = fill(connection, fleet, now - timedelta(hours=1), now)
            connection.execute("ANALYZE")
        print(f"{len(rows):,} samples of {len(fleet.places)} accelerators on {database.grade}, {rounds} rounds")
        site = stack.enter_context(serving(database.dsn, "--export-interval", "3600"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        at = f"&at={now:%Y-%m-%dT%H:%M:%SZ}"
        pages = {"network": ("/", 0), "factory": (f"/factory/{fleet.factory_id}?range=1h{at}", len(CHARTS))}
        figures: dict[str, float] = {}
        for name, (path, charts) in pages.items():
            found = measure(browser, site + path, charts, rounds)
            print(f"{name}: {found}")
            figures |= {f"{name}_{key}": value for key, value in found.items()}
        browser.close()
    print(json.dumps({"benchmark": "pages", **figures, "grafana": None}))


if __name__ == "__main__":
    main()
