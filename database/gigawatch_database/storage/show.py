"""A survey for a person, for a program, and for Prometheus. Pure."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from gigawatch_database.grade import TITLES
from gigawatch_database.rollup.windows import words
from gigawatch_database.storage import forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gigawatch_database.storage.survey import Survey, Table

METRICS: Final[tuple[tuple[str, str, Callable[[Table], float | None]], ...]] = (
    ("size_bytes", "Bytes on disk, indexes included.", lambda table: table.bytes),
    ("index_bytes", "Bytes of indexes.", lambda table: table.index_bytes),
    ("rows", "Rows; estimated where there are many.", lambda table: table.rows),
    ("rows_per_day", "Rows that come in a day, at the present rate.", lambda table: table.rows_per_day),
    ("bytes_per_point", "Bytes for one value that is not NULL.", lambda table: table.bytes_per_point),
    ("kept_seconds", "How long rows are kept; absent: for ever.", lambda table: _seconds(table.kept)),
    ("lag_seconds", "From the level's watermark to now.", lambda table: _seconds(table.lag)),
    ("refresh_seconds", "What the last bucket took to compute.", lambda table: _seconds(table.duration)),
    ("uncompressed_bytes", "What is compressed took before.", lambda table: table.uncompressed_bytes),
    ("compressed_bytes", "What is compressed takes now.", lambda table: table.compressed_bytes),
)


def as_text(found: Survey) -> str:
    """A table, and what follows from it, in sentences."""
    head = ("level", "kept", "rows", "size", "of it index", "B/point", "rows/day", "lag", "last took")
    rows = [head, *(_cells(table) for table in found.tables)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join((*lines, "", *_sentences(found)))


def as_json(found: Survey) -> str:
    """Everything, with derived figures; spans in seconds, times in ISO 8601."""
    tables = [
        {
            **dataclasses.asdict(table),
            "bytes_per_row": table.bytes_per_row,
            "bytes_per_point": table.bytes_per_point,
            "bytes_per_day": table.bytes_per_day,
        }
        for table in found.tables
    ]
    whole = {**dataclasses.asdict(found), "tables": tables, "disk_lasts": _disk_lasts(found)}
    return json.dumps(whole, default=_plain, indent=2)


def as_metrics(found: Survey) -> str:
    """Prometheus' text format; what is not known is absent."""
    lines: list[str] = []
    for name, text, value in METRICS:
        samples = [(f'{{level="{table.name}"}}', value(table)) for table in found.tables]
        lines += _family(name, text, samples)
    lines += _family("database_size_bytes", "Bytes of the whole database.", [("", found.database_bytes)])
    lines += _family("dirty_buckets", "Buckets that late data changed, to be computed again.", [("", found.dirty)])
    lines += _family("disk_free_bytes", "Free bytes where the server keeps its data.", [("", found.disk_free)])
    lasts = _seconds(_disk_lasts(found))
    lines += _family("disk_lasts_seconds", "Until the disk is full at the present rate; absent: never.", [("", lasts)])
    return "\n".join(lines) + "\n"


def size(count: float) -> str:
    """Bytes for a person: 512 B, 1.5 GB (powers of 1000, as disks are sold)."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} PB"


def span(time: timedelta | None) -> str:
    """A span for a person, cut to two figures or so."""
    if time is None:
        return "-"
    seconds = time.total_seconds()
    for unit, width in (("years", 365.25 * 86400), ("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * width:
            return f"{seconds / width:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _cells(table: Table) -> tuple[str, ...]:
    point = table.bytes_per_point
    return (
        table.name,
        words(table.kept),
        f"{table.rows:,}",
        size(table.bytes),
        size(table.index_bytes),
        "-" if point is None else f"{point:.1f}",
        f"{table.rows_per_day:,.0f}",
        span(table.lag),
        span(table.duration),
    )


def _sentences(found: Survey) -> Iterable[str]:
    yield f"Database: {size(found.database_bytes)} on {TITLES[found.grade]}."
    for table in found.tables:
        if table.uncompressed_bytes and table.compressed_bytes:
            ratio = table.uncompressed_bytes / table.compressed_bytes
            yield f"Columnstore of {table.name}: {size(table.uncompressed_bytes)} take {size(table.compressed_bytes)} ({ratio:.1f} times less)."
    chunk = "a partition is a UTC day" if found.chunk_interval is None else f"a chunk is {words(found.chunk_interval)}"
    yield f"Samples: {chunk}. Late data: {found.dirty} buckets wait to be computed again."
    yield f"At the present rate, what is not kept for ever comes to {size(forecast.plateau(found.tables))} and stays there."
    if found.disk_free is None:
        yield "The server's disk is not seen from here: --disk-free BYTES says how much is free, and this how long it lasts."
    else:
        lasts = _disk_lasts(found)
        tells = "does not fill" if lasts is None else f"is full in {span(lasts)}"
        yield f"Disk: {size(found.disk_free)} free; at the present rate it {tells}."


def _disk_lasts(found: Survey) -> timedelta | None:
    return None if found.disk_free is None else forecast.lasts(found.tables, found.disk_free)


def _family(name: str, text: str, samples: list[tuple[str, float | None]]) -> list[str]:
    known = [f"gigawatch_storage_{name}{labels} {value:.10g}" for labels, value in samples if value is not None]
    if not known:
        return []
    return [f"# HELP gigawatch_storage_{name} {text}", f"# TYPE gigawatch_storage_{name} gauge", *known]


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else time.total_seconds()


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value))
