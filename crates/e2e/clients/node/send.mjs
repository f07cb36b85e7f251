// Sends a trace and its logs with the real OpenTelemetry SDK for Node and prints, as JSON, what was
// sent, in the words of Trefoil's columns. Run by the end-to-end tests:
//
//     node send.mjs json|proto|grpc ENDPOINT MARKER none|gzip

import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  SimpleLogRecordProcessor,
} from "@opentelemetry/sdk-logs";
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";

const [protocol, endpoint, marker, compression] = process.argv.slice(2);
const second = Math.floor(Date.now() / 1000) - 10;

const packages = { json: "http", proto: "proto", grpc: "grpc" };
const { OTLPTraceExporter } = await import(
  `@opentelemetry/exporter-trace-otlp-${packages[protocol]}`
);
const { OTLPLogExporter } = await import(
  `@opentelemetry/exporter-logs-otlp-${packages[protocol]}`
);
const options = (path) => ({
  url: protocol === "grpc" ? endpoint : `${endpoint}${path}`,
  compression,
  timeoutMillis: 30_000,
});

const resource = resourceFromAttributes({
  "service.name": `node-${protocol}`,
  "service.version": "4.5.6",
  // The older name of the same thing.
  "deployment.environment": "testing",
  "host.name": "node-host",
  "process.pid": 4242,
});
const sentSpans = new InMemorySpanExporter();
const sentLogs = new InMemoryLogRecordExporter();
const traces = new NodeTracerProvider({
  resource,
  spanProcessors: [
    new BatchSpanProcessor(new OTLPTraceExporter(options("/v1/traces"))),
    new SimpleSpanProcessor(sentSpans),
  ],
});
traces.register();
const logs = new LoggerProvider({
  resource,
  processors: [
    new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter(options("/v1/logs")) }),
    new SimpleLogRecordProcessor({ exporter: sentLogs }),
  ],
});
const tracer = traces.getTracer("e2e.node", "0.7");
const logger = logs.getLogger("e2e.node", "0.7");

const elsewhere = {
  traceId: "0102030405060708090a0b0c0d0e0f10",
  spanId: "1112131415161718",
  traceFlags: 1,
};
const root = tracer.startSpan(
  "root operation",
  {
    kind: SpanKind.SERVER,
    attributes: {
      "e2e.marker": marker,
      text: 'ünïcödé 🍀 "quoted" \\ \n line',
      empty: "",
      int: -9007199254740991,
      double: 0.1,
      yes: true,
      no: false,
      "list.text": ["a", "b"],
      "list.int": [1, 2, 3],
      "list.bool": [true, false],
      "user.id": "user-1",
      "request.id": `request-${marker}`,
    },
    links: [{ context: elsewhere, attributes: { why: "follows", n: 2 } }],
  },
  ROOT_CONTEXT,
);
const inside = trace.setSpan(ROOT_CONTEXT, root);
const child = tracer.startSpan(
  "child client",
  { kind: SpanKind.CLIENT, attributes: { "e2e.marker": marker } },
  inside,
);
child.addEvent("cache miss", { key: "k", size: 12 });
child.setStatus({ code: SpanStatusCode.OK });
child.end();
const failing = tracer.startSpan("child failing", { attributes: { "e2e.marker": marker } }, inside);
failing.recordException(new Error("this went wrong"));
failing.setStatus({ code: SpanStatusCode.ERROR, message: "this went wrong" });
failing.end();
context.with(inside, () =>
  logger.emit({
    timestamp: [second, 123_456_789],
    observedTimestamp: [second + 1, 1],
    severityNumber: SeverityNumber.WARN,
    severityText: "WARNING",
    body: `a warning inside the span ${marker}`,
    attributes: { "e2e.marker": marker, n: 1, ratio: 0.5, flag: true },
    eventName: "e2e.event",
  }),
);
root.end();
for (const name of ["TRACE", "DEBUG2", "INFO", "ERROR3", "FATAL4"]) {
  logger.emit({
    timestamp: [second + 2, SeverityNumber[name]],
    severityNumber: SeverityNumber[name],
    severityText: name,
    body: { kind: name, nested: { list: [1, "two", true] } },
    attributes: { "e2e.marker": marker, nested: { deep: { er: 1 } } },
    context: ROOT_CONTEXT,
  });
}
// What was sent is read before the shutdown, which empties these exporters.
await traces.forceFlush();
await logs.forceFlush();
const sent = {
  spans: sentSpans.getFinishedSpans().map(spanWords),
  logs: sentLogs.getFinishedLogRecords().map(logWords),
};
await traces.shutdown();
await logs.shutdown();
process.stdout.write(JSON.stringify(sent));

function nanoseconds([seconds, rest]) {
  return BigInt(seconds) * 1_000_000_000n + BigInt(rest);
}

function resourceWords({ attributes }) {
  const {
    "service.name": service,
    "service.version": release,
    "deployment.environment": environment,
    ...rest
  } = attributes;
  return { service, release, environment, resource: rest };
}

function spanWords(span) {
  return {
    ...resourceWords(span.resource),
    trace_id: span.spanContext().traceId,
    span_id: span.spanContext().spanId,
    parent_span_id: span.parentSpanContext?.spanId ?? null,
    name: span.name,
    kind: SpanKind[span.kind].toLowerCase(),
    status: SpanStatusCode[span.status.code].toLowerCase(),
    status_message: span.status.message ?? null,
    time_unix_ns: String(nanoseconds(span.startTime)),
    duration_ns: Number(nanoseconds(span.endTime) - nanoseconds(span.startTime)),
    scope_name: span.instrumentationScope.name,
    scope_version: span.instrumentationScope.version,
    attributes: span.attributes,
    events: span.events.map((event) => ({
      time_unix_nano: String(nanoseconds(event.time)),
      name: event.name,
      attributes: event.attributes,
    })),
    links: span.links.map((link) => ({
      trace_id: link.context.traceId,
      span_id: link.context.spanId,
      attributes: link.attributes,
    })),
  };
}

function logWords(record) {
  return {
    ...resourceWords(record.resource),
    trace_id: record.spanContext?.traceId ?? null,
    span_id: record.spanContext?.spanId ?? null,
    time_unix_ns: String(nanoseconds(record.hrTime)),
    observed_time_unix_ns: String(nanoseconds(record.hrTimeObserved)),
    severity_number: record.severityNumber,
    severity_text: record.severityText,
    body: record.body,
    event_name: record.eventName ?? null,
    scope_name: record.instrumentationScope.name,
    scope_version: record.instrumentationScope.version,
    attributes: record.attributes,
  };
}
