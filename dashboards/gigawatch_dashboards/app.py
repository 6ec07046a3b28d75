"""The application: the frame around the pages, the routes beside them, and the headers of every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash
import dash_mantine_components as dmc
from dash import Dash, dcc, html

from gigawatch_contract import links
from gigawatch_dashboards import components, routes
from gigawatch_dashboards.components import aria
from gigawatch_dashboards.pages import factory, frame, network

if TYPE_CHECKING:
    from flask import Flask, Response

    from gigawatch_dashboards.surroundings import Site

YEAR_S = 365 * 24 * 3600

INDEX = """<!DOCTYPE html>
<html lang="en">
  <head>
    {%metas%}
    <title>{%title%}</title>
    <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%23143a8c'/%3E%3Cpath d='M5 19h5l3-9 5 14 4-9h5' fill='none' stroke='%23ffd617' stroke-width='3' stroke-linejoin='round' stroke-linecap='round'/%3E%3C/svg%3E">
    <script src="SCHEME"></script>
    {%css%}
  </head>
  <body>
    <noscript>Gigawatch draws its pages in the browser: allow scripts from this address. Nothing is loaded from elsewhere.</noscript>
    {%app_entry%}
    {%config%}
    {%scripts%}
    {%renderer%}
  </body>
</html>"""

THEME: Any = {
    "primaryColor": "blue",
    "fontFamily": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
    "respectReducedMotion": True,
    "autoContrast": True,
}


def create(site: Site) -> Dash:
    """The application for one site; its WSGI callable is `.server`."""
    app = Dash(
        "gigawatch_dashboards",
        use_pages=True,
        pages_folder="",
        serve_locally=True,
        compress=True,
        suppress_callback_exceptions=True,  # a page's parts are there only while the page is
        include_pages_meta=False,  # it would repeat the address, which anyone can write, in the document
        title="Gigawatch",
        update_title="",
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.layout = _shell
    network.register(app, site)
    factory.register(app, site)
    dash.register_page("not_found_404", path="/not-found", title="Gigawatch", layout=lambda **_: frame.not_found())
    app.index_string = INDEX.replace("SCHEME", app.get_asset_url("scheme.js"))
    server: Flask = app.server
    server.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR_S  # the address of an asset has its time in it
    routes.register(server, site)
    _harden(server, app)
    return app


def _shell() -> dmc.MantineProvider:
    """What surrounds every page."""
    return dmc.MantineProvider(
        [
            html.A("Skip to the content", href="#content", className="skip"),
            html.Header(
                [
                    components.link(
                        [html.Span(className="logo", **aria(hidden="true")), "Gigawatch"],
                        links.network(),
                        className="brand",
                    ),
                    html.Nav([components.link("Network", links.network(), className="nav")], **aria(label="Main")),
                    html.Span("Times are UTC", className="zone"),
                    html.Button("Light or dark", id="scheme", className="button", type="button", n_clicks=0),
                ],
                className="top",
            ),
            html.Div(id="connection", role="status", className="connection"),
            html.Main(dash.page_container, id="content", tabIndex="-1"),
            html.Footer(
                "Gigawatch shows what was promised, what is there and what the machines do. What is missing is shown as "
                "missing, never as zero.",
                className="foot",
            ),
            dcc.Location(id="address", refresh=False),
        ],
        theme=THEME,
        defaultColorScheme="auto",
    )


def _harden(server: Flask, app: Dash) -> None:
    """Headers for every answer: nothing from elsewhere runs here, and nobody frames or sniffs us.

    Styles may be inline: Mantine and Plotly write them. Scripts may not.
    """

    @server.after_request
    def headers(response: Response) -> Response:
        hashes = " ".join(app.csp_hashes())  # Dash adds a script of its own with the first request
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "geolocation=(), camera=(), microphone=()"
        return response
