/** The server's answers, as docs/openapi.json describes them. */

export type ErrorBody = { code: string; message: string; hint?: string; line?: number; column?: number };

export type TableStatus = {
  name: string;
  rows: number;
  files: number;
  bytes: number;
  buffered_rows: number;
  buffered_bytes: number;
  columns: number;
  last_time: string | null;
  rows_received: number;
  rows_per_s: number;
};

export type Status = {
  version: string;
  started_at: string;
  uptime_s: number;
  tenant: string;
  auth_required: boolean;
  endpoints: { main: string; otlp_grpc: string | null; otlp_http: string | null; prometheus: string | null };
  tables: TableStatus[];
  memory: { resident_bytes: number; limit_bytes: number };
  data_dir?: string | null;
  store?: string | null;
};

export type ServiceRow = {
  service: string;
  environment: string | null;
  requests: number;
  rate: number;
  error_share: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  last_seen: string | null;
  series: { requests: number[]; errors: number[]; p95_ms: (number | null)[] };
};

export type Services = { start: string; end: string; step_ms: number; services: ServiceRow[] };

export type Operation = {
  name: string;
  kind: string;
  requests: number;
  rate: number;
  error_share: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
};

export type QueryStats = {
  elapsed_ms?: number;
  rows?: number;
  rows_scanned?: number;
  bytes_scanned?: number;
  files_scanned?: number;
  files_total?: number;
};

export type TraceSummary = {
  trace_id: string;
  root_service: string | null;
  root_name: string | null;
  start: string;
  duration_ms: number;
  spans: number;
  errors: number;
  services: { service: string; spans: number }[];
  matched: number;
};

export type TraceList = { traces: TraceSummary[]; truncated: boolean; stats?: QueryStats };

export type TraceHistogram = {
  step_ms: number;
  buckets: { time_ms: number; count: number; errors: number; p50_ms: number | null; p95_ms: number | null }[];
};

export type Attributes = Record<string, unknown>;
export type InstrumentationScope = { name: string | null; version: string | null; attributes: Attributes };
export type SpanEvent = { offset_ns: number; name: string; attributes: Attributes };
export type SpanLink = { trace_id: string; span_id: string; attributes: Attributes };

export type Span = {
  span_id: string;
  parent_span_id: string | null;
  name: string;
  service: string;
  kind: string;
  status: string;
  status_message: string | null;
  offset_ns: number;
  duration_ns: number;
  attributes: Attributes;
  resource: Attributes;
  scope: InstrumentationScope;
  events: SpanEvent[];
  links: SpanLink[];
  trace_state: string | null;
  flags: number | null;
  request_id: string | null;
  user_id: string | null;
  model_version: string | null;
  dropped: { attributes: number | null; events: number | null; links: number | null };
};

export type Trace = {
  trace_id: string;
  start: string;
  start_unix_ns: string;
  duration_ns: number;
  services: (string | { service: string; spans?: number })[];
  spans: Span[];
  logs: number;
  truncated: boolean;
};

export type LogRow = {
  id: string;
  time: string;
  time_unix_ns: string;
  level: string | null;
  severity_text: string | null;
  service: string | null;
  environment: string | null;
  release: string | null;
  body: string | null;
  body_type: string | null;
  trace_id: string | null;
  span_id: string | null;
  request_id: string | null;
  event_name: string | null;
  attributes: Attributes;
  resource: Attributes;
  scope: InstrumentationScope;
};

export type LogPage = { rows: LogRow[]; next: string | null; stats?: QueryStats };
export type LogHistogram = {
  step_ms: number;
  buckets: { time_ms: number; counts: Record<string, number> }[];
  total: number;
};
export type LogContext = { before: LogRow[]; after: LogRow[] };

export type FieldScope = "column" | "attributes" | "resource" | "scope";
export type Field = { name: string; type: string; scope: FieldScope; key: string; doc?: string | null };
export type FieldValue = { value: unknown; count: number };

export type SqlAnswer = {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  truncated: boolean;
  stats: QueryStats;
};
