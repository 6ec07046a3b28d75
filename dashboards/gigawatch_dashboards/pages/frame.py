"""What all pages share: banners, and what stands in a page's place when it cannot be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dash import html

from gigawatch_contract import links
from gigawatch_contract.errors import Unavailable
from gigawatch_dashboards import words
from gigawatch_dashboards.components import Children, banner, link
from gigawatch_dashboards.store import TooSlow

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash.development.base_component import Component

    from gigawatch_database.grade import Grade


def page(content: Children, *, grade: Grade, simulated: bool = False) -> Component:
    """A page under the banners that it must carry."""
    banners = [
        banner("simulated", words.SIMULATED) if simulated else None,
        banner("plain", words.PLAIN) if grade == "plain" else None,
    ]
    return html.Div([*banners, html.Div(content, className="page")])


def guarded(build: Callable[[], Component]) -> Component:
    """A page, or a word of why there is none; the live check brings the page back (assets/live.js)."""
    try:
        return build()
    except TooSlow as error:
        return html.Div(
            [
                html.H1("This takes too long"),
                html.P(f"{words.sentence(str(error))}. Choose a shorter time range.", className="lead"),
                link("All factories", links.network()),
            ],
            className="page",
        )
    except Unavailable as error:
        return html.Div(
            [
                html.H1("The database does not answer"),
                html.P(f"{words.sentence(str(error))}. This page comes back by itself when it does.", className="lead"),
            ],
            id="unavailable",
            className="page",
        )


def not_found() -> Component:
    """What stands at an address that names nothing."""
    return html.Div(
        [
            html.H1("There is nothing here"),
            html.P(
                ["No factory and no page has this address. ", link("All factories", links.network())], className="lead"
            ),
        ],
        className="page",
    )
