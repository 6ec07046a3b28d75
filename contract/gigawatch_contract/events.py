"""Discrete things, sent as OTLP log records: one record is one event, with an id that leads from NVML to the webhook."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final, Literal

EVENT_ID: Final = "log.record.uid"
"""Attribute: the event's id, the same in the record, the row, the page and the webhook (a UUID)."""
XID_CODE: Final = "gigawatch.xid.code"
"""Attribute of XID events: NVIDIA's code (int)."""

Severity = Literal["info", "warning", "critical"]
SEVERITY_NUMBER: Final[dict[Severity, int]] = {"info": 9, "warning": 13, "critical": 17}
"""OTLP severity_number: INFO, WARN, ERROR."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A kind of event: its OTLP event_name, how grave it is by default, and what it says."""

    name: str
    severity: Severity
    description: str


XID: Final = Event(
    name="gigawatch.accelerator.xid",
    severity="critical",
    description="The driver reported an XID error for the accelerator.",
)
LOST: Final = Event(
    name="gigawatch.accelerator.lost",
    severity="critical",
    description="The accelerator was there and is no longer on the bus.",
)
UNRESPONSIVE: Final = Event(
    name="gigawatch.accelerator.unresponsive",
    severity="critical",
    description="A call to the accelerator did not return within the deadline.",
)
RECOVERED: Final = Event(
    name="gigawatch.accelerator.recovered", severity="info", description="The accelerator answers again."
)
EVENTS: Final = (XID, LOST, UNRESPONSIVE, RECOVERED)

_NAMESPACE: Final = uuid.UUID("6f0a4c1e-5f0e-5c57-9d63-8a1b7d2e4c90")


def event_id(name: str, hw_id: str, time_unix_nano: int, detail: str = "") -> str:
    """The id of an event: a UUID (version 5) of what it says, so that a repeat of it is seen to be the same one."""
    return str(uuid.uuid5(_NAMESPACE, f"{name}\n{hw_id}\n{time_unix_nano}\n{detail}"))
