"""OTLP attributes as plain Python values, bounded in number and length."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

COUNT_LIMIT: Final = 64
"""Attributes of one point or event."""
LENGTH_LIMIT: Final = 255
"""Characters of a key, and of a text that names something."""
SIZE_LIMIT: Final = 8192
"""Bytes of all attributes of one point or event, as JSON."""


def plain(value: AnyValue) -> Any:
    """A value as JSON knows it: bytes as base64, NaN and infinities as text."""
    match value.WhichOneof("value"):
        case "string_value":
            return text(value.string_value)
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value if math.isfinite(value.double_value) else str(value.double_value)
        case "array_value":
            return [plain(entry) for entry in value.array_value.values]
        case "kvlist_value":
            return mapping(value.kvlist_value.values)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode("ascii")
        case _:
            return None


def mapping(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes as a dict."""
    return {text(entry.key): plain(entry.value) for entry in attributes}


def text(value: str) -> str:
    """The text without NUL, which PostgreSQL cannot store."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value


def dumped(attributes: dict[str, Any]) -> str | None:
    """Attributes as JSON with sorted keys; None when there are too many or they are too long."""
    if len(attributes) > COUNT_LIMIT or any(len(key) > LENGTH_LIMIT for key in attributes):
        return None
    try:
        found = orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # nested deeper than JSON is ever meant to be
        return None
    return found.decode() if len(found) <= SIZE_LIMIT else None
