"""/metrics and /healthz: the same snapshot as in the OTLP export, under names made mechanically from the contract's."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from gigawatch_contract import resource as attributes
from gigawatch_contract.metrics import names
from gigawatch_contract.ports import refuse_taken
from gigawatch_exporters.points import VERSION, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from prometheus_client import Metric as Family

    from gigawatch_contract.metrics import Metric
    from gigawatch_exporters.sending import Tally
    from gigawatch_exporters.snapshot import NodeIdentity, Snapshot, Value

UNITS: Final = {"By": "bytes", "s": "seconds", "W": "watts", "J": "joules", "Cel": "celsius", "Hz": "hertz"}
REQUEST_SECONDS: Final = 10

Seen = tuple["NodeIdentity", "Snapshot"]


def prometheus_name(metric: Metric) -> str:
    """The contract's name as OpenTelemetry's rules for Prometheus make it; a counter's `_total` is added by the client."""
    base = metric.name.replace(".", "_")
    unit = "ratio" if metric.unit == "1" and metric.kind == "gauge" else UNITS.get(metric.unit, "")
    return base if not unit or base.endswith(f"_{unit}") else f"{base}_{unit}"


def label(attribute: str) -> str:
    """An attribute's name as a label's."""
    return attribute.replace(".", "_")


class NodeCollector(Collector):
    """Shows what `seen` gives at the time of the scrape."""

    def __init__(self, seen: Callable[[], Seen], tally: Tally) -> None:
        self._seen = seen
        self._tally = tally

    def describe(self) -> Iterable[Family]:
        """Nothing: the registry need not look at the node to learn names."""
        return ()

    def collect(self) -> Iterator[Family]:
        """All metrics of the contract that have a value now, then the daemon's own."""
        identity, snapshot = self._seen()
        everywhere = {label(attributes.SIMULATED): "true"} if identity.simulated else {}
        rows: dict[str, list[tuple[Mapping[str, str], Mapping[str, Value]]]] = {
            "accelerator": [({attributes.HW_ID: each.hw_id}, values(each)) for each in snapshot.accelerators],
            "node": [({}, snapshot.node)],
        }
        for entries in names().values():
            family = _family(entries, everywhere)
            for identified, told in rows[entries[0].table]:
                for entry in entries:
                    if entry.column in told:
                        found = {**identified, **dict(entry.attributes)}
                        family.add_metric([*found.values(), *everywhere.values()], told[entry.column])
            if family.samples:
                yield family
        yield from self._own(identity)

    def _own(self, identity: NodeIdentity) -> Iterator[Family]:
        told = {
            attributes.FACTORY: identity.factory,
            attributes.HOST_NAME: identity.host_name,
            attributes.RACK: identity.rack,
            attributes.DRIVER_VERSION: identity.driver_version,
            attributes.SIMULATED: "true" if identity.simulated else None,
            "service.version": VERSION,
        }
        yield InfoMetricFamily(
            "target", "Who is seen here.", {label(key): value for key, value in told.items() if value}
        )
        exports = CounterMetricFamily(
            "gigawatch_exporter_exports", "Exports, by what the collector said.", labels=["outcome"]
        )
        for outcome in ("accepted", "refused", "failed"):
            exports.add_metric([outcome], getattr(self._tally, outcome))
        yield exports
        yield GaugeMetricFamily(
            "gigawatch_exporter_last_accepted_timestamp_seconds",
            "When the collector last accepted an export (Unix time); 0: not yet.",
            self._tally.last_accepted,
        )


def _family(entries: Sequence[Metric], everywhere: Mapping[str, str]) -> CounterMetricFamily | GaugeMetricFamily:
    first = entries[0]
    identified = [attributes.HW_ID] if first.table == "accelerator" else []
    labels = [label(key) for key in (*identified, *dict(first.attributes))] + list(everywhere)
    kind = CounterMetricFamily if first.kind == "counter" else GaugeMetricFamily
    return kind(prometheus_name(first), _help(entries), labels=labels)


def _help(entries: Sequence[Metric]) -> str:
    """The description; where several entries share a name, each after what tells it apart."""
    if len(entries) == 1:
        return entries[0].description
    constant = frozenset.intersection(*(frozenset(entry.attributes) for entry in entries))
    return " ".join(
        f"[{', '.join(value for key, value in entry.attributes if (key, value) not in constant)}] {entry.description}"
        for entry in entries
    )


class Page:
    """Serves /metrics and /healthz in threads of its own.

    Raises:
        ConfigurationError: the port cannot be listened on; names who holds it.
    """

    def __init__(
        self, address: str, port: int, collector: NodeCollector, health: Callable[[], Mapping[str, Any]]
    ) -> None:
        refuse_taken(address, port, "prometheus_port")
        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        metrics = make_wsgi_app(registry)

        def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            match environ["PATH_INFO"]:
                case "/metrics":
                    return metrics(environ, start)
                case "/healthz":
                    found = health()
                    start(
                        "200 OK" if found["alive"] else "503 Service Unavailable",
                        [("Content-Type", "application/json")],
                    )
                    return [json.dumps(found).encode()]
                case _:
                    start("404 Not Found", [("Content-Type", "text/plain")])
                    return [b"/metrics and /healthz are here\n"]

        self._server = make_server(address, port, application, ThreadingWSGIServer, _Quiet)
        self._server.daemon_threads = True  # pyright: ignore[reportAttributeAccessIssue] - it is a ThreadingMixIn
        self.address = f"http://{address}:{self._server.server_port}"

    def start(self) -> None:
        """Begin to serve."""
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


class _Quiet(WSGIRequestHandler):
    """Logs no line per request, and does not wait for ever for one."""

    timeout = REQUEST_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass
