/** What to paste to send data here. Each works as it stands. */

export type Endpoints = { main: string; http: string; grpc: string | null; key: boolean };
export type Snippet = { name: string; about: string; file: string; code: string };

export function snippets(endpoints: Endpoints): Snippet[] {
  return [curl(endpoints), python(endpoints), node(endpoints), rust(endpoints), collector(endpoints)];
}

const HEADER = "OTEL_EXPORTER_OTLP_HEADERS";

function environment({ http, key }: Pick<Endpoints, "http" | "key">): string {
  const lines = [
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${http}`,
    "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    "export OTEL_SERVICE_NAME=my-service",
  ];
  if (key) lines.push(`export ${HEADER}="authorization=Bearer%20YOUR_KEY"`);
  return lines.join("\n");
}

function curl({ http, key }: Endpoints): Snippet {
  const auth = key ? ` -H 'authorization: Bearer YOUR_KEY'` : "";
  return {
    name: "curl",
    about: "One trace of one span, and one log line that belongs to it. Nothing to install.",
    file: "shell",
    code: `hex() { od -An -N$1 -tx1 /dev/urandom | tr -d ' \\n'; }
NOW=$(date +%s%N) IDS='"traceId":"'$(hex 16)'","spanId":"'$(hex 8)'"'
JSON='content-type: application/json'
FROM='"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my-service"}}]}'
curl -sS ${http}/v1/traces -H "$JSON"${auth} -d '{"resourceSpans":[{'"$FROM"',
  "scopeSpans":[{"spans":[{'"$IDS"',"name":"hello","kind":2,
    "startTimeUnixNano":"'$NOW'","endTimeUnixNano":"'$((NOW + 25000000))'"}]}]}]}'
curl -sS ${http}/v1/logs -H "$JSON"${auth} -d '{"resourceLogs":[{'"$FROM"',
  "scopeLogs":[{"logRecords":[{'"$IDS"',"timeUnixNano":"'$NOW'",
    "severityNumber":9,"severityText":"INFO","body":{"stringValue":"hello from curl"}}]}]}]}'`,
  };
}

function python(endpoints: Endpoints): Snippet {
  return {
    name: "Python",
    about: "Traces, logs and metrics of an unchanged program, by OpenTelemetry's agent.",
    file: "shell",
    code: `pip install opentelemetry-distro opentelemetry-exporter-otlp-proto-http
opentelemetry-bootstrap -a install
${environment(endpoints)}
export OTEL_METRICS_EXPORTER=otlp OTEL_LOGS_EXPORTER=otlp
export OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=true
opentelemetry-instrument python app.py`,
  };
}

function node(endpoints: Endpoints): Snippet {
  return {
    name: "Node",
    about: "Traces, logs and metrics of an unchanged program, by OpenTelemetry's agent.",
    file: "shell",
    code: `npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node
${environment(endpoints)}
export OTEL_METRICS_EXPORTER=otlp OTEL_LOGS_EXPORTER=otlp
node --require @opentelemetry/auto-instrumentations-node/register app.js`,
  };
}

function rust({ http, key }: Endpoints): Snippet {
  const env = environment({ http, key });
  return {
    name: "Rust",
    about: "tracing's spans, by OpenTelemetry's SDK.",
    file: "main.rs",
    code: `// cargo add tracing tracing-subscriber tracing-opentelemetry opentelemetry opentelemetry_sdk
// cargo add opentelemetry-otlp --features http-proto,reqwest-blocking-client
${env.replace(/^/gm, "// ")}
use opentelemetry::trace::TracerProvider as _;
use tracing_subscriber::prelude::*;

fn main() {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .build()
        .expect("a valid endpoint");
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .build();
    tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("my-service")))
        .init();
    tracing::info_span!("hello").in_scope(|| tracing::info!("from Rust"));
    provider.shutdown().expect("the last spans are sent");
}`,
  };
}

function collector({ http, grpc, key }: Endpoints): Snippet {
  const auth = key ? `\n    headers:\n      authorization: Bearer YOUR_KEY` : "";
  const exporter = grpc
    ? `  otlp/trefoil:\n    endpoint: ${grpc}\n    tls:\n      insecure: true${auth}`
    : `  otlphttp/trefoil:\n    endpoint: ${http}${auth}`;
  const name = grpc ? "otlp/trefoil" : "otlphttp/trefoil";
  return {
    name: "Collector",
    about: "A pipeline more in the Collector that you already run.",
    file: "config.yaml",
    code: `receivers:
  otlp:
    protocols:
      grpc: { endpoint: 127.0.0.1:14317 }
      http: { endpoint: 127.0.0.1:14318 }
exporters:
${exporter}
service:
  pipelines:
    traces: { receivers: [otlp], exporters: [${name}] }
    logs: { receivers: [otlp], exporters: [${name}] }
    metrics: { receivers: [otlp], exporters: [${name}] }`,
  };
}

/** The ways for metrics: what runs already writes here, or its targets are scraped from here. */
export function metricSnippets({ http, main, key }: Omit<Endpoints, "grpc">): Snippet[] {
  const authorization = key ? "\n    authorization:\n      credentials: YOUR_KEY" : "";
  const headers = key ? `\nexport ${HEADER}="authorization=Bearer%20YOUR_KEY"` : "";
  const curlAuth = key ? " -H 'authorization: Bearer YOUR_KEY'" : "";
  const collectorAuth = key ? "\n    headers:\n      authorization: Bearer YOUR_KEY" : "";
  return [
    {
      name: "Prometheus",
      about: "Prometheus, its agent mode, Grafana Alloy or vmagent write here what they scrape.",
      file: "prometheus.yml",
      code: `remote_write:
  - url: ${main}/prometheus/api/v1/write
    send_exemplars: true
    send_native_histograms: true${authorization}`,
    },
    {
      name: "Scraping",
      about: "Or targets are scraped from here: an unchanged prometheus.yml, named in the configuration.",
      file: "prometheus.yml",
      code: SCRAPE_CONFIG,
    },
    {
      name: "OTLP",
      about: "Any OpenTelemetry SDK, by its environment.",
      file: "shell",
      code: `export OTEL_METRICS_EXPORTER=otlp
export OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=${http}/v1/metrics
export OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf
export OTEL_METRIC_EXPORT_INTERVAL=10000${headers}`,
    },
    {
      name: "Collector",
      about: "A pipeline more in the Collector that you already run.",
      file: "config.yaml",
      code: `receivers:
  otlp:
    protocols:
      grpc: { endpoint: 127.0.0.1:14317 }
      http: { endpoint: 127.0.0.1:14318 }
exporters:
  otlphttp/trefoil:
    endpoint: ${http}${collectorAuth}
service:
  pipelines:
    metrics: { receivers: [otlp], exporters: [otlphttp/trefoil] }`,
    },
    {
      name: "curl",
      about: "One value of a job that does not live long, in the text format.",
      file: "shell",
      code: `echo 'batch_rows_total 1234' | \\
  curl -sS --data-binary @-${curlAuth} ${main}/prometheus/api/v1/push`,
    },
  ];
}

export const SCRAPE_CONFIG = `scrape_configs:
  - job_name: my-service
    scrape_interval: 15s
    static_configs:
      - targets: ["127.0.0.1:8080"]`;

/** The endpoints as this page's reader reaches them: the page's host where the server says loopback or any. */
export function reachable(endpoint: string | null, pageHost: string): string | null {
  if (endpoint === null) return null;
  return endpoint.replace(
    /^((?:https?:\/\/)?)(127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1?\])(?=[:/]|$)/,
    (whole, scheme: string) =>
      isLoopback(pageHost) && !/0\.0\.0\.0|\[::\]/.test(whole) ? whole : `${scheme}${pageHost}`,
  );
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "127.0.0.1" || host === "[::1]";
}
