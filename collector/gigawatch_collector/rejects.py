"""Why points are rejected, and the sentence of a partial success that tells their sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gigawatch_collector.batch import Batch

REASONS: Final = {
    "factory": "the resource does not say which factory it belongs to, or may not",
    "resource": "an attribute of the resource is not as it must be",
    "too_old": "time_unix_nano is before the accept window",
    "in_future": "time_unix_nano is more than 5 minutes ahead of the collector's clock",
    "no_time": "time_unix_nano is 0",
    "no_value": "the point has no value",
    "temporality": "aggregation_temporality is UNSPECIFIED",
    "too_long": "a name, unit, attribute or array is longer than allowed",
    "malformed": "a histogram's bucket counts do not fit its bounds",
    "no_event_name": "a log record without event_name is no event; plain logs are not stored",
    "series_limit": "the factory has as many series outside the contract as it may",
    "node_limit": "the factory has as many nodes as it may (the collector's node_limit), and this one is new",
    "accelerator_limit": "the factory has as many accelerators as it may (the collector's accelerator_limit)",
    "poison": "the database refuses a value of the request; the collector's log says which",
}
MESSAGE_LIMIT: Final = 1000
"""Characters of an error_message: far below the 4 MiB that OTLP allows for an answer."""


def message(batch: Batch, rejected: Mapping[str, int], noun: str) -> str:
    """One English message for the sender; empty when there is nothing to say."""
    total = sum(rejected.values())
    parts: list[str] = []
    if total:
        reasons = "; ".join(f"{count} {reason}: {REASONS[reason]}" for reason, count in sorted(rejected.items()))
        parts.append(f"{total} of {batch.points} {noun} rejected ({reasons})")
    return shorten([*parts, *batch.details])


def shorten(sentences: Sequence[str]) -> str:
    """Sentences joined, bounded in length."""
    text = ". ".join(sentences)
    return text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 1]}…"
