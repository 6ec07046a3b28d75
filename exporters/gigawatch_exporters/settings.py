"""What a person can set of the exporter."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gigawatch_contract.errors import ConfigurationError
from gigawatch_contract.resource import objection
from gigawatch_contract.settings import check, setting
from gigawatch_exporters.reader import FAKE, Plan

PART = "exporter"


def _state_folder() -> Path:
    """Where systemd says that state belongs, else where the user keeps it."""
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.partition(":")[0]) / "spool"
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "gigawatch" / "exporter" / "spool"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Settings of `gigawatch exporter`, in the order of its --help."""

    factory: str = setting(
        help="id of the factory whose node this is, as in the registry (jaif), or sim-… for a fictional one"
    )
    rack: str | None = setting(None, help="id of the rack that the node stands in")
    host_name: str = setting("", help="the node's name, unique in its factory; the machine's own where not set")
    endpoint: str = setting("http://127.0.0.1:4318", help="OTLP/HTTP address of the collector, without /v1/metrics")
    interval: float = setting(15.0, help="seconds from one export to the next")
    timeout: float = setting(10.0, help="seconds that the collector may take to answer")
    period: float = setting(1.0, help="seconds from one reading of an accelerator to the next")
    deadline: float = setting(5.0, help="seconds without an answer after which an accelerator is unresponsive")
    hang: float = setting(30.0, help="seconds without an answer after which another reader process is tried")
    prometheus: bool = setting(True, help="serve /metrics and /healthz")
    prometheus_address: str = setting("127.0.0.1", help="address that /metrics listens on; it has no password")
    prometheus_port: int = setting(9464, help="port of /metrics; 0 is any free one")
    spool: Path | None = setting(
        None, help="folder for exports that wait for the collector; a folder of the user's state where not set"
    )
    spool_size: int = setting(64, help="MB that the spool may hold; 64 hold a day of 8 accelerators")
    spool_hours: float = setting(24.0, help="hours after which a waiting export is dropped; the collector accepts 26")
    library: str | None = setting(
        None, help='path of libnvidia-ml.so.1, or "fake" to show a scenario; the system\'s where not set'
    )
    simulated: bool = setting(False, help="say that the readings are not real; always so with library = fake")
    scenario: str | None = setting(None, help="with library = fake: the scenario to show, a name or a file")
    scenario_start: float | None = setting(
        None, help="with library = fake: when the scenario begins (Unix time); now where not set"
    )

    def __post_init__(self) -> None:
        wrong = objection(self.factory, simulated=self.is_simulated)
        if wrong:
            raise ConfigurationError(f"factory: {wrong}")
        check(0.1 <= self.period <= 60, "period", self.period, "0.1 to 60 seconds")
        check(self.interval >= self.period, "interval", self.interval, f"at least the period, {self.period:g} seconds")
        check(self.interval <= 300, "interval", self.interval, "at most 300 seconds")
        check(self.timeout > 0, "timeout", self.timeout, "more than 0 seconds")
        check(self.deadline >= 2 * self.period, "deadline", self.deadline, "at least twice the period")
        check(self.hang >= self.deadline, "hang", self.hang, f"at least the deadline, {self.deadline:g} seconds")
        check(0 <= self.prometheus_port <= 65535, "prometheus_port", self.prometheus_port, "0 to 65535")
        check(self.spool_size >= 1, "spool_size", self.spool_size, "at least 1 MB")
        check(self.spool_hours > 0, "spool_hours", self.spool_hours, "more than 0 hours")
        url = urlsplit(self.endpoint)
        wanted = "an address such as https://collector.example:4318"
        check(url.scheme in {"http", "https"} and bool(url.hostname), "endpoint", self.endpoint, wanted)
        check(not url.username, "endpoint", "…", "without a password; OTEL_EXPORTER_OTLP_HEADERS holds a token")
        check(not url.path.rstrip("/").endswith("/v1/metrics"), "endpoint", self.endpoint, "without /v1/metrics")
        check(not (self.scenario and self.library != FAKE), "scenario", self.scenario, 'only with library = "fake"')
        check(self.library != FAKE or bool(self.scenario), "scenario", self.scenario, 'needed with library = "fake"')

    @property
    def is_simulated(self) -> bool:
        """Whether what is read is made up."""
        return self.simulated or self.library == FAKE

    @property
    def node(self) -> str:
        """The node's name."""
        return self.host_name or socket.gethostname()

    @property
    def spool_folder(self) -> Path:
        """Where exports wait."""
        return self.spool or _state_folder()

    def plan(self, now: float) -> Plan:
        """What the reader process is told; a scenario without a start begins now."""
        return Plan(
            period=self.period,
            library=self.library,
            scenario=self.scenario,
            host_name=self.node,
            start=now if self.scenario_start is None else self.scenario_start,
        )
