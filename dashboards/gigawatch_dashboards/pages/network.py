"""The page of all factories: what telemetry says now, and what is publicly known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash
from dash import html

from gigawatch_contract import links
from gigawatch_dashboards import network, said, words
from gigawatch_dashboards.components import Children, card, link, mark, tile
from gigawatch_dashboards.pages import frame
from gigawatch_dashboards.parts import Parts, identity, keep, stores
from gigawatch_dashboards.public import public_facts
from gigawatch_dashboards.units import MISSING, count, quantity
from gigawatch_dashboards.version import NETWORK, version

if TYPE_CHECKING:
    from dash import Dash
    from dash.development.base_component import Component

    from gigawatch_dashboards.factory import PublicFacts
    from gigawatch_dashboards.network import LiveFactory, NetworkState
    from gigawatch_dashboards.surroundings import Site

PARTS = ("lead.children", "live.children", "public.children")


def register(app: Dash, site: Site) -> None:
    """Put the page at its address, and keep it up to date."""

    def layout(**_: Any) -> Component:
        def build() -> Component:
            with site.store.snapshot() as connection:
                state = network.read(connection, site.now(), site.interval, site.store.grade(connection))
                return page(state, version(connection, NETWORK, site.now(), site.interval)["version"])

        return frame.guarded(build)

    def read(_: str, __: str) -> Parts:
        with site.store.snapshot() as connection:
            return parts(network.read(connection, site.now(), site.interval, site.store.grade(connection)))

    dash.register_page("network", path=links.NETWORK, title="Network: Gigawatch", layout=layout)
    keep(app, PARTS, read)


def page(state: NetworkState, drawn: str) -> Component:
    """The page with all that it shows; `drawn` is the version of its data."""
    shown = parts(state)
    lead, live, public = (
        html.Div(value, id=identity(name.partition(".")[0], NETWORK)) for name, value in shown.items()
    )
    return frame.page(
        [
            html.H1("AI factories of Europe"),
            lead,
            live,
            card("Public facts", [public], identity="public", class_name="bare"),
            *stores(shown, NETWORK, drawn, live=True),
        ],
        grade=state.grade,
    )


def parts(state: NetworkState) -> Parts:
    """What the page shows, by part."""
    return dict(zip(PARTS, (_lead(state), _live(state), _public(state)), strict=True))


def _lead(state: NetworkState) -> Children:
    connected = _connected(state)
    systems = [system for facts in state.public for system in facts.systems]
    capacities = [capacity for facts in state.public for capacity in facts.capacities]
    countries = {facts.factory.country for facts in state.public}
    real = sum(facts.factory.factory_id in connected for facts in state.public)
    return [
        html.Dl(
            [
                tile("AI factories", count(len(state.public)), f"in {count(len(countries))} countries"),
                tile("Telemetry connected", count(real), f"of {count(len(state.public))} factories"),
                tile("Systems", count(len(systems)), "existing, contracted, announced"),
                tile(
                    "Accelerators not disclosed",
                    count(said.undisclosed(systems, capacities)),
                    f"of {count(len(systems))} systems: no public count",
                ),
            ],
            className="tiles",
        )
    ]


def _connected(state: NetworkState) -> set[str]:
    """The factories that have sent telemetry."""
    return {one.factory_id for one in state.live if one.freshness.newest}


def _live(state: NetworkState) -> Children:
    if not state.live:
        return [html.P("No factory sends telemetry to this Gigawatch yet.", className="empty")]
    names = {facts.factory.factory_id: facts.factory.official_name for facts in state.public}
    cards: Children = []
    for one in state.live:
        cards.append(_live_card(one, names.get(one.factory_id) or words.title(one.factory_id)))
    return [
        card(
            "Live now",
            [
                html.P(words.fictional(sum(one.simulated for one in state.live)), className="note"),
                html.Ul(cards, className="cards live"),
            ],
            identity="live",
            class_name="bare",
        ),
    ]


def _live_card(one: LiveFactory, title: str) -> Component:
    reading = one.reading if one.freshness.state in {"fresh", "late"} else None
    expected = one.expected.accelerators if one.expected else None
    kind, sentence = words.live_verdict(one)
    identity = f"live-{one.factory_id}"
    return html.Li(
        [
            html.H3(link(title, links.factory(one.factory_id), id=identity)),
            html.Span("simulated", className="badge simulated") if one.simulated else None,
            html.P(mark(kind, sentence), className="verdict-line"),
            html.Dl(
                [
                    _figure(
                        "Accelerators",
                        count(reading.answering if reading else None),
                        f"of {count(expected)} expected" if expected is not None else "expected: not known",
                    ),
                    _figure("Utilisation", quantity(reading.utilization if reading else None, "1"), "mean now"),
                    _figure("Power", quantity(reading.power if reading else None, "W"), "accelerators"),
                ],
                className="figures",
            ),
            html.P(words.fresh_as_of(one.freshness), className="note"),
        ],
        className=f"item {kind}",
    )


def _figure(label: str, value: str, note: str) -> Component:
    title: dict[str, Any] = {"title": "no reading within the last minute"} if value == MISSING else {}
    return html.Div([html.Dt(label), html.Dd([html.Strong(value, **title), html.Span(note, className="note")])])


def _public(state: NetworkState) -> Children:
    if not state.public:
        return [
            html.P(
                ["The registry is empty. Run ", html.Code("gigawatch programme import"), " to fill it."],
                className="empty",
            )
        ]
    connected = _connected(state)
    ordered = sorted(state.public, key=lambda one: (said.country(one.factory.country), one.factory.official_name))
    return [
        html.P(said.PUBLIC, className="note"),
        html.Ul(
            [_public_card(facts, connected=facts.factory.factory_id in connected) for facts in ordered],
            className="cards public",
        ),
    ]


def _public_card(facts: PublicFacts, *, connected: bool) -> Component:
    factory = facts.factory
    return html.Li(
        [
            html.Div(said.country(factory.country), className="country"),
            html.H3(link(factory.official_name, links.factory(factory.factory_id), id=f"of-{factory.factory_id}")),
            html.Span("Telemetry connected" if connected else words.NO_TELEMETRY, className="badge"),
            *public_facts(facts, brief=True),
        ],
        className="item",
    )
