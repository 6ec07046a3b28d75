"""The events of a scenario: what the exporters of its nodes report as log records, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import ReadableLogRecord

from gigawatch_contract import events, resource
from gigawatch_exporters import points
from gigawatch_exporters.simulator.faults import Hang, Lost, Silent, Xid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gigawatch_exporters.simulator.scenario import Factory, Scenario
    from gigawatch_exporters.snapshot import NodeIdentity

SEVERITY_TEXT: Final[dict[events.Severity, str]] = {"info": "INFO", "warning": "WARN", "critical": "ERROR"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One event of one accelerator; `at` is seconds from the scenario's start."""

    event: events.Event
    at: float
    factory: str
    node: int
    host_name: str
    accelerator: int
    hw_id: str
    code: int | None = None
    reported: bool = True
    """False when its node is silent at that moment: it happened, and nobody is told."""

    def time_unix_nano(self, start_ns: int) -> int:
        """When it happens, in a scenario that starts at `start_ns`."""
        return start_ns + round(self.at * 1e9)

    def event_id(self, start_ns: int) -> str:
        """The id that leads from the XID to the row, the page and the webhook."""
        detail = "" if self.code is None else str(self.code)
        return events.event_id(self.event.name, self.hw_id, self.time_unix_nano(start_ns), detail)


def happenings(scenario: Scenario, factory: Factory) -> list[Happening]:
    """All events of a factory, in order of time."""
    return sorted(
        _events(scenario, factory), key=lambda happening: (happening.at, happening.node, happening.accelerator)
    )


def _events(scenario: Scenario, factory: Factory) -> Iterator[Happening]:
    layout = factory.layout
    silences = [fault for fault in scenario.faults if isinstance(fault, Silent) and fault.factory == factory.id]
    for fault in scenario.faults:
        if fault.factory != factory.id or not isinstance(fault, (Xid, Lost, Hang)):
            continue
        node = layout.find(fault.node)
        assert node is not None, "the scenario is checked"
        kinds = [(_KINDS[type(fault)], fault.lasts[0])]
        if isinstance(fault, Hang):
            kinds.append((events.RECOVERED, fault.end))
        for event, at in kinds:
            silent = any(layout.find(gap.node) == node and gap.start <= at < gap.end for gap in silences)
            yield Happening(
                event=event,
                at=at,
                factory=factory.id,
                node=node,
                host_name=layout.host_name(node),
                accelerator=fault.accelerator,
                hw_id=layout.hw_id(node, fault.accelerator),
                code=fault.code if isinstance(fault, Xid) else None,
                reported=not silent,
            )


_KINDS: Final[dict[type, events.Event]] = {Xid: events.XID, Lost: events.LOST, Hang: events.UNRESPONSIVE}


def log_body(happening: Happening, who: NodeIdentity, start_ns: int) -> bytes:
    """The OTLP export of one event."""
    attributes: dict[str, str | int] = {
        events.EVENT_ID: happening.event_id(start_ns),
        resource.HW_ID: happening.hw_id,
    }
    if happening.code is not None:
        attributes[events.XID_CODE] = happening.code
    time = happening.time_unix_nano(start_ns)
    record = LogRecord(
        timestamp=time,
        observed_timestamp=time,
        severity_text=SEVERITY_TEXT[happening.event.severity],
        severity_number=SeverityNumber(events.SEVERITY_NUMBER[happening.event.severity]),
        body=text(happening),
        attributes=attributes,
        event_name=happening.event.name,
    )
    readable = ReadableLogRecord(record, points.resource(who), points.SCOPE)
    return encode_logs([readable]).SerializeToString()


def text(happening: Happening) -> str:
    """The event in a sentence."""
    thing = f"accelerator {happening.accelerator} ({happening.hw_id})"
    if happening.code is not None:
        return f"XID {happening.code} on {thing}"
    return f"{thing}: {happening.event.description}"
