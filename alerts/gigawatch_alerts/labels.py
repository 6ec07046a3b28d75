"""What tells one alert from another: its labels, and the names made of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

Labels = Mapping[str, str]

NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
ALERTNAME: Final = "alertname"

_FNV_OFFSET: Final = 14695981039346656037
_FNV_PRIME: Final = 1099511628211
_SEPARATOR: Final = b"\xff"


def alert_id(labels: Labels) -> UUID:
    """The alert's identity in the database: 128 bits of SHA-256, for the values of labels come from the network."""
    canonical = json.dumps(sorted(labels.items()), ensure_ascii=False, separators=(",", ":"))
    return UUID(bytes=hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()[:16])


def fingerprint(labels: Labels) -> str:
    """The 16 hex digits by which Prometheus and Alertmanager name a set of labels: FNV-1a, 64 bits."""
    digest = _FNV_OFFSET
    for name, value in sorted(labels.items()):
        for byte in name.encode() + _SEPARATOR + value.encode() + _SEPARATOR:
            digest = (digest ^ byte) * _FNV_PRIME & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def common(sets: Iterable[Labels]) -> dict[str, str]:
    """The labels, with their values, that all sets share."""
    shared: set[tuple[str, str]] | None = None
    for labels in sets:
        shared = set(labels.items()) if shared is None else shared & set(labels.items())
    return dict(sorted(shared or ()))


def only(labels: Labels, names: Iterable[str]) -> dict[str, str]:
    """The labels of these names, where there are any."""
    return {name: labels[name] for name in sorted(names) if name in labels}


def written(labels: Labels) -> str:
    """The labels as Prometheus prints them: `{alertname="XidEvent", factory="jaif"}`."""
    return "{" + ", ".join(f"{name}={json.dumps(labels[name], ensure_ascii=False)}" for name in sorted(labels)) + "}"
