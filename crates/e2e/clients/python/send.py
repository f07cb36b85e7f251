"""Sends a trace and its logs with the real OpenTelemetry SDK for Python and prints, as JSON, what
was sent, in the words of Trefoil's columns. Run by the end-to-end tests:

    send.py grpc|http ENDPOINT MARKER none|gzip
"""

import json
import sys
import time

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

protocol, endpoint, marker, compression = sys.argv[1:5]
# A whole second a little ago, so that nanoseconds added to it are seen to be kept.
second = (time.time_ns() // 1_000_000_000 - 10) * 1_000_000_000

resource = Resource.create(
    {
        "service.name": f"python-{protocol}",
        "service.version": "1.2.3",
        "deployment.environment.name": "testing",
        "host.name": "python-host",
        "process.threads": 7,
    }
)


def exporters():
    if protocol == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        packing = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        options = {"endpoint": endpoint, "insecure": True, "compression": packing, "timeout": 30}
        return OTLPSpanExporter(**options), OTLPLogExporter(**options)

    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    packing = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    options = {"compression": packing, "timeout": 30}
    return (
        OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", **options),
        OTLPLogExporter(endpoint=f"{endpoint}/v1/logs", **options),
    )


span_exporter, log_exporter = exporters()
sent_spans, sent_logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
traces = TracerProvider(resource=resource)
traces.add_span_processor(BatchSpanProcessor(span_exporter))
traces.add_span_processor(SimpleSpanProcessor(sent_spans))
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(SimpleLogRecordProcessor(log_exporter))
logs.add_log_record_processor(SimpleLogRecordProcessor(sent_logs))

tracer = traces.get_tracer("e2e.python", "0.9", attributes={"library": "e2e"})
logger = logs.get_logger("e2e.python", "0.9")

elsewhere = SpanContext(
    trace_id=0x0102030405060708090A0B0C0D0E0F10,
    span_id=0x1112131415161718,
    is_remote=True,
    trace_flags=TraceFlags(1),
    trace_state=TraceState([("vendor", "value")]),
)
with tracer.start_as_current_span(
    "root operation",
    kind=SpanKind.SERVER,
    attributes={
        "e2e.marker": marker,
        "text": "ünïcödé \U0001f340 \"quoted\"",
        "empty": "",
        "int": -9007199254740991,
        "double": 0.1,
        "whole": 3.0,
        "yes": True,
        "no": False,
        "list.text": ["a", "b"],
        "list.int": [1, 2, 3],
        "list.double": [1.5, 2.5],
        "list.bool": [True, False],
        "user.id": "user-1",
        "request.id": f"request-{marker}",
    },
    links=[Link(elsewhere, {"why": "follows", "n": 2})],
):
    logger.emit(
        LogRecord(
            timestamp=second + 123_456_789,
            observed_timestamp=second + 1_000_000_001,
            context=trace.set_span_in_context(trace.get_current_span()),
            severity_number=SeverityNumber.WARN,
            severity_text="WARNING",
            body=f"a warning inside the span {marker}",
            attributes={"e2e.marker": marker, "n": 1, "ratio": 0.5, "flag": True},
            event_name="e2e.event",
        )
    )
    with tracer.start_as_current_span("child client", kind=SpanKind.CLIENT) as child:
        child.set_attribute("e2e.marker", marker)
        child.add_event("cache miss", {"key": "k", "size": 12})
        child.set_status(Status(StatusCode.OK))
    try:
        with tracer.start_as_current_span("child failing", attributes={"e2e.marker": marker}):
            raise ValueError("this went wrong")
    except ValueError:
        pass
    for kind in (SpanKind.INTERNAL, SpanKind.PRODUCER, SpanKind.CONSUMER):
        tracer.start_span(f"kind {kind.name}", kind=kind, attributes={"e2e.marker": marker}).end()

for number in (
    SeverityNumber.TRACE,
    SeverityNumber.DEBUG2,
    SeverityNumber.INFO,
    SeverityNumber.ERROR3,
    SeverityNumber.FATAL4,
):
    logger.emit(
        LogRecord(
            timestamp=second + 2_000_000_000 + number.value,
            severity_number=number,
            severity_text=number.name,
            body={"kind": number.name, "nested": {"list": [1, "two", True]}},
            attributes={"e2e.marker": marker, "nested": {"deep": {"er": 1}}},
        )
    )

traces.force_flush()
logs.force_flush()


def hexadecimal(value, digits):
    return format(value, f"0{digits}x") if value else None


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if hasattr(value, "items"):
        return {key: plain(each) for key, each in value.items()}
    return value


def resource_words(source):
    words = dict(source.attributes)
    return {
        "service": words.pop("service.name"),
        "release": words.pop("service.version"),
        "environment": words.pop("deployment.environment.name"),
        "resource": plain(words),
    }


def span_words(span):
    return {
        **resource_words(span.resource),
        "trace_id": hexadecimal(span.context.trace_id, 32),
        "span_id": hexadecimal(span.context.span_id, 16),
        "parent_span_id": hexadecimal(span.parent.span_id, 16) if span.parent else None,
        "name": span.name,
        "kind": span.kind.name.lower(),
        "status": span.status.status_code.name.lower(),
        "status_message": span.status.description,
        "time_unix_ns": str(span.start_time),
        "duration_ns": span.end_time - span.start_time,
        "scope_name": span.instrumentation_scope.name,
        "scope_version": span.instrumentation_scope.version,
        "attributes": plain(span.attributes),
        "scope": plain(span.instrumentation_scope.attributes or {}),
        "events": [
            {
                "time_unix_nano": str(event.timestamp),
                "name": event.name,
                "attributes": plain(event.attributes),
            }
            for event in span.events
        ],
        "links": [
            {
                "trace_id": hexadecimal(link.context.trace_id, 32),
                "span_id": hexadecimal(link.context.span_id, 16),
                # Without its trace state: this SDK's exporter does not send that of a link.
                "attributes": plain(link.attributes),
            }
            for link in span.links
        ],
    }


def log_words(entry):
    record = entry.log_record
    return {
        **resource_words(entry.resource),
        "trace_id": hexadecimal(record.trace_id, 32),
        "span_id": hexadecimal(record.span_id, 16),
        "time_unix_ns": str(record.timestamp),
        "observed_time_unix_ns": str(record.observed_timestamp),
        "severity_number": record.severity_number.value,
        "severity_text": record.severity_text,
        "body": plain(record.body),
        "event_name": record.event_name,
        "scope_name": entry.instrumentation_scope.name,
        "scope_version": entry.instrumentation_scope.version,
        "attributes": plain(record.attributes),
    }


json.dump(
    {
        "spans": [span_words(span) for span in sent_spans.get_finished_spans()],
        "logs": [log_words(entry) for entry in sent_logs.get_finished_logs()],
    },
    sys.stdout,
)
