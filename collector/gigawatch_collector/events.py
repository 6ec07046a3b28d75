"""Logs: each record with an event name is an event; its id makes a repeat of it the same event."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson

from gigawatch_collector.attributes import LENGTH_LIMIT, dumped, mapping, plain, text
from gigawatch_collector.batch import Batch, Happening, Telemetry
from gigawatch_collector.senders import Objection, sender
from gigawatch_contract.events import EVENT_ID, event_id
from gigawatch_contract.resource import HW_ID

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from gigawatch_collector.batch import Sender
    from gigawatch_collector.window import Window

EVENT_NAME: Final = "event.name"
"""Where SDKs put the name before LogRecord had a field for it."""
BODY_LIMIT: Final = 4096
"""Characters of an event's text that are kept."""
SEVERITIES: Final = range(1, 25)
"""What OTLP knows, from TRACE to FATAL4; 0 says nothing."""


def decode_logs(request: ExportLogsServiceRequest, window: Window) -> Batch:
    """What an export of logs says."""
    batch = Batch()
    for part in request.resource_logs:
        records = [record for scope in part.scope_logs for record in scope.log_records]
        batch.points += len(records)
        try:
            telemetry = Telemetry(sender(part.resource))
        except Objection as objection:
            batch.reject(objection.reason, len(records), objection.message)
            continue
        batch.telemetry.append(telemetry)
        for record in records:
            found = _happening(telemetry.sender, record, window)
            if isinstance(found, str):
                batch.reject(found)
            else:
                telemetry.events.append(found)
                if record.severity_number and found.severity_number is None:
                    batch.nulled["out_of_range"] += 1
    return batch


def _happening(sender: Sender, record: LogRecord, window: Window) -> Happening | str:
    """The event that a record tells of, or the reason why it is rejected."""
    time = record.time_unix_nano or record.observed_time_unix_nano
    objection = window.objection(time)
    if objection is not None:
        return objection
    attributes = mapping(record.attributes)
    name = text(record.event_name) or str(attributes.pop(EVENT_NAME, ""))
    if not name:
        return "no_event_name"
    uid = attributes.pop(EVENT_ID, None)
    hw_id = attributes.get(HW_ID)
    said = dumped(attributes)
    names = [word for word in (name, uid, hw_id) if word is not None]
    if said is None or not all(isinstance(word, str) and len(word) <= LENGTH_LIMIT for word in names):
        return "too_long"
    body = _text(plain(record.body))
    severity = record.severity_number if record.severity_number in SEVERITIES else None
    return Happening(
        event_id=uid or _derived(sender, name, hw_id or "", time, f"{body}\n{said}\n{severity}"),
        time=time // 1000,
        name=name,
        severity_number=severity,
        body=body,
        attributes=said,
        hw_id=hw_id or None,
    )


def _text(body: Any) -> str | None:
    if body is None:
        return None
    words = body if isinstance(body, str) else orjson.dumps(body).decode()
    return words if len(words) <= BODY_LIMIT else f"{words[: BODY_LIMIT - 1]}…"


def _derived(sender: Sender, name: str, hw_id: str, time: int, content: str) -> str:
    """The id of a record that brings none: of all it says, so that a repeat of it is seen to be the same."""
    detail = hashlib.sha256(f"{sender.factory}\n{sender.host_name}\n{content}".encode()).hexdigest()
    return event_id(name, hw_id, time, detail)
