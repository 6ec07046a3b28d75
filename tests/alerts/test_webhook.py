"""The message: what Alertmanager sends for the same alerts, and signatures that the standard's own library accepts."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from gigawatch_alerts import webhook
from gigawatch_contract.errors import ConfigurationError

RECORDED = json.loads((Path(__file__).parent / "data" / "alertmanager-0.25.json").read_text("utf-8"))
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()


def read(alert: dict[str, Any]) -> webhook.Alert:
    return webhook.Alert(
        labels=alert["labels"],
        annotations=alert["annotations"],
        starts_at=datetime.fromisoformat(alert["startsAt"]),
        ends_at=None if alert["status"] == "firing" else datetime.fromisoformat(alert["endsAt"]),
        link=alert["generatorURL"],
    )


@pytest.mark.parametrize("message", RECORDED["messages"], ids=["all fire", "one resolves", "the others resolve"])
def test_a_message_is_alertmanagers_field_by_field(message: dict[str, Any]) -> None:
    content = webhook.body(
        [read(alert) for alert in reversed(message["alerts"])],
        receiver=message["receiver"],
        group_key=message["groupKey"],
        group_labels=message["groupLabels"],
        external_url=message["externalURL"],
    )
    ours = json.loads(content)
    assert ours == message
    assert list(ours) == list(message)
    assert [list(alert) for alert in ours["alerts"]] == [list(alert) for alert in message["alerts"]]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 11, 1, 12, 0, tzinfo=UTC), "2026-11-01T12:00:00Z"),
        (datetime(2026, 11, 1, 12, 0, 0, 120_000, tzinfo=UTC), "2026-11-01T12:00:00.12Z"),
        (datetime(2026, 11, 1, 14, 0, 0, 1, tzinfo=timezone(timedelta(hours=2))), "2026-11-01T12:00:00.000001Z"),
    ],
)
def test_times_are_written_as_go_writes_them(time: datetime, text: str) -> None:
    assert webhook.go_time(time) == text


@given(st.text())
def test_the_standards_library_verifies_what_we_sign(content: str) -> None:
    headers = webhook.headers("id-1", content, webhook.signers(SECRET), datetime.now(UTC))
    Webhook(SECRET).verify(content, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(content + " ", headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(content, headers, json_parse=False)


def test_while_secrets_change_over_both_verify() -> None:
    headers = webhook.headers("id-1", "{}", webhook.signers(f"{SECRET} {OTHER}"), datetime.now(UTC))
    for secret in (SECRET, OTHER):
        Webhook(secret).verify("{}", headers)


def test_without_a_secret_there_is_an_id_and_no_signature() -> None:
    headers = webhook.headers("id-1", "{}", (), datetime(2026, 11, 1, 12, tzinfo=UTC))
    assert headers["webhook-id"] == "id-1"
    assert headers["webhook-timestamp"] == "1793534400"
    assert "webhook-signature" not in headers


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "hunter2hunter2", "whsec_" + "QUFB" * 24])
def test_what_is_no_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="24 to 64 bytes") as refused:
        webhook.signers(secret)
    assert secret not in str(refused.value).replace("must be whsec_", "")
