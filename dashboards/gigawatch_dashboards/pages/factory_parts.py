"""What the page of a factory shows of telemetry, by part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dash import get_relative_path, html

from gigawatch_contract import links
from gigawatch_dashboards import components, words
from gigawatch_dashboards.charts import CHARTS
from gigawatch_dashboards.components import Children, link, mark, tile
from gigawatch_dashboards.figures import figure
from gigawatch_dashboards.hall_grid import grid, node_table
from gigawatch_dashboards.units import count, quantity, share
from gigawatch_dashboards.view import RANGES, View

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from gigawatch_dashboards.factory import FactoryState, Telemetry
    from gigawatch_dashboards.parts import Parts

PARTS = (
    "verdict.children",
    "tiles.children",
    "moment.children",
    "problems.children",
    "alerts.children",
    "events.children",
    "hall.children",
    "nodes.children",
    *(f"{chart.key}-figure.figure" for chart in CHARTS),
    *(f"{chart.key}-words.children" for chart in CHARTS),
    *(f"{chart.key}-csv.href" for chart in CHARTS),
)


def parts(state: FactoryState, telemetry: Telemetry) -> Parts:
    """What the page shows of telemetry, by part."""
    now, view, condition = state.moment.time, state.view, telemetry.condition
    export = f"/export/factory/{state.factory_id}/"
    events = telemetry.events
    hrefs = [links.factory(state.factory_id, at=f"{one.time:%Y-%m-%dT%H:%M:%SZ}", event=one.event_id) for one in events]
    values: Children = [
        _verdict(state, telemetry),
        _tiles(telemetry),
        _moment(state),
        components.problem_list(telemetry.problems, now, view.node)
        if telemetry.problems
        else _nothing("Nothing that telemetry can see."),
        components.alert_list(telemetry.alerts, now) if telemetry.alerts else _nothing("No alert is open."),
        components.event_list(events, now, view.event, hrefs) if events else _nothing("No event in this window."),
        grid(condition, view.colour, view.node),
        node_table(condition),
        *(figure(chart, telemetry.series, events) for chart in CHARTS),
        *(words.chart(chart, telemetry.series) for chart in CHARTS),
        *(
            get_relative_path(f"{export}{chart.key}.csv{view.search(colour=View.colour, node=None, event=None)}")
            for chart in CHARTS
        ),
    ]
    return dict(zip(PARTS, values, strict=True))


def _nothing(text: str) -> Component:
    return html.P(text, className="empty")


def _verdict(state: FactoryState, telemetry: Telemetry) -> Children:
    """The one sentence, and how many accelerators answer."""
    fresh, problems = telemetry.freshness, telemetry.problems
    unknown = fresh.state == "none" or telemetry.condition.expected is None
    kind = problems[0].severity if problems else "unknown" if unknown else "ok"
    text = words.verdict(telemetry.condition, fresh, problems, live=state.moment.live)
    return [
        html.P(mark(kind, text), className=f"verdict {kind}"),
        html.P(words.seen_of_expected(telemetry.condition), className="lead"),
    ]


def _tiles(telemetry: Telemetry) -> Component:
    condition, why = telemetry.condition, "no reading within the minute before this moment"
    answering = condition.answering
    busy = [one.utilization for one in answering if one.utilization is not None]
    power = [one.power for one in answering if one.power is not None]
    heat = [one.temperature for one in answering if one.temperature is not None]
    seen = condition.accelerators or telemetry.freshness.state in {"fresh", "late"}
    return html.Dl(
        [
            tile(
                "Accelerators that answer",
                count(len(answering) if seen else None),
                f"of {count(condition.expected)} expected" if condition.expected is not None else "expected: not known",
                why_missing=why,
            ),
            tile(
                "Utilisation",
                quantity(sum(busy) / len(busy) if busy else None, "1"),
                f"mean of {count(len(busy))}",
                why_missing=why,
            ),
            tile("Power", quantity(sum(power) if power else None, "W"), f"sum of {count(len(power))}", why_missing=why),
            tile("Hottest die", quantity(max(heat, default=None), "Cel"), f"of {count(len(heat))}", why_missing=why),
            tile(
                "Coverage",
                share(telemetry.series.coverage, 1.0),
                "of the samples expected in this range",
                why_missing="nothing was expected: there is no inventory",
            ),
        ],
        className="tiles",
    )


def _moment(state: FactoryState) -> Children:
    """Which moment is shown, and the way to others."""
    span = RANGES[state.view.range].span
    view, here = state.view, links.factory(state.factory_id)
    earlier = link("Earlier", here + view.search(at=state.moment.time - span), id="earlier", className="button")
    if state.moment.live:
        shown: Children = [html.Span("now, live", className="at"), earlier]
    else:
        later = link("Later", here + view.search(at=state.moment.time + span), id="later", className="button")
        now = link("Back to now", here + view.search(at=None, event=None), id="now", className="button")
        shown = [html.Strong(f"as of {state.moment.time:%Y-%m-%d %H:%M:%S} UTC", className="at"), earlier, later, now]
    if view.unread:
        shown.append(html.Span(words.unread(view.unread), className="unread", role="status"))
    return shown
