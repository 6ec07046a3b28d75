"""The message: Alertmanager's webhook, version 4, with the headers of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from standardwebhooks import Webhook

from gigawatch_alerts.labels import Labels, common, fingerprint
from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NEVER: Final = "0001-01-01T00:00:00Z"
"""What Go writes for a time that is not set: the end of an alert that fires."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One alert as a receiver is told of it."""

    labels: Labels
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    """None while it fires."""
    link: str

    @property
    def status(self) -> str:
        """`firing` or `resolved`."""
        return "resolved" if self.ends_at else "firing"


def body(
    alerts: Sequence[Alert],
    *,
    receiver: str,
    group_key: str,
    group_labels: Labels,
    external_url: str,
    truncated: int = 0,
) -> str:
    """The message about a group. `truncated` counts its alerts that are left out."""
    ordered = sorted(alerts, key=lambda alert: (len(alert.labels), sorted(alert.labels.items())))
    payload: dict[str, Any] = {
        "receiver": receiver,
        "status": "firing" if any(alert.ends_at is None for alert in alerts) else "resolved",
        "alerts": [_alert(alert) for alert in ordered],
        "groupLabels": dict(group_labels),
        "commonLabels": common(alert.labels for alert in alerts),
        "commonAnnotations": common(alert.annotations for alert in alerts),
        "externalURL": external_url,
        "version": "4",
        "groupKey": group_key,
        "truncatedAlerts": truncated,
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": dict(sorted(alert.labels.items())),
        "annotations": dict(sorted(alert.annotations.items())),
        "startsAt": go_time(alert.starts_at),
        "endsAt": go_time(alert.ends_at) if alert.ends_at else _NEVER,
        "generatorURL": alert.link,
        "fingerprint": fingerprint(alert.labels),
    }


def go_time(time: datetime) -> str:
    """A time as Go writes it: RFC 3339 in UTC, without zeros at the end of the fraction."""
    whole, _, fraction = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").partition(".")
    return f"{whole}.{fraction.rstrip('0')}".rstrip(".") + "Z"


def signers(secrets: str) -> tuple[Webhook, ...]:
    """What signs for these secrets: one, or old and new while receivers change over, with spaces between.

    Raises:
        ConfigurationError: one is no secret. The message does not repeat it.
    """
    found: list[Webhook] = []
    for secret in secrets.split():
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = b""
        if not 24 <= len(key) <= 64:
            raise ConfigurationError("webhook_secret: must be whsec_ and 24 to 64 bytes in base64")
        found.append(Webhook(key))
    return tuple(found)


def headers(message_id: str, content: str, signing: Sequence[Webhook], now: datetime) -> dict[str, str]:
    """The headers of one attempt: the id is the message's, the time is now, one signature for each secret."""
    found = {
        "Content-Type": "application/json",
        "User-Agent": "Gigawatch",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if signing:
        at = now.astimezone(UTC)
        found["webhook-signature"] = " ".join(signer.sign(message_id, at, content) for signer in signing)
    return found
