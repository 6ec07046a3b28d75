"""What the reader process tells the daemon: JSON with a length before it, one message at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gigawatch_exporters.device import Condition
    from gigawatch_exporters.snapshot import Value

MAX_BYTES: Final = 1 << 20
"""No message is longer: a reader that claims so is out of its mind, and replaced."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An accelerator was opened."""

    index: int
    hw_id: str
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """All that are on the bus have been opened, or cannot be."""

    hw_ids: tuple[str, ...]
    unopened: int
    """How many are on the bus and cannot be opened: which they are is not known."""
    driver_version: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """An accelerator answered, at a time of this machine's monotonic clock (the same in all its processes)."""

    hw_id: str
    at: float
    duration: float
    condition: Condition
    values: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    counters: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    wraps: Mapping[str, Value] = field(default_factory=dict[str, "Value"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Xid:
    """The driver reported an XID."""

    hw_id: str
    code: int
    time_unix_nano: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The library cannot be used; the reader ends. `exit_code` is that of the error."""

    text: str
    exit_code: int


Message = Found | Inventory | Answered | Xid | Failed
KINDS: Final[dict[str, type[Message]]] = {kind.__name__: kind for kind in (Found, Inventory, Answered, Xid, Failed)}


def encode(message: Message) -> bytes:
    """One message as bytes for the pipe."""
    content = {each.name: getattr(message, each.name) for each in fields(message)}
    body = json.dumps([type(message).__name__, content], separators=(",", ":")).encode()
    return len(body).to_bytes(4, "big") + body


class Decoder:
    """Puts messages together from what a pipe gives, in whatever pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are now complete.

        Raises:
            ValueError: what came is not a message.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            end = 4 + int.from_bytes(self._buffer[:4], "big")
            if end > MAX_BYTES:
                raise ValueError(f"a message of {end} bytes")
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[4:end])
            del self._buffer[:end]
            yield _message(body)


def _message(body: bytes) -> Message:
    try:
        kind, content = json.loads(body)
        return KINDS[kind](**content)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a message: {body[:80]!r}") from error
