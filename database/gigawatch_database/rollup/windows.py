"""The spans of time that must fit together, or data would be lost without a word. The check is pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gigawatch_contract.errors import ConfigurationError
from gigawatch_database.rollup.levels import LEVELS, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psycopg


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """How old data may be at each step. `kept` is by table; None is for ever."""

    spool: timedelta
    """How long an exporter keeps what it could not send."""
    accept: timedelta
    """How old a sample the collector takes."""
    compress_after: timedelta
    """Community: how old a chunk is when it goes into the columnstore."""
    repair: timedelta
    """How far back late data changes rollups."""
    delay: timedelta
    """How long after its end a bucket is computed."""
    kept: Mapping[str, timedelta | None]


def read(connection: psycopg.Connection) -> Windows:
    """The windows of a database, the same for every process."""
    row = connection.execute("SELECT spool, accept, compress_after, repair, delay FROM storage_window").fetchone()
    assert row is not None  # the schema puts it there
    spool, accept, compress_after, repair, delay = row
    kept = dict(connection.execute("SELECT level, kept FROM storage_level").fetchall())
    return Windows(spool=spool, accept=accept, compress_after=compress_after, repair=repair, delay=delay, kept=kept)


def check(windows: Windows) -> None:
    """Return when the windows fit together.

    Raises:
        ConfigurationError: they do not; every objection is named, with what it would lose.
    """
    found = list(objections(windows))
    if found:
        raise ConfigurationError("; ".join(found))


def objections(windows: Windows) -> Iterator[str]:
    """What does not fit, in words that name both spans and the harm."""
    yield from _at_least("accept", windows.accept, "spool", windows.spool, "a node's spool would be refused")
    yield from _at_least(
        "compress_after", windows.compress_after, "accept", windows.accept, "late samples would meet compressed chunks"
    )
    yield from _longer("repair", windows.repair, "accept", windows.accept, "late samples would not reach the rollups")
    if windows.delay < timedelta(0):
        yield f"delay = {words(windows.delay)} must not be negative"
    for level in LEVELS:
        kept = windows.kept[level.source]
        if kept is not None:
            yield from _longer(
                f"kept of {level.source}",
                kept,
                f"repair, a bucket of {level.name} and its delay",
                windows.repair + level.width + windows.delay,
                f"{level.name} would be computed from what is already dropped",
            )
        own = windows.kept[level.table]
        if own is not None and kept is not None and own < kept and level.source == SAMPLES:
            yield f"kept of {level.table} = {words(own)} is less than that of the samples it stands for, {words(kept)}"


def words(span: timedelta | None) -> str:
    """A span for a person: 30 days, 26 h, 90 s; None is for ever."""
    if span is None:
        return "for ever"
    for unit, width in (("days", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if span >= 2 * width and not span % width:
            return f"{span // width} {unit}"
    return f"{span.total_seconds():g} s"


def _at_least(name: str, span: timedelta, other: str, least: timedelta, harm: str) -> Iterator[str]:
    if span < least:
        yield f"{name} = {words(span)} must be at least {other} = {words(least)}: {harm}"


def _longer(name: str, span: timedelta, other: str, least: timedelta, harm: str) -> Iterator[str]:
    if span <= least:
        yield f"{name} = {words(span)} must be more than {other} = {words(least)}: {harm}"
