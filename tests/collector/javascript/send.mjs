// node send.mjs URL proto|json: one export of metrics and one of logs, by OpenTelemetry's own JavaScript SDK.
import { OTLPLogExporter as JsonLogs } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtoLogs } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter as JsonMetrics } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtoMetrics } from "@opentelemetry/exporter-metrics-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";

const [url, encoding] = process.argv.slice(2);
const [Metrics, Logs] = encoding === "proto" ? [ProtoMetrics, ProtoLogs] : [JsonMetrics, JsonLogs];
const resource = resourceFromAttributes({
  "gigawatch.factory.id": "sim-js",
  "gigawatch.simulated": true,
  "host.name": `js-${encoding}`,
  "gigawatch.accelerator.ids": [`GPU-${encoding}`],
  "gigawatch.accelerator.models": ["H100"],
});
const hw = { "hw.id": `GPU-${encoding}` };
const gpu = { ...hw, "hw.type": "gpu" };

const exporter = new Metrics({ url: `${url}/v1/metrics`, compression: "gzip" });
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const meters = new MeterProvider({ resource, readers: [reader] });
const meter = meters.getMeter("js", "1.2.3");
const observed = (instrument, value, attributes) => instrument.addCallback((result) => result.observe(value, attributes));
observed(meter.createObservableGauge("hw.power", { unit: "W" }), 412.3, gpu);
observed(meter.createObservableCounter("hw.energy", { unit: "J" }), 9.25e9, gpu);
observed(meter.createObservableUpDownCounter("hw.gpu.memory.usage", { unit: "By", valueType: 0 }), 80_000_000_000, hw);
observed(meter.createObservableGauge("room.humidity", { unit: "%" }), 41.5, { place: "hall 1" });
meter.createHistogram("wait", { unit: "s" }).record(0.3);

const logs = new LoggerProvider({
  resource,
  processors: [new SimpleLogRecordProcessor({ exporter: new Logs({ url: `${url}/v1/logs`, compression: "gzip" }) })],
});
logs.getLogger("js").emit({
  eventName: "gigawatch.accelerator.xid",
  severityNumber: 17,
  body: "XID 79",
  attributes: { ...hw, "gigawatch.xid.code": 79, "log.record.uid": `xid-${encoding}` },
});

await Promise.all([meters.shutdown(), logs.shutdown()]);
