"""The page of one factory: what is wrong now, is the data fresh, what it does over time, what is publicly known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash
import dash_mantine_components as dmc
from dash import ALL, MATCH, ClientsideFunction, Input, Output, State, html

from gigawatch_contract import links
from gigawatch_contract.resource import FACTORY_ID
from gigawatch_dashboards import components, factory, words
from gigawatch_dashboards.charts import CHARTS
from gigawatch_dashboards.components import Children, aria, card, link, mark
from gigawatch_dashboards.pages import frame
from gigawatch_dashboards.pages.factory_parts import PARTS, parts
from gigawatch_dashboards.parts import Parts, identity, keep, or_leave, stores
from gigawatch_dashboards.public import public_facts
from gigawatch_dashboards.store import TooSlow
from gigawatch_dashboards.tables import chart_rows
from gigawatch_dashboards.version import version
from gigawatch_dashboards.view import COLOURS, RANGES, View

if TYPE_CHECKING:
    from dash import Dash
    from dash.development.base_component import Component

    from gigawatch_dashboards.factory import FactoryState, Telemetry
    from gigawatch_dashboards.surroundings import Site


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
            if not FACTORY_ID.fullmatch(own["of"]):
                return None
            with site.store.snapshot() as connection:
                view = View.of_search(search)
                series = factory.series_of(connection, own["of"], view, site.now(), site.interval)
            return {chart.key: chart_rows(chart, series) for chart in CHARTS}

        try:
            found = or_leave(rows)
        except TooSlow:  # the page says so for its charts
            raise dash.exceptions.PreventUpdate from None
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
            *stores(shown, state.factory_id, drawn, live=state.moment.live),
        ],
        grade=state.grade,
        simulated=state.simulated,
    )


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


def _range(view: View) -> Component:
    data = [{"value": key, "label": found.key.replace("m", " min").replace("h", " h")} for key, found in RANGES.items()]
    return dmc.SegmentedControl(id="range", value=view.range, data=data, size="sm", **aria(label="Time range"))


def _colour(view: View) -> Component:
    data = [{"value": key, "label": label} for key, label in COLOURS.items()]
    return dmc.SegmentedControl(id="colour", value=view.colour, data=data, size="xs", **aria(label="Colour by"))


def _public(state: FactoryState) -> Children:
    if state.public is None:
        return []
    return [card("Public facts", public_facts(state.public), identity="facts")]
