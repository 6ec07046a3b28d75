"""Asks the demo's pages as a browser does: the document, then the content that Dash fetches for the address."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from gigawatch.demo.report import PageAnswer
from gigawatch_contract import links

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S: Final = 30
LOCATION: Final = "_pages_location"
"""The component of Dash Pages whose address decides what is shown."""


def ask(base: str, factories: Sequence[str]) -> tuple[PageAnswer, ...]:
    """The network's page and the page of each factory that reports: each must name the factories and draw something."""
    found = [_ask(base, links.network(), factories)]
    found += [_ask(base, links.factory(factory), [factory]) for factory in factories]
    return tuple(found)


def _ask(base: str, path: str, named: Sequence[str]) -> PageAnswer:
    start = time.monotonic()
    try:
        _fetch(f"{base}{path}")
        problem = _problem(json.dumps(content(base, path)), named)
    except (OSError, ValueError, LookupError) as error:
        problem = f"{type(error).__name__}: {error}"
    return PageAnswer(path=path, seconds=round(time.monotonic() - start, 3), problem=problem)


def _problem(shown: str, named: Sequence[str]) -> str | None:
    """What is wrong with a page's content, or None."""
    missing = [factory for factory in named if factory not in shown]
    if missing:
        return f"it does not name {', '.join(missing)}"
    if '"id": "unavailable"' in shown:
        return "it says that the database does not answer"
    return None


def content(base: str, path: str) -> Any:
    """What Dash shows at a path: the answer of the callback that turns the address into a page."""
    callbacks = json.loads(_fetch(f"{base}/_dash-dependencies"))
    callback = next(one for one in callbacks if any(given["id"] == LOCATION for given in one["inputs"]))
    values = {"pathname": path, "search": ""}
    asked = {
        "output": callback["output"],
        "outputs": _outputs(callback["output"]),
        "inputs": [{**given, "value": values.get(given["property"], "")} for given in callback["inputs"]],
        "state": [{**given, "value": None} for given in callback.get("state", [])],
        "changedPropIds": [f"{LOCATION}.pathname"],
    }
    return json.loads(_fetch(f"{base}/_dash-update-component", json.dumps(asked).encode()))


def _outputs(output: str) -> list[dict[str, str]]:
    """Dash writes several outputs as `..a.x...b.y..`."""
    names = output.removeprefix("..").removesuffix("..").split("...")
    return [{"id": name.rpartition(".")[0], "property": name.rpartition(".")[2]} for name in names]


def _fetch(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        return answer.read()
