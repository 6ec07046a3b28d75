"""The page of one factory: what is wrong now, is the data fresh, what it does over time, what is publicly known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash
import dash_mantine_components as dmc
from dash import ALL, MATCH, ClientsideFunction, Input, Output, State, get_relative_path, html

from gigawatch_contract import links
from gigawatch_contract.resource import FACTORY_ID
from gigawatch_dashboards import components, factory, words
from gigawatch_dashboards.charts import CHARTS
from gigawatch_dashboards.components import Children, aria, card, link, mark, tile
from gigawatch_dashboards.figures import figure
from gigawatch_dashboards.hall_grid import grid, node_table
from gigawatch_dashboards.pages import frame
from gigawatch_dashboards.parts import Parts, identity, keep, or_leave, stores
from gigawatch_dashboards.tables import chart_rows
from gigawatch_dashboards.units import count, quantity, share
from gigawatch_dashboards.version import version
from gigawatch_dashboards.view import COLOURS, RANGES, View

if TYPE_CHECKING:
    from dash import Dash
    from dash.development.base_component import Component

    from gigawatch_dashboards.factory import FactoryState, Telemetry
    from gigawatch_dashboards.surroundings import Site

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


def register(app: Dash, site: Site) -> None:
    """Put the page at its address, keep it up to date, and let its controls write the address."""

    def state(factory_id: str, view: View) -> tuple[FactoryState, str] | None:
        """What there is to show, and the version of the data."""
        if not FACTORY_ID.fullmatch(factory_id):
            return None
        with site.store.snapshot() as connection:
            now, grade = site.now(), site.store.grade(connection)
            found = factory.read(connection, factory_id, view, now, interval=site.interval, grade=grade)
            drawn = version(connection, factory_id, now, site.interval)["version"]
        return None if found is None else (found, drawn)

    def layout(factory_id: str = "", **query: Any) -> Component:
        def build() -> Component:
            found = state(factory_id, View.of(query))
            return frame.not_found() if found is None else page(*found)

        return frame.guarded(build)

    def read(factory_id: str, search: str) -> Parts | None:
        found = state(factory_id, View.of_search(search))
        return parts(found[0], found[0].telemetry) if found and found[0].telemetry else None

    path = links.FACTORY.format(factory="<factory_id>")
    dash.register_page("factory", path_template=path, title=_title, layout=layout)
    keep(app, PARTS, read)

    @app.callback(
        Output({"table": ALL, "of": MATCH}, "children"),
        Input({"show": ALL, "of": MATCH}, "n_clicks"),
        Input(identity("shown", MATCH), "data"),
        State(identity("shown", MATCH), "id"),
        State("address", "search"),
        prevent_initial_call=True,
    )
    def tables(clicks: list[int], _: Any, own: dict[str, str], search: str) -> list[Any]:
        """The tables of the charts that are open: a click opens, the next one closes."""
        if not any(number % 2 for number in clicks):
            raise dash.exceptions.PreventUpdate

        def rows() -> Parts | None:
            found = state(own["of"], View.of_search(search))
            series = found[0].telemetry.series if found and found[0].telemetry else None
            return None if series is None else {chart.key: chart_rows(chart, series) for chart in CHARTS}

        found = or_leave(rows)
        keys = [output["id"]["table"] for output in dash.ctx.outputs_list]
        return [components.table(*found[key]) if number % 2 else None for key, number in zip(keys, clicks, strict=True)]

    app.clientside_callback(
        ClientsideFunction("gigawatch", "address"),
        Output("address", "search"),
        Input("range", "value"),
        Input("colour", "value"),
        State("address", "search"),
        prevent_initial_call=True,
    )


def _title(factory_id: str = "") -> str:
    """The browser's title; an address that names no factory is not repeated."""
    return f"{factory_id}: Gigawatch" if FACTORY_ID.fullmatch(factory_id) else "Gigawatch"


def name(state: FactoryState) -> str:
    """What the factory is called."""
    return state.public.factory.official_name if state.public else words.title(state.factory_id)


def page(state: FactoryState, drawn: str) -> Component:
    """The page with all that it shows; `drawn` is the version of its data."""
    shown = parts(state, state.telemetry) if state.telemetry else {}
    return frame.page(
        [
            html.Nav(link("All factories", links.network(), id="back"), **aria(label="Breadcrumb"), className="crumb"),
            html.Div([*_heading(state), _clock(state, shown) if shown else None], className="heading"),
            *(_observed(state, state.telemetry, shown) if state.telemetry else [_unobserved()]),
            *_public(state),
            *stores(shown, state.factory_id, drawn),
        ],
        grade=state.grade,
        simulated=state.simulated,
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


def _heading(state: FactoryState) -> Children:
    return [
        html.H1(name(state)),
        html.Code(state.factory_id),
        html.Span("simulated", className="badge simulated") if state.simulated else None,
    ]


def _clock(state: FactoryState, shown: Parts) -> Component:
    """The one clock of the page: its range and its moment."""
    moment = html.Div(shown["moment.children"], id=identity("moment", state.factory_id), className="part moment")
    return html.Div([_range(state.view), moment], className="clock")


def _observed(state: FactoryState, telemetry: Telemetry, shown: Parts) -> Children:
    of = state.factory_id
    place = {
        part: html.Div(shown[f"{part}.children"], id=identity(part, of), className="part")
        for part in ("verdict", "tiles", "problems", "alerts", "events", "hall", "nodes")
    }
    charts = [
        components.chart(
            chart,
            of,
            figure=shown[f"{chart.key}-figure.figure"],
            sentence=shown[f"{chart.key}-words.children"],
            csv=shown[f"{chart.key}-csv.href"],
        )
        for chart in CHARTS
    ]
    return [
        place["verdict"],
        html.P(
            words.freshness(telemetry.freshness, live=state.moment.live),
            id="freshness",
            className=f"freshness {telemetry.freshness.state}",
        ),
        place["tiles"],
        html.Div(
            [
                html.Div(
                    [
                        card("What is wrong", [place["problems"]], identity="problems"),
                        card("Open alerts", [place["alerts"]], identity="alerts"),
                    ],
                    className="column",
                ),
                card(
                    "The hall",
                    [_colour(state.view), place["hall"], html.Details([html.Summary("Show as table"), place["nodes"]])],
                    identity="hall",
                ),
            ],
            className="split",
        ),
        card("Events", [place["events"]], identity="events"),
        html.H2("Over time", className="over-time"),
        html.Div(charts, className="charts"),
    ]


def _unobserved() -> Component:
    return html.P(mark("unknown", words.NO_TELEMETRY), className="verdict")


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


def _range(view: View) -> Component:
    data = [{"value": key, "label": found.key.replace("m", " min").replace("h", " h")} for key, found in RANGES.items()]
    return dmc.SegmentedControl(id="range", value=view.range, data=data, size="sm", **aria(label="Time range"))


def _colour(view: View) -> Component:
    data = [{"value": key, "label": label} for key, label in COLOURS.items()]
    return dmc.SegmentedControl(id="colour", value=view.colour, data=data, size="xs", **aria(label="Colour by"))


def _public(state: FactoryState) -> Children:
    if state.public is None:
        return []
    return [card("Public facts", components.public_facts(state.public), identity="facts")]
