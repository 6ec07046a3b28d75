"""Both pages in a real browser, served by the real command on the real database."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from gigawatch_contract.links import factory as link_to
from gigawatch_dashboards.charts import CHARTS
from gigawatch_dashboards.testing.serving import serving

if TYPE_CHECKING:
    from gigawatch_database.testing import Database

PAST = "/factory/sim-aurora?"
PATHS = {"network": "/", "factory": PAST, "without telemetry": "/factory/jaif", "nothing": "/factory/nowhere"}


def text(page: Page) -> str:
    """What stands on a page, with plain spaces."""
    return page.locator("body").inner_text().replace("\u00a0", " ")


def violations(page: Page) -> list[str]:
    """What axe finds wrong, each with its place."""
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


def test_the_factory_says_at_once_what_is_wrong_where_and_since_when(scene: Any, visit: Any) -> None:
    page = visit.go(PAST + scene.at)
    shown = text(page)
    assert page.title() == "sim-aurora: Gigawatch"
    assert page.locator("html").get_attribute("lang") == "en"
    assert (
        "1 accelerator lost; 1 accelerator unresponsive; 1 node silent; 1 accelerator not reported by its node" in shown
    )
    assert "17 of 24 expected accelerators answer: 1 lost, 1 unresponsive, 5 not reporting." in shown
    assert "r02n02 GPU 1 is lost" in shown
    assert "r01n01 GPU 0 is unresponsive" in shown
    assert "Node r02n03 is silent" in shown
    silent = scene.fleet.epoch - timedelta(minutes=6, seconds=15)
    assert f"Last heard of at {silent:%H:%M:%S} UTC, 6 min ago" in shown
    assert "Node r01n03 lacks 1 of 4 accelerators" in shown
    assert "4 accelerators in rack R01 throttled by heat" in shown
    assert "XID 79" in shown
    assert "The GPU has fallen off the bus" in shown
    assert "XidEvent" in shown
    assert f"as of {scene.fleet.epoch:%Y-%m-%d %H:%M:%S} UTC" in shown


def test_simulated_data_says_so_at_the_top_and_stays_there(scene: Any, visit: Any) -> None:
    page = visit.go(PAST + scene.at)
    banner = page.locator(".banner.simulated")
    expect(banner).to_contain_text("Simulated data. This factory is fictional")
    page.locator(".foot").scroll_into_view_if_needed()
    expect(banner).to_be_in_viewport()
    visit.go("/")
    expect(page.locator("#live-sim-aurora").locator("xpath=ancestor::li").locator(".badge.simulated")).to_be_visible()
    visit.go("/factory/jaif")
    expect(page.locator(".banner.simulated")).to_have_count(0)


def test_charts_are_drawn_with_sentences_and_gaps_stay_gaps(scene: Any, visit: Any) -> None:
    page = visit.go(PAST + scene.at)
    assert page.locator(".chart").count() == len(CHARTS)
    sentences = page.locator(".chart .sentence").all_inner_texts()
    assert all(sentence.endswith(".") for sentence in sentences)
    assert "1 gap without any sample, the longest 90 s" in sentences[-1].replace("\u00a0", " ")
    power = page.locator(".chart", has=page.locator("h3", has_text="Power"))
    line = power.locator(".scatterlayer .trace").first.locator("path.js-line")
    assert line.count() == 2, "one piece of line on each side of the gap"
    expect(power.locator(".annotation-text", has_text="no data")).to_be_visible()
    assert power.locator(".ytitle").text_content() == "kW"
    assert power.locator(".xtitle").text_content() == "time, UTC"


def test_an_alerts_link_lands_on_its_moment_node_and_event(scene: Any, visit: Any) -> None:
    at = scene.fleet.epoch.isoformat()
    page = visit.go(link_to("sim-aurora", at=at, node="r02n03", event=scene.xid))
    marked = page.locator("li.marked")
    assert marked.count() == 2
    expect(marked.filter(has_text="Node r02n03 is silent")).to_have_attribute("aria-current", "true")
    expect(marked.filter(has_text="XID 79")).to_be_visible()
    expect(page.locator(".node.marked")).to_contain_text("r02n03")


def test_range_and_colour_live_in_the_address_and_back_and_forward_work(scene: Any, visit: Any) -> None:
    page = visit.go(PAST + scene.at)
    first = page.locator(".chart .sentence").first.inner_text()
    page.get_by_text("1 h", exact=True).click()
    expect(page).to_have_url(re.compile("range=1h"))
    expect(page.locator(".chart .sentence").first).not_to_have_text(first)
    page.get_by_text("Temperature", exact=True).first.click()
    expect(page).to_have_url(re.compile("range=1h.*colour=temperature|colour=temperature.*range=1h"))
    expect(page.locator(".hall .level-5, .hall .level-4").first).to_be_visible()
    page.go_back()
    expect(page.locator(".hall [class*=level-]")).to_have_count(0)
    expect(page.get_by_role("radio", name="Status")).to_be_checked()
    page.go_back()
    expect(page.locator(".chart .sentence").first).to_have_text(first)
    page.go_forward()
    expect(page.get_by_role("radio", name="1 h")).to_be_checked()


def test_a_table_opens_with_the_figures_of_its_chart(scene: Any, visit: Any) -> None:
    page = visit.go(PAST + scene.at)
    power = page.locator(".chart", has=page.locator("h3", has_text="Power"))
    power.get_by_text("Show as table").click()
    table = power.get_by_role("table")
    expect(table.locator("th").nth(1)).to_have_text("drawn, kW")
    assert table.locator("tbody tr").count() == 30
    assert "\u2013" in table.inner_text(), "what is missing is a dash"
    power.get_by_text("Show as table").click()
    page.get_by_text("Show as table").first.click()
    expect(page.get_by_role("table", name="Nodes").or_(page.locator(".card table")).first).to_contain_text("r02n03")


def test_the_csv_is_what_the_chart_shows(scene: Any, visit: Any) -> None:
    page = visit.go(PAST + scene.at)
    href = page.locator(".chart", has=page.locator("h3", has_text="Power")).get_by_text("CSV").get_attribute("href")
    with urllib.request.urlopen(visit.site + href) as answer:
        lines = answer.read().decode().splitlines()
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="sim-aurora_power_')
    assert lines[1] == "# Simulated data. This factory is fictional; no machine stands behind these readings."
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    assert rows[0][2:4] == ["power_watts", "power_limit_watts"]
    newest = [row for row in scene.rows if row["time"] > scene.fleet.epoch - timedelta(seconds=22.5) and "power" in row]
    each = {
        row["accelerator_id"]: [one["power"] for one in newest if one["accelerator_id"] == row["accelerator_id"]]
        for row in newest
    }
    assert float(rows[-1][2]) == pytest.approx(sum(sum(own) / len(own) for own in each.values()), rel=1e-6)


def test_a_real_factory_shows_public_facts_and_no_telemetry(visit: Any) -> None:
    page = visit.go("/factory/jaif")
    shown = text(page)
    assert "No telemetry connected" in shown
    assert "23,536 accelerators operational" in shown
    assert "about 24,000 accelerators operational" in shown
    assert "accelerators not disclosed: announced" in shown
    expect(page.get_by_role("link", name="https://example.org/booster")).to_have_attribute(
        "rel", re.compile("noreferrer")
    )
    assert page.locator(".chart").count() == 0


def test_the_network_has_every_factory_ranks_none_and_marks_the_fictional(scene: Any, visit: Any) -> None:
    page = visit.go("/")
    names = page.locator(".cards.public h3").all_inner_texts()
    assert names == ["AI Factory <script>alert(1)</script>", "JUPITER AI Factory"], "by country, as text"
    assert page.locator(".cards.public", has_text="No telemetry connected").count() == 1
    live = page.locator(".cards.live li")
    expect(live.first).to_contain_text("Aurora")
    expect(live.first).to_contain_text("of 24 expected")
    assert page.get_by_role("link", name="javascript").count() == 0
    page.get_by_role("link", name="Aurora").click()
    expect(page.locator("h1")).to_have_text("Aurora")


@pytest.mark.parametrize(
    "path", ["/factory/<script>alert(1)</script>", "/factory/sim-aurora?node=<b>x</b>&event=%00'\"&at=<i>"]
)
def test_hostile_addresses_are_text(visit: Any, path: str) -> None:
    page = visit.go(path)
    assert page.locator("main script, main b, main i").count() == 0
    if "at=" in path:
        expect(page.locator(".unread")).to_contain_text("at that cannot be read")
    else:
        expect(page.locator("h1")).to_have_text("There is nothing here")


@pytest.mark.parametrize("name", PATHS)
def test_axe_finds_nothing_in_light_and_dark(scene: Any, site: str, open_browser: Any, name: str) -> None:
    with open_browser(site, color_scheme="light") as visit:
        page = visit.go(PATHS[name] + (f"{scene.at}&colour=power&node=r02n03" if name == "factory" else ""))
        if name == "factory":
            for summary in page.locator("summary").all()[:2]:
                summary.click()
            page.locator(".chart table").first.wait_for()
        for scheme in ("light", "dark"):
            expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", scheme)
            assert violations(page) == []
            page.get_by_role("button", name="Light or dark").click()


@pytest.mark.parametrize("name", ["network", "factory"])
def test_a_page_reflows_to_320_pixels(scene: Any, site: str, open_browser: Any, name: str) -> None:
    with open_browser(site, viewport={"width": 320, "height": 640}) as visit:
        page = visit.go(PATHS[name] + (scene.at if name == "factory" else ""))
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_keyboard_reaches_everything_and_focus_is_seen(scene: Any, visit: Any) -> None:
    page = visit.go(PAST + scene.at)
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(e => e === document.body ? '' : (e.innerText || e.value || e.id) + '|' + getComputedStyle(e).outlineStyle)(document.activeElement)"
        )
        if not name:
            break
        reached.append(name)
    words = [name.rpartition("|")[0].strip() for name in reached]
    for wanted in ("Skip to the content", "Gigawatch", "Network", "Light or dark", "All factories", "15m", "Earlier",
                   "Later", "Back to now", "status", "Show as table", "CSV"):  # fmt: skip
        assert wanted in words, f"{wanted} in {words}"
    assert words.count("Show as table") == len(CHARTS) + 1
    visible = [name for name in reached if not name.endswith("|none")]
    assert len(visible) >= len(reached) - 2, "radio buttons show focus on their label"
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_theme_is_kept(site: str, scene: Any, open_browser: Any) -> None:
    with open_browser(site, color_scheme="light") as visit:
        page = visit.go("/")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_role("button", name="Light or dark").click()
        expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
        visit.go("/")
        expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


def test_answers_carry_a_strict_policy_and_no_sniffing(site: str) -> None:
    with urllib.request.urlopen(site + "/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    scripts = re.search(r"script-src ([^;]+)", policy)
    assert scripts is not None
    assert "unsafe" not in scripts[1]
    assert "http" not in policy


def test_health_says_that_the_process_serves_and_that_the_database_answers(site: str) -> None:
    with urllib.request.urlopen(f"{site}/healthz") as answer:
        assert json.load(answer) == {"status": "ok"}
    with urllib.request.urlopen(f"{site}/readyz") as answer:
        assert json.load(answer) == {"status": "ok", "grade": "apache"}


def test_a_plain_database_is_said_on_every_page(plain_scene: Any, open_browser: Any) -> None:
    with serving(plain_scene.database.dsn) as site, open_browser(site) as visit:
        for path in ("/", PAST + plain_scene.at, "/factory/jaif"):
            expect(visit.go(path).locator(".banner.plain")).to_contain_text("plain PostgreSQL without TimescaleDB")
        assert "17 of 24 expected accelerators answer" in text(visit.go(PAST + plain_scene.at))


def test_an_empty_database_says_what_is_missing(database: Database, open_browser: Any) -> None:
    with serving(database.dsn) as site, open_browser(site) as visit:
        shown = text(visit.go("/"))
        assert "No factory sends telemetry to this Gigawatch yet." in shown
        assert "gigawatch programme import" in shown
        expect(visit.go("/factory/sim-aurora").locator("h1")).to_have_text("There is nothing here")


def test_the_time_of_the_newest_sample_is_in_utc_whatever_the_browsers_zone(
    scene: Any, site: str, open_browser: Any
) -> None:
    with open_browser(site, timezone_id="America/New_York", locale="de-DE") as visit:
        page = visit.go(PAST + scene.at)
        ticks = page.locator(".chart .xtick text").all_text_contents()
        hours = {tick.split(":")[0] for tick in ticks if ":" in tick}
        assert hours <= {f"{scene.fleet.epoch - timedelta(minutes=back):%H}" for back in range(16)}
        assert datetime.now(UTC) - scene.fleet.epoch < timedelta(hours=1)
