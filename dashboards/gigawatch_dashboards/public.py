"""Public facts in HTML: each with its source and its date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dash import html

from gigawatch_dashboards import said
from gigawatch_dashboards.components import Children, aria

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from gigawatch_dashboards.factory import PublicFacts
    from gigawatch_dashboards.queries import registry


def source(fact: registry.Fact, *, brief: bool) -> Component:
    """Who says so. A link leads to it in another tab; nothing of it is fetched before it is clicked."""
    links = [
        html.A(
            said.domain(address) if brief else address,
            href=address,
            target="_blank",
            rel="noopener noreferrer nofollow",
        )
        for address in (fact.source, fact.cites)
        if address and said.is_address(address)
    ]
    told = fact.source if fact.source and not said.is_address(fact.source) and not brief else None
    pieces: Children = [" · " + ", ".join(filter(None, (said.READ.get(fact.read, fact.read), fact.said, told)))]
    for found in links[:1] if brief else links:
        pieces += [", ", found]
    return html.Span(pieces, className="source", title=said.provenance(fact))


def public_facts(found: PublicFacts, *, brief: bool = False) -> Children:
    """What is publicly known of a factory, each fact with its source and date."""
    return [
        html.P([said.selected(found.factory), source(found.factory, brief=brief)], className="lead"),
        html.Ul([_system(system, found, brief=brief) for system in found.systems], className="systems"),
    ]


def _system(system: registry.System, found: PublicFacts, *, brief: bool) -> Component:
    """A machine: what it is, how far it is on the ladder, and every count of accelerators that somebody stated."""
    counts = [
        html.Li(
            [
                html.Span(said.capacity(one), className="number" if one.accelerators is not None else "undisclosed"),
                f" {one.stage}",
                source(one, brief=brief),
            ]
        )
        for one in found.capacities
        if one.system == system.system
    ]
    model = system.accelerator or f"accelerator model {said.NOT_DISCLOSED}"
    return html.Li(
        [
            html.Div([html.Strong(system.system), html.Span(said.status(system), className="stage")]),
            _ladder(system.status),
            html.Div(" · ".join(filter(None, (model, system.vendor))), className="note"),
            html.Ul(
                counts or [html.Li(f"accelerators {said.NOT_DISCLOSED}", className="undisclosed")],
                className="counts",
            ),
        ]
    )


def _ladder(status: str) -> Component:
    """How far a machine is between announced and operational; the words beside it say the same."""
    rung = said.rung(status)
    return html.Div(
        [
            html.Span(className="rung done" if number < rung else "rung", title=stage)
            for number, stage in enumerate(said.STAGES)
        ],
        className="ladder",
        **aria(hidden="true"),
    )
