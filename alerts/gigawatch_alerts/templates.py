"""The text of labels and annotations: `{{ $labels.node }}`, `{{ $value | humanize }}`, `{{ link }}`.

The forms that Prometheus rule files use most, each checked when the file is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_TAG: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL: Final = re.compile(r"\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)")
FORMS: Final = "{{ $labels.NAME }}, {{ $value }}, {{ $value | FUNCTION }}, {{ $activeAt }} or {{ link }}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What a template may speak of."""

    labels: Mapping[str, str]
    value: float | None
    active_since: datetime
    link: str


Part = Callable[[Scope], str]


@dataclass(frozen=True, slots=True)
class Template:
    """A text with its tags understood; `labels` are those it names."""

    source: str
    parts: tuple[str | Part, ...]
    labels: frozenset[str]
    varies: bool
    """It speaks of what differs between two evaluations of the same alert: not fit for a label."""

    def render(self, scope: Scope) -> str:
        """The text for one alert; a label that the alert lacks is empty, as in Prometheus."""
        return "".join(part if isinstance(part, str) else part(scope) for part in self.parts)


def moment(time: datetime) -> str:
    """A time as text: UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def humanize(value: float) -> str:
    """Four digits and the SI prefix: 1234567 is `1.235M`."""
    magnitude = abs(value)
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if magnitude >= factor:
            return f"{value / factor:.4g}{prefix}"
    return f"{value:.4g}"


def humanize_duration(seconds: float) -> str:
    """Seconds as `1d 2h 3m 4s`; under a second, as it is."""
    if abs(seconds) < 1:
        return f"{seconds:.4g}s"
    left, words = round(abs(seconds)), list[str]()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if left >= size:
            words.append(f"{left // size}{unit}")
            left %= size
    return ("-" if seconds < 0 else "") + " ".join(words)


FUNCTIONS: Final[dict[str, Callable[[float], str]]] = {
    "humanize": humanize,
    "humanizePercentage": lambda value: f"{value * 100:.4g}%",
    "humanizeDuration": humanize_duration,
}


def parse(source: str) -> Template:
    """The template that `source` writes.

    Raises:
        ValueError: a tag is not one that we know, or is not closed.
    """
    parts: list[str | Part] = []
    labels: set[str] = set()
    varies = False
    end = 0
    for tag in _TAG.finditer(source):
        parts.append(_plain(source[end : tag.start()]))
        end = tag.end()
        words = " ".join(tag[1].split())
        if label := _LABEL.fullmatch(words):
            labels.add(label[1])
            parts.append(_label(label[1]))
        else:
            parts.append(_part(words))
            varies = True
    parts.append(_plain(source[end:]))
    return Template(source, tuple(part for part in parts if part != ""), frozenset(labels), varies)


def _plain(text: str) -> str:
    for brace in ("{{", "}}"):
        if brace in text:
            raise ValueError(f"{brace} without its other half")
    return text


def _label(name: str) -> Part:
    return lambda scope: scope.labels.get(name, "")


def _part(words: str) -> Part:
    expression, _, function = (word.strip() for word in words.partition("|"))
    if expression == "$value":
        if not function:
            return lambda scope: _number(scope.value, "{:.6g}".format)
        if function in FUNCTIONS:
            return lambda scope: _number(scope.value, FUNCTIONS[function])
        raise ValueError(f"{{{{ {words} }}}}: no function {function!r}; there are {', '.join(FUNCTIONS)}")
    if words == "$activeAt":
        return lambda scope: moment(scope.active_since)
    if words == "link":
        return lambda scope: scope.link
    raise ValueError(f"{{{{ {words} }}}} is not understood; write {FORMS}")


def _number(value: float | None, form: Callable[[float], str]) -> str:
    return "unknown" if value is None else form(value)
