"""How the alert service is configured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigawatch_alerts import address, labels, rules, webhook
from gigawatch_alerts.delivery import Receiver
from gigawatch_alerts.evaluate import Context
from gigawatch_alerts.routes import Route
from gigawatch_contract.settings import check, setting

if TYPE_CHECKING:
    import httpx

PART: Final = "alerts"


@dataclass(frozen=True)
class Settings:
    """The settings of `gigawatch alerts run`."""

    dsn: str | None = setting(
        None, help="the database, postgresql://…; without it the embedded server", shared="GIGAWATCH_DSN"
    )
    rules: str = setting("", help="rule files or folders of them, with commas between; without it the shipped rules")
    interval: float = setting(15.0, help="seconds between two evaluations of a group that names none")
    query_timeout: float = setting(10.0, help="seconds that a query of a rule may take; a rule that overruns fails")
    webhook: str | None = setting(
        None, help="the URL that alerts are delivered to; without it they are only written to the database"
    )
    webhook_secret: str | None = setting(
        None, help="signs messages (Standard Webhooks): whsec_…; two with a space between while receivers change over"
    )
    receiver: str = setting("webhook", help="the receiver's name, as messages and the database give it")
    group_by: str = setting("alertname,factory", help="labels whose alerts go together in one message")
    group_wait: float = setting(1.0, help="seconds that the first change of a group waits for others to come along")
    timeout: float = setting(15.0, help="seconds that a receiver has to answer")
    give_up_after: float = setting(72.0, help="hours after which a message that never got through is a dead letter")
    workers: int = setting(4, help="messages that are on their way to the receiver at the same time, at most")
    allow: str = setting(
        "", help="networks, with commas between, that the URL may lead to although they are not public: 10.2.0.0/16"
    )
    allow_ports: str = setting("443", help="ports, with commas between, on which public receivers may be reached")
    external_url: str = setting("http://127.0.0.1:8050", help="where people find the pages; links begin with it")
    metrics_host: str = setting("127.0.0.1", help="where the service's own /metrics listen, if metrics_port is given")
    metrics_port: int | None = setting(None, help="the port of the service's own /metrics; without it there are none")
    log_level: str = setting("info", help="how much is logged: debug, info, warning or error")

    def __post_init__(self) -> None:
        check(self.interval > 0, "interval", self.interval, "must be more than 0")
        check(self.query_timeout > 0, "query_timeout", self.query_timeout, "must be more than 0")
        check(self.group_wait >= 0, "group_wait", self.group_wait, "must not be negative")
        check(self.timeout > 0, "timeout", self.timeout, "must be more than 0")
        check(self.give_up_after > 0, "give_up_after", self.give_up_after, "must be more than 0")
        check(1 <= self.workers <= 64, "workers", self.workers, "must be from 1 to 64")
        check(bool(self.receiver), "receiver", self.receiver, "must not be empty")
        for name in _words(self.group_by):
            check(labels.NAME.fullmatch(name) is not None, "group_by", name, "is not a label's name")
        for port in _words(self.allow_ports):
            check(port.isdecimal() and 0 < int(port) < 65536, "allow_ports", port, "is not a port")
        url = self.external_url
        check(url.startswith(("http://", "https://")), "external_url", url, "must begin with http:// or https://")
        check(
            self.metrics_port is None or 0 <= self.metrics_port < 65536, "metrics_port", self.metrics_port, "is no port"
        )
        levels = ("debug", "info", "warning", "error")
        check(self.log_level in levels, "log_level", self.log_level, f"must be one of {', '.join(levels)}")
        self.delivery()

    def rule_files(self) -> list[Path]:
        """The rule files and folders."""
        return [Path(word) for word in self.rules.split(",") if word] or [rules.SHIPPED]

    def context(self) -> Context:
        """What evaluations need to know."""
        route = Route(
            receiver=self.receiver,
            group_by=tuple(_words(self.group_by)),
            group_wait=timedelta(seconds=self.group_wait),
        )
        return Context(
            routes=(route,) if self.webhook else (),
            external_url=self.external_url.rstrip("/"),
            query_timeout=timedelta(seconds=self.query_timeout),
        )

    def delivery(self) -> Receiver | None:
        """The receiver; None where there is none.

        Raises:
            ConfigurationError: URL, secret or networks are not what they should be.
        """
        policy = address.Policy(
            networks=address.networks(self.allow), ports=frozenset(map(int, _words(self.allow_ports)))
        )
        signing = webhook.signers(self.webhook_secret or "")
        if not self.webhook:
            return None
        url: httpx.URL = address.check_url(self.webhook)
        return Receiver(
            name=self.receiver,
            url=url,
            policy=policy,
            signing=signing,
            timeout=timedelta(seconds=self.timeout),
            give_up_after=timedelta(hours=self.give_up_after),
            external_url=self.external_url.rstrip("/"),
        )


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
