"""The events of a scenario: what the exporters of its nodes report as log records, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import ReadableLogRecord

from gigawatch_contract import events, resource
from gigawatch_exporters import points
from gigawatch_exporters.happened import Happened
from gigawatch_exporters.simulator.faults import Hang, Lost, Silent, Xid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gigawatch_exporters.simulator.scenario import Factory, Scenario
    from gigawatch_exporters.snapshot import NodeIdentity

SENTENCES: Final = {
    events.XID.name: "reported XID",
    events.LOST.name: "is no longer on the bus",
    events.UNRESPONSIVE.name: "does not answer",
    events.RECOVERED.name: "answers again",
}


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

    def happened(self, start_ns: int) -> Happened:
        """The event as the exporter of its node tells it, id included."""
        body = f"Accelerator {self.accelerator} ({self.hw_id}) {SENTENCES[self.event.name]}"
        return Happened(
            event=self.event,
            hw_id=self.hw_id,
            time_unix_nano=self.time_unix_nano(start_ns),
            body=f"{body} {self.code}." if self.code is not None else f"{body}.",
            xid=self.code,
        )


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


def log_body(happened: Happened, who: NodeIdentity) -> bytes:
    """The OTLP export of one event."""
    attributes: dict[str, str | int] = {resource.HW_ID: happened.hw_id, events.EVENT_ID: happened.id}
    if happened.xid is not None:
        attributes[events.XID_CODE] = happened.xid
    severity = happened.event.severity
    record = LogRecord(
        timestamp=happened.time_unix_nano,
        observed_timestamp=happened.time_unix_nano,
        severity_number=SeverityNumber(events.SEVERITY_NUMBER[severity]),
        severity_text=severity,
        body=happened.body,
        attributes=attributes,
        event_name=happened.event.name,
    )
    readable = ReadableLogRecord(record, points.resource(who), points.SCOPE)
    return encode_logs([readable]).SerializeToString()
