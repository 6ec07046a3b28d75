"""From an OTLP resource to the sender it describes, or the objection to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gigawatch_collector.attributes import LENGTH_LIMIT, text
from gigawatch_collector.batch import Accelerator, Sender
from gigawatch_contract import resource

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

ACCELERATOR_LIMIT: Final = 1024
"""Accelerators that one node's resource may list."""
SERVICE: Final = ("service.namespace", "service.name", "service.instance.id")
"""What tells several senders of one host apart: OpenTelemetry's identity of a service."""


class Objection(Exception):  # noqa: N818 - what a sender is told; no fault of ours
    """Telemetry under this resource must be refused; says why, naming the attribute."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def sender(found: Resource) -> Sender:
    """The sender that a resource describes.

    Raises:
        Objection: it names no factory, or must not send for it, or what names it is too long.
    """
    values = {entry.key: entry.value for entry in found.attributes}
    factory = _identifier(values, resource.FACTORY)
    if factory is None:
        raise Objection("factory", f"the resource attribute {resource.FACTORY} is missing")
    simulated = _truth(values, resource.SIMULATED)
    objection = resource.objection(factory, simulated=simulated)
    if objection is not None:
        raise Objection("factory", objection)
    ids = _array(values, resource.ACCELERATOR_IDS)
    models = _array(values, resource.ACCELERATOR_MODELS)
    return Sender(
        factory=factory,
        simulated=simulated,
        host_name=_identifier(values, resource.HOST_NAME),
        host_id=_note(values, resource.HOST_ID),
        rack=_note(values, resource.RACK),
        vendor=_note(values, resource.VENDOR),
        driver_version=_note(values, resource.DRIVER_VERSION),
        accelerators=tuple(
            Accelerator(hw_id, index, models[index] if index < len(models) and models[index] else None)
            for index, hw_id in enumerate(ids)
            if hw_id
        ),
    )


def service(found: Resource) -> dict[str, str]:
    """The attributes that tell several senders of one host apart."""
    return {
        entry.key: text(entry.value.string_value)[:LENGTH_LIMIT] for entry in found.attributes if entry.key in SERVICE
    }


def _identifier(values: dict[str, AnyValue], key: str) -> str | None:
    """A text that names something: cutting it could make two things one."""
    value = values.get(key)
    found = text(value.string_value) if value is not None else ""
    if len(found) > LENGTH_LIMIT:
        raise Objection("resource", f"the resource attribute {key} is longer than {LENGTH_LIMIT} characters")
    return found or None


def _note(values: dict[str, AnyValue], key: str) -> str | None:
    """A text that describes something."""
    value = values.get(key)
    return text(value.string_value)[:LENGTH_LIMIT] or None if value is not None else None


def _array(values: dict[str, AnyValue], key: str) -> list[str]:
    """An array of texts."""
    value = values.get(key)
    if value is None:
        return []
    if len(value.array_value.values) > ACCELERATOR_LIMIT:
        raise Objection("resource", f"the resource attribute {key} lists more than {ACCELERATOR_LIMIT}")
    found = [text(entry.string_value) for entry in value.array_value.values]
    if any(len(entry) > LENGTH_LIMIT for entry in found):
        raise Objection("resource", f"an entry of {key} is longer than {LENGTH_LIMIT} characters")
    return found


def _truth(values: dict[str, AnyValue], key: str) -> bool:
    """Whether the attribute says yes; text counts, as OTEL_RESOURCE_ATTRIBUTES knows nothing else."""
    value = values.get(key)
    if value is None:
        return False
    if value.WhichOneof("value") == "bool_value":
        return value.bool_value
    word = value.string_value.strip().lower()
    if word not in {"true", "false"}:
        raise Objection("resource", f"the resource attribute {key} must be a boolean: true or false")
    return word == "true"
