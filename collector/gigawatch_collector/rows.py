"""Records as PostgreSQL's binary COPY wants them, built with NumPy: one array for all rows, NULLs cut out by a mask."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatch_collector.batch import Value
    from gigawatch_collector.columns import Column, ColumnType

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER: Final = struct.pack(">h", -1)
EPOCH: Final = 946_684_800_000_000
"""2000-01-01, where PostgreSQL starts to count, in microseconds since 1970."""
NULL: Final = -1
FORMATS: Final[dict[ColumnType, str]] = {
    "int2": ">i2",
    "int4": ">i4",
    "int8": ">i8",
    "float4": ">f4",
    "float8": ">f8",
    "timestamptz": ">i8",
}


def encode(columns: Sequence[Column], records: Sequence[Sequence[Value]]) -> bytes:
    """A whole COPY stream; each record holds a value or None for each column, in order."""
    layout = _layout(tuple(columns))
    table = np.zeros(len(records), layout)
    keep = np.ones((len(records), layout.itemsize), bool)
    table["fields"] = len(columns)
    for column, values in zip(columns, zip(*records, strict=True), strict=False):
        size = layout[column.name]["value"].itemsize
        table[column.name]["size"] = size
        given: Sequence[Any] = values
        if None in values:
            missing = np.fromiter((value is None for value in values), bool, len(values))
            table[column.name]["size"][missing] = NULL
            end = _offset(layout, column.name) + layout[column.name].itemsize
            keep[missing, end - size : end] = False
            given = [0 if value is None else value for value in values]
        table[column.name]["value"] = given if column.type != "timestamptz" else np.array(given, np.int64) - EPOCH
    content = table.view(np.uint8).reshape(keep.shape)[keep]
    return HEADER + content.tobytes() + TRAILER


@functools.cache
def _layout(columns: tuple[Column, ...]) -> np.dtype[np.void]:
    """One row without NULLs: a count of fields, and a size and a value for each of them."""
    fields = [(column.name, [("size", ">i4"), ("value", FORMATS[column.type])]) for column in columns]
    return np.dtype([("fields", ">i2"), *fields])


def _offset(layout: np.dtype[np.void], name: str) -> int:
    return cast("dict[str, tuple[Any, int]]", layout.fields)[name][1]
