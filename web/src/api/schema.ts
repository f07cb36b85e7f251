// Generated from docs/openapi.json by `npm run api`. Not to be edited.

/** What the sender or a limit here dropped; null for none. */
export type Dropped = {
  /** Attributes. */
  attributes: number | null;
  /** Events. */
  events: number | null;
  /** Links. */
  links: number | null;
};

/** Addresses. */
export type Endpoints = {
  /** This port: pages, API, OTLP over HTTP. */
  main: string;
  /** OTLP over gRPC; null when it is off. */
  otlp_grpc: string | null;
  /** OTLP over HTTP at its own port; null when it is off. */
  otlp_http: string | null;
  /** Prometheus's HTTP API at its own port; null when it is off. */
  prometheus: string | null;
};

/** What went wrong, for a program (`code`) and for a person (`message`, `hint`). */
export type ErrorBody = {
  /** The error. */
  error: ErrorDetail;
};

/** The error. */
export type ErrorDetail = {
  /** `bad_request`, `unauthorized`, `not_found`, `too_large`, `timeout`, `overloaded` or `internal`. */
  code: string;
  /** The column in the statement or in `q`, from 1. */
  column?: number | null;
  /** What to try instead. */
  hint?: string | null;
  /** The line in the statement, from 1. */
  line?: number | null;
  /** One sentence. */
  message: string;
};

/** A field. */
export type FieldInfo = {
  /** What it means. */
  doc?: string | null;
  /** What it is called in a search. */
  key: string;
  /** The column's name. */
  name: string;
  /** `column`, `attributes`, `resource` or `scope`. */
  scope: string;
  /** `string`, `int`, `double`, `bool`, `bytes`, `timestamp`; the first of an attribute that has several. */
  type: string;
};

/** A value. */
export type FieldValue = {
  /** Rows that have it. */
  count: number;
  /** As text. */
  value: string;
};

/** The values of a field. */
export type FieldValues = {
  /** The most frequent first. */
  values: FieldValue[];
};

/** The fields of a table. */
export type Fields = {
  /** Fixed columns first, then attributes by name. */
  fields: FieldInfo[];
};

/** An instrumentation scope. */
export type InstrumentationScope = {
  /** By key. */
  attributes: Record<string, unknown>;
  /** Its name. */
  name: string | null;
  /** Its version. */
  version: string | null;
};

/** A bucket. */
export type LogBucket = {
  /** Records by level; `unknown` are those without. */
  counts: Record<string, unknown>;
  /** Where it begins, milliseconds since 1970. */
  time_ms: number;
};

/** The lines around a line. */
export type LogContext = {
  /** It, and those after it, oldest first. */
  after: LogRow[];
  /** Those before it, oldest first. */
  before: LogRow[];
};

/** Log records over time. */
export type LogHistogram = {
  /** Every bucket of the range. */
  buckets: LogBucket[];
  /** The width of a bucket, milliseconds. */
  step_ms: number;
  /** All records. */
  total: number;
};

/** A page of log records. */
export type LogPage = {
  /** The cursor of the next page; null when this is the last. */
  next: string | null;
  /** In the order asked for. */
  rows: LogRow[];
  /** What it cost. */
  stats: QueryStats;
};

/** A log record. */
export type LogRow = {
  /** By key. */
  attributes: Record<string, unknown>;
  /** The line. */
  body: string | null;
  /** The body's type where it is not text. */
  body_type: string | null;
  /** The environment. */
  environment: string | null;
  /** The event's name. */
  event_name: string | null;
  /** A name for it that stays. */
  id: string;
  /** `trace`, `debug`, `info`, `warn`, `error`, `fatal` or null. */
  level: string | null;
  /** The release. */
  release: string | null;
  /** The request. */
  request_id: string | null;
  /** By key. */
  resource: Record<string, unknown>;
  /** The instrumentation scope. */
  scope: InstrumentationScope;
  /** The service. */
  service: string | null;
  /** The severity as the source wrote it. */
  severity_text: string | null;
  /** The span. */
  span_id: string | null;
  /** RFC 3339. */
  time: string;
  /** Nanoseconds since 1970, as text: a JSON number would lose digits. */
  time_unix_ns: string;
  /** The trace. */
  trace_id: string | null;
};

/** Memory of the process. */
export type MemoryReport = {
  /** The configured ceiling. */
  limit_bytes: number;
  /** What the system counts. */
  resident_bytes: number;
};

/** Spans of one name and kind. */
export type Operation = {
  /** 0 to 1. */
  error_share: number;
  /** Their kind. */
  kind: string;
  /** The spans' name. */
  name: string;
  /** Median of the durations, milliseconds. */
  p50_ms: number | null;
  /** 95th percentile, milliseconds. */
  p95_ms: number | null;
  /** 99th percentile, milliseconds. */
  p99_ms: number | null;
  /** How many a second. */
  rate: number;
  /** How many. */
  requests: number;
};

/** Operations of a service. */
export type Operations = {
  /** Those with the most spans first. */
  operations: Operation[];
};

/** What a statement cost. */
export type QueryStats = {
  /** Bytes that the scans read from files. */
  bytes_scanned: number;
  /** From its admission to its last row, milliseconds. */
  elapsed_ms: number;
  /** Files that were opened. */
  files_scanned: number;
  /** Files of the tables that were named. */
  files_total: number;
  /** Rows in the answer. */
  rows: number;
  /** Rows that the scans looked at. */
  rows_scanned: number;
};

/** A value a bucket. */
export type Series = {
  /** Requests that failed. */
  errors: number[];
  /** 95th percentile of the durations, milliseconds; null where there were no requests. */
  p95_ms: (number | null)[];
  /** Requests. */
  requests: number[];
};

/** Spans of a service. */
export type ServiceSpans = {
  /** The service. */
  service: string;
  /** How many. */
  spans: number;
};

/** A service. Its requests are its spans of kind server or consumer, and those without parent. */
export type ServiceSummary = {
  /** One of its environments. */
  environment: string | null;
  /** 0 to 1. */
  error_share: number;
  /** RFC 3339. */
  last_seen: string | null;
  /** Median of the durations, milliseconds. */
  p50_ms: number | null;
  /** 95th percentile, milliseconds. */
  p95_ms: number | null;
  /** 99th percentile, milliseconds. */
  p99_ms: number | null;
  /** Requests a second. */
  rate: number;
  /** Requests. */
  requests: number;
  /** Over time. */
  series: Series;
  /** Its name. */
  service: string;
};

/** Services in a range of time. */
export type Services = {
  /** RFC 3339. */
  end: string;
  /** Those with the most requests first. */
  services: ServiceSummary[];
  /** RFC 3339. */
  start: string;
  /** The width of a bucket of the series, milliseconds. The first begins at or before `start`, at a multiple of this. */
  step_ms: number;
};

/** A span. */
export type Span = {
  /** By key. */
  attributes: Record<string, unknown>;
  /** What was dropped. */
  dropped: Dropped;
  /** How long it took. */
  duration_ns: number;
  /** In order. */
  events: SpanEvent[];
  /** The W3C trace flags and OTLP's own. */
  flags: number | null;
  /** `internal`, `server`, `client`, `producer`, `consumer` or `unspecified`. */
  kind: string;
  /** In order. */
  links: SpanLink[];
  /** The model's version. */
  model_version: string | null;
  /** Its name. */
  name: string;
  /** When it started, behind the trace's start. */
  offset_ns: number;
  /** Its parent's id; null for a root. */
  parent_span_id: string | null;
  /** The request. */
  request_id: string | null;
  /** By key. */
  resource: Record<string, unknown>;
  /** The instrumentation scope. */
  scope: InstrumentationScope;
  /** Its service. */
  service: string | null;
  /** Its id. */
  span_id: string;
  /** `unset`, `ok` or `error`. */
  status: string;
  /** The status's message. */
  status_message: string | null;
  /** The W3C `tracestate`. */
  trace_state: string | null;
  /** The user. */
  user_id: string | null;
};

/** An event of a span. */
export type SpanEvent = {
  /** By key. */
  attributes: Record<string, unknown>;
  /** Its name. */
  name: string;
  /** When, behind the trace's start. */
  offset_ns: number;
};

/** A link of a span. */
export type SpanLink = {
  /** By key. */
  attributes: Record<string, unknown>;
  /** The other span. */
  span_id: string;
  /** The other trace. */
  trace_id: string;
};

/** An answer. */
export type SqlAnswer = {
  /** In order. */
  columns: SqlColumn[];
  /** A list of values a row, in the columns' order. */
  rows: unknown[][];
  /** What it cost. */
  stats: QueryStats;
  /** Whether rows beyond the limit were left out. */
  truncated: boolean;
};

/** A column of an answer. */
export type SqlColumn = {
  /** Its name. */
  name: string;
  /** `string`, `int`, `double`, `decimal`, `bool`, `timestamp`, `date`, `time`, `interval`, `bytes`, `list`, `struct`, `map` or `null`. */
  type: string;
};

/** A statement. */
export type SqlRequest = {
  /** What stands for `$1`, `$2` … or the `?`s. */
  params?: unknown[];
  /** One statement that only reads. */
  sql: string;
};

/** The process. */
export type StatusReport = {
  /** Whether API keys are configured. */
  auth_required: boolean;
  /** Where the data is, when that is a directory. */
  data_dir?: string | null;
  /** Where to send data. */
  endpoints: Endpoints;
  /** Memory of the process. */
  memory: MemoryReport;
  /** RFC 3339. */
  started_at: string;
  /** Where the data is, when that is an object store. */
  store?: string | null;
  /** The tables. */
  tables: TableReport[];
  /** Whose rows this request sees. */
  tenant: string;
  /** Seconds. */
  uptime_s: number;
  /** The program's version. */
  version: string;
};

/** A table. */
export type TableReport = {
  /** Bytes of those. */
  buffered_bytes: number;
  /** Rows that are not in files yet. */
  buffered_rows: number;
  /** Bytes of the files. */
  bytes: number;
  /** Columns. */
  columns: number;
  /** Files. */
  files: number;
  /** The time of the newest row, RFC 3339. */
  last_time: string | null;
  /** `spans` or `logs`. */
  name: string;
  /** Rows in files and buffers. */
  rows: number;
  /** Rows received a second, lately. */
  rows_per_s: number;
  /** Rows received since the start. */
  rows_received: number;
};

/** A trace. */
export type Trace = {
  /** From the first span's start to the last one's end. */
  duration_ns: number;
  /** Log records with this trace's id. */
  logs: number;
  /** Spans by service, in order of appearance. */
  services: ServiceSpans[];
  /** By start. */
  spans: Span[];
  /** When the first span started, RFC 3339. */
  start: string;
  /** The same in nanoseconds since 1970, as text: a JSON number would lose digits. */
  start_unix_ns: string;
  /** Its id. */
  trace_id: string;
  /** Whether there are more spans than shown. */
  truncated: boolean;
};

/** A bucket. */
export type TraceBucket = {
  /** Spans. */
  count: number;
  /** Spans that failed. */
  errors: number;
  /** Median of the durations, milliseconds. */
  p50_ms: number | null;
  /** 95th percentile, milliseconds. */
  p95_ms: number | null;
  /** Where it begins, milliseconds since 1970. */
  time_ms: number;
};

/** Spans that match, over time. */
export type TraceHistogram = {
  /** Every bucket of the range. */
  buckets: TraceBucket[];
  /** The width of a bucket, milliseconds. */
  step_ms: number;
};

/** A trace in a line. */
export type TraceSummary = {
  /** From the first span's start to the last one's end. */
  duration_ms: number;
  /** Spans that failed. */
  errors: number;
  /** Spans that match. */
  matched: number;
  /** The root span's name. */
  root_name: string | null;
  /** The root span's service; the first span's where the root is missing. */
  root_service: string | null;
  /** Spans by service, the most first. */
  services: ServiceSpans[];
  /** Spans. */
  spans: number;
  /** RFC 3339. */
  start: string;
  /** Its id. */
  trace_id: string;
};

/** Traces that match. */
export type Traces = {
  /** What it cost. */
  stats: QueryStats;
  /** In the order asked for. */
  traces: TraceSummary[];
  /** Whether there are more. */
  truncated: boolean;
};
