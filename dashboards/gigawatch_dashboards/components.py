"""The pieces that pages are built of. Plain HTML with the classes of assets/gigawatch.css, dmc where one operates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import dash_mantine_components as dmc
from dash import dcc, get_relative_path, html

from gigawatch_dashboards import words
from gigawatch_dashboards.figures import HEIGHT as CHART_HEIGHT
from gigawatch_dashboards.parts import dom_id, identity
from gigawatch_dashboards.units import MISSING, clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dash.development.base_component import Component

    from gigawatch_dashboards.charts import Chart
    from gigawatch_dashboards.condition import Problem
    from gigawatch_dashboards.queries.factory import Happened, OpenAlert

Children = list[Any]
PROBLEMS: Final = 30
"""At most so many are listed: more are not read."""


def aria(**words: str) -> dict[str, Any]:
    """Attributes for assistive technology: `aria(label="…")`."""
    return {f"aria-{name}": value for name, value in words.items()}


def link(children: Any, href: str, **attributes: Any) -> Component:
    """A link to a page of ours, whatever path the site is served under."""
    return dcc.Link(children, href=get_relative_path(href), **attributes)


def banner(kind: str, text: str) -> Component:
    """A band across the page that says what must not be missed."""
    return html.Div([html.Span(className="mark", **aria(hidden="true")), html.P(text)], className=f"banner {kind}")


def mark(kind: str, text: str) -> Component:
    """A state: shape, colour and word together, so that none of them is needed alone."""
    return html.Span([html.Span(className="shape", **aria(hidden="true")), text], className=f"state {kind}")


def tile(label: str, value: str, note: str, *, why_missing: str = "") -> Component:
    """One figure with its name; a missing one is a dash that says why."""
    title: dict[str, Any] = {"title": why_missing} if value == MISSING and why_missing else {}
    return html.Div(
        [html.Dt(label), html.Dd([html.Strong(value, **title), html.Span(note, className="note")])], className="tile"
    )


def card(title: str, children: Children, *, identity: str, class_name: str = "") -> Component:
    """A part of a page with a heading."""
    heading = f"{identity}-title"
    return html.Section(
        [html.H2(title, id=heading), *children], className=f"card {class_name}", **aria(labelledby=heading)
    )


def chart(found: Chart, of: str, *, figure: Any, sentence: str, csv: str) -> Component:
    """A chart of the page `of` with its sentence, its table on demand and its CSV."""
    heading, text = f"{found.key}-title", dom_id(f"{found.key}-words", of)
    graph = dcc.Graph(
        id=identity(f"{found.key}-figure", of),
        figure=figure,
        config={"displayModeBar": False, "responsive": True, "showTips": False},
        style={"height": f"{CHART_HEIGHT}px"},
    )
    details = html.Details(
        [
            html.Summary("Show as table", id={"show": found.key, "of": of}, n_clicks=0),
            html.Div(id={"table": found.key, "of": of}),
        ]
    )
    download = html.A("CSV", id=identity(f"{found.key}-csv", of), href=csv, download="", title=f"{found.title} as CSV")
    return html.Section(
        [
            html.H3(found.title, id=heading),
            html.P(sentence, id=identity(f"{found.key}-words", of), className="sentence"),
            html.Div(graph, role="img", **aria(labelledby=heading, describedby=text)),
            html.P(found.about, className="note"),
            html.Div([details, download], className="chart-foot"),
        ],
        className="card chart",
        **aria(labelledby=heading),
    )


def table(caption: str, head: Sequence[str], body: Sequence[Sequence[Any]]) -> Component:
    """A table that scrolls within itself, and by keyboard."""
    return html.Div(
        dmc.Table(
            data={"caption": caption, "head": list(head), "body": [list(row) for row in body]},
            striped=True,
            withTableBorder=False,
            fz="sm",
        ),
        className="scroll",
        role="region",
        tabIndex="0",
        **aria(label=caption),
    )


def problem_list(found: Sequence[Problem], now: datetime, marked_node: str | None) -> Component:
    """What is wrong, gravest first."""
    items: Children = []
    for problem in found[:PROBLEMS]:
        title, text = words.problem(problem, now)
        marked = marked_node is not None and problem.host_name == marked_node
        items.append(
            html.Li(
                [mark(problem.severity, title), html.Span(text, className="note")],
                className="marked" if marked else "",
                **(aria(current="true") if marked else {}),
            )
        )
    if len(found) > PROBLEMS:
        items.append(
            html.Li(f"and {len(found) - PROBLEMS} more; the table of the hall has all nodes", className="note")
        )
    return html.Ul(items, className="list")


def event_list(found: Sequence[Happened], now: datetime, marked: str | None, hrefs: Sequence[str]) -> Component:
    """Events, newest first; each links to itself at its moment."""
    items: Children = []
    for event, href in zip(found, hrefs, strict=True):
        title, text = words.event(event)
        here = event.event_id == marked
        items.append(
            html.Li(
                [
                    link(clock(event.time, now), href, id=f"event-{event.event_id}", className="time"),
                    mark(words.severity(event.severity_number), title),
                    html.Span(words.place(event), className="where"),
                    html.Span(text, className="note"),
                ],
                className="marked" if here else "",
                **(aria(current="true") if here else {}),
            )
        )
    return html.Ul(items, className="list events")


def alert_list(found: Sequence[OpenAlert], now: datetime) -> Component:
    """Open alerts by rule, the one that fired last first: sixty-four of one kind are one line."""
    rules: dict[str, list[OpenAlert]] = {}
    for alert in found:
        rules.setdefault(alert.rule, []).append(alert)
    return html.Ul(
        [
            html.Li(
                [
                    mark(
                        alerts[0].severity if alerts[0].severity in {"critical", "warning"} else "info",
                        words.rule(alerts),
                    ),
                    html.Span(words.alert(alerts[0], now), className="note"),
                ]
            )
            for alerts in rules.values()
        ],
        className="list",
    )
