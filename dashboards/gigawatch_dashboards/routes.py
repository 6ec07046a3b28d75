"""What is served beside the pages: health, the version of the data, CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, abort, jsonify, request

from gigawatch_contract.errors import Unavailable
from gigawatch_contract.resource import FACTORY_ID
from gigawatch_dashboards import export, factory
from gigawatch_dashboards.charts import BY_KEY
from gigawatch_dashboards.version import page_of, version
from gigawatch_dashboards.view import View
from gigawatch_database.grade import TITLES

if TYPE_CHECKING:
    from flask import Flask

    from gigawatch_dashboards.surroundings import Site


def register(server: Flask, site: Site) -> None:
    """Add the routes."""

    @server.get("/healthz")
    def healthz() -> Response:
        """The process serves."""
        return jsonify(status="ok")

    @server.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """The process serves, and the database answers."""
        try:
            with site.store.snapshot() as connection:
                return jsonify(status="ok", grade=site.store.grade(connection)), 200
        except Unavailable as error:
            return jsonify(status="unavailable", reason=str(error)), 503

    @server.get("/version")
    def current() -> tuple[Response, int]:
        """The version of what the page at `?path=` shows."""
        of = page_of(request.args.get("path", ""))
        if of is None:
            return jsonify(), 200
        try:
            with site.store.snapshot() as connection:
                answer = version(connection, of, site.now(), site.interval)
        except Unavailable as error:
            return jsonify(reason=str(error)), 503
        response = jsonify(answer)
        response.headers["Cache-Control"] = "no-store"
        return response, 200

    @server.get("/export/factory/<factory_id>/<key>.csv")
    def csv(factory_id: str, key: str) -> Response:
        """The figures of a chart, for the range and the moment of the query."""
        chart = BY_KEY.get(key)
        if chart is None or not FACTORY_ID.fullmatch(factory_id):
            abort(404)
        view, now = View.of(request.args), site.now()
        try:
            with site.store.snapshot() as connection:
                series = factory.series_of(connection, factory_id, view, now, site.interval)
                grade = TITLES[site.store.grade(connection)]
        except Unavailable as error:
            return Response(f"{error}\n", status=503, mimetype="text/plain")
        found: Any = "".join(export.rows(factory_id, chart, series, grade=grade, now=now))
        name = export.filename(factory_id, chart, series)
        return Response(found, mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})
