"""Settings of `gigawatch collector`."""

from __future__ import annotations

from dataclasses import dataclass

from gigawatch_contract.settings import check, setting

OFF = -1
MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All of them, checked."""

    dsn: str | None = setting(
        None, help="the database; without one, the embedded server of this machine", shared="GIGAWATCH_DSN"
    )
    http_host: str = setting("127.0.0.1", help="address to receive OTLP/HTTP on; 0.0.0.0 is every network")
    http_port: int = setting(4318, help="its port; 0 takes any free one")
    grpc_host: str = setting("127.0.0.1", help="address to receive OTLP/gRPC on")
    grpc_port: int = setting(4317, help=f"its port; 0 takes any free one, {OFF} turns gRPC off")
    accept_window: float = setting(26 * 3600.0, help="seconds: older points are rejected")
    body_limit: int = setting(64 * MEBIBYTE, help="bytes of one request, before and after decompression")
    budget: int = setting(64 * MEBIBYTE, help="bytes of all requests in flight; over it they are told to come again")
    body_timeout: float = setting(30.0, help="seconds that a sender may take to send a request")
    batch_points: int = setting(100_000, help="points after which a transaction takes no further request")
    commit_timeout: float = setting(20.0, help="seconds after which a transaction counts as failed")
    drain_timeout: float = setting(10.0, help="seconds that requests in flight get at the end")
    series_limit: int = setting(100_000, help="series outside the contract that one factory may have")
    node_limit: int = setting(20_000, help="nodes that one factory may have")
    accelerator_limit: int = setting(200_000, help="accelerators that one factory may have")
    log_level: str = setting("info", help="debug, info, warning or error")

    def __post_init__(self) -> None:
        check(0 <= self.http_port < 65536, "http_port", self.http_port, "a port is from 0 to 65535")
        check(
            OFF <= self.grpc_port < 65536, "grpc_port", self.grpc_port, f"a port is from 0 to 65535, or {OFF} for off"
        )
        for key in ("accept_window", "body_limit", "body_timeout", "batch_points", "commit_timeout", "drain_timeout"):
            check(0 < getattr(self, key) < 1e12, key, getattr(self, key), "must be more than 0")
        check(self.budget >= self.body_limit, "budget", self.budget, f"holds at least one request: {self.body_limit}")
        for key in ("series_limit", "node_limit", "accelerator_limit"):
            check(getattr(self, key) >= 0, key, getattr(self, key), "must not be negative")
        levels = {"debug", "info", "warning", "error"}
        check(self.log_level in levels, "log_level", self.log_level, "is one of debug, info, warning, error")
