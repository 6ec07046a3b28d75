"""What the daemon asks of a vendor's library: an accelerator is read whole, in the contract's columns and base units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gigawatch_exporters.snapshot import Value

Condition = Literal["ok", "degraded", "failed", "lost"]
"""What a reading says of its accelerator; that one is unresponsive only the watchdog can tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One reading of one accelerator. What it does not know, may not tell or could not tell is absent, never zero."""

    condition: Condition
    values: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    counters: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    """Running totals as the library gives them, from a start that it does not tell."""
    wraps: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    """The counters that start again at zero when they reach this value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class XidReport:
    """An XID, as the driver reported it."""

    hw_id: str
    code: int


class CannotOpenError(Exception):
    """An accelerator is on the bus, and the library gives an error in place of it."""


class Device(Protocol):
    """One accelerator. A call on it may block for ever."""

    @property
    def hw_id(self) -> str: ...

    @property
    def model(self) -> str: ...

    def read(self) -> Reading:
        """Never raises: an error is a condition, or the absence of what it hit."""
        ...


class Library(Protocol):
    """A vendor's library, initialised."""

    @property
    def driver_version(self) -> str | None: ...

    def count(self) -> int:
        """How many accelerators are on the bus."""
        ...

    def open(self, index: int) -> Device | None:
        """The accelerator at an index; None when it is lost. May block for ever.

        Raises:
            CannotOpenError: it is on the bus and does not work.
        """
        ...

    def wait_for_xid(self, seconds: float) -> XidReport | None:
        """The next XID of any opened accelerator; None when there was none for so long."""
        ...

    def close(self) -> None: ...
