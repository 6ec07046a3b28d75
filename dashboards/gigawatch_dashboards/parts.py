"""The parts of a page that change while it is open, and how they are kept up to date.

A part is named `id.property` and belongs to a page (a factory's id, or "network"): its component's id holds both, so that
an answer that comes late can never land on another page. A page's first layout and its updates come from one mapping of
parts; an update sends only what changed, so that what a person reads, selects or has focused stays in place.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import dash
from dash import MATCH, Input, Output, State, dcc, html
from plotly.io.json import to_json_plotly

from gigawatch_contract.errors import Unavailable
from gigawatch_dashboards.store import TooSlow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dash import Dash
    from dash.development.base_component import Component

Parts = dict[str, Any]


def identity(name: str, of: Any) -> dict[str, Any]:
    """The id of a component that shows a part of the page `of`."""
    return {"part": name, "of": of}


def dom_id(name: str, of: str) -> str:
    """The same id as the browser's document has it, for labels that point to it."""
    return f'{{"of":"{of}","part":"{name}"}}'


def stores(parts: Mapping[str, Any], of: str, version: str, *, live: bool) -> list[Component]:
    """What a page must hold to be kept up to date: what it shows, of which version of the data, and whether of now."""
    drawn: dict[str, Any] = {"data-of": of, "data-version": version}  # for assets/live.js, which cannot read a store
    drawn |= {"data-live": ""} if live else {}
    return [
        dcc.Store(id=identity("version", of), data=version),
        dcc.Store(id=identity("shown", of), data=digests(parts)),
        html.Div(id="drawn", hidden=True, **drawn),
    ]


def keep(app: Dash, names: Sequence[str], read: Callable[[str, str], Parts | None]) -> None:
    """Keep the parts `names` of the pages that have them up to date.

    `read` is given the page and the address's search, and returns all parts in the order of `names`, or None if there
    is nothing to show any more. It runs when the data's version changes, and when the address does.
    """

    @app.callback(
        *(Output(identity(name.split(".")[0], MATCH), name.split(".")[1]) for name in names),
        Output(identity("shown", MATCH), "data"),
        Input(identity("version", MATCH), "data"),
        Input("address", "search"),
        State(identity("version", MATCH), "id"),
        State(identity("shown", MATCH), "data"),
        prevent_initial_call=True,
    )
    def update(_: str, search: str, own: dict[str, str], shown: dict[str, str]) -> list[Any]:
        try:
            values, now = changed(or_leave(lambda: read(own["of"], search)), shown)
        except TooSlow as error:
            dash.set_props("connection", {"children": f"Not updated: {error}. Choose a shorter time range."})
            return [dash.no_update] * (len(names) + 1)
        dash.set_props("connection", {"children": ""})
        return [*values, now]


def or_leave(read: Callable[[], Parts | None]) -> Parts:
    """What is read; where there is nothing, or the database is away, the page is left as it is (and says so itself)."""
    try:
        found = read()
    except TooSlow:
        raise
    except Unavailable:
        found = None
    if found is None:
        raise dash.exceptions.PreventUpdate
    return found


def digests(parts: Mapping[str, Any]) -> dict[str, str]:
    """A short digest of what each part shows; the browser keeps them and sends them back."""
    return {
        name: hashlib.blake2b(str(to_json_plotly(value)).encode(), digest_size=8).hexdigest()
        for name, value in parts.items()
    }


def changed(parts: Mapping[str, Any], shown: Mapping[str, str]) -> tuple[list[Any], dict[str, str]]:
    """The values of all parts in order, those that the browser shows already left alone, and the new digests."""
    now = digests(parts)
    return [dash.no_update if shown.get(name) == now[name] else value for name, value in parts.items()], now
