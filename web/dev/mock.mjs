// A server of invented data that speaks the API, for work on the pages without the real server.
//   node dev/mock.mjs            on 127.0.0.1:8787; serves dist/ too
//   RATE=5000 more log lines a second in the live tail, to see that it keeps up
//   PORT=… EMPTY=1 KEY=secret FAIL=services   no data · asks for a key · answers 500 on paths that contain the word
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import path from "node:path";

const port = Number(process.env.PORT ?? 8787);
const empty = Boolean(process.env.EMPTY);
const key = process.env.KEY ?? null;
const fail = process.env.FAIL ?? null;
const dist = path.join(import.meta.dirname, "../dist");
const started = Date.now();

let seed = 42;
const random = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};
const pick = (list) => list[Math.floor(random() * list.length)];
const hex = (digits) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join("");
const log = (median, spread) => median * Math.exp((random() + random() + random() - 1.5) * spread);
const iso = (ms) => {
  const whole = Math.floor(ms);
  const ns = String(Math.round((ms - whole) * 1e6)).padStart(6, "0");
  return new Date(whole).toISOString().replace("Z", `${ns}Z`);
};
const unixNs = (ms) =>
  (BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.round((ms - Math.floor(ms)) * 1e6))).toString();

const resourceOf = (service) => ({
  "service.name": service,
  "service.version": "1.4.2",
  "deployment.environment.name": "demo",
  "host.name": "node-1",
  "telemetry.sdk.language": "rust",
  "telemetry.sdk.name": "opentelemetry",
  "process.pid": 4242,
});

const traces = new Map();
const logs = [];

function span(trace, parent, service, name, kind, startMs, durationMs, attributes = {}, more = {}) {
  const one = {
    span_id: hex(16),
    parent_span_id: parent?.span_id ?? null,
    name,
    service,
    kind,
    status: "unset",
    status_message: null,
    startMs,
    durationMs,
    attributes,
    resource: resourceOf(service),
    scope: { name: service.replace(/-/g, "_"), version: "0.1.0", attributes: {} },
    events: [],
    links: [],
    trace_state: null,
    flags: 1,
    request_id: null,
    user_id: null,
    model_version: null,
    dropped: { attributes: null, events: null, links: null },
    ...more,
  };
  trace.spans.push(one);
  return one;
}

function line(at, level, service, body, trace, of, attributes = {}) {
  logs.push({
    id: hex(12),
    ms: at,
    level,
    severity_text: level?.toUpperCase() ?? null,
    service,
    environment: "demo",
    release: "1.4.2",
    body,
    body_type: body.startsWith("{") ? "json" : null,
    trace_id: trace?.trace_id ?? null,
    span_id: of?.span_id ?? null,
    request_id: attributes["request.id"] ?? null,
    event_name: null,
    attributes,
    resource: resourceOf(service),
    scope: { name: "app", version: null, attributes: {} },
  });
}

function predict(at) {
  const trace = { trace_id: hex(32), spans: [] };
  const slow = random() < 0.03;
  const broken = random() < 0.035;
  const probability = Math.min(0.999, random() ** 3);
  const decision = probability > 0.8 ? "block" : probability > 0.5 ? "review" : "approve";
  const request = `req-${hex(8)}`;
  const common = {
    "request.id": request,
    "transaction.amount": Math.round(log(60, 2) * 100) / 100,
    "transaction.currency": pick(["EUR", "USD", "GBP"]),
  };
  const clientMs = 0.4;
  const authMs = log(0.6, 1),
    redisMs = log(0.9, 1.2),
    featureMs = log(2.4, 1) + (slow ? 380 + random() * 600 : 0),
    modelMs = log(1.8, 0.9),
    storeMs = log(1.1, 1);
  const total = clientMs + authMs + redisMs + featureMs + 1.5 + modelMs + storeMs + 1.2;
  const root = span(
    trace,
    null,
    "fraud-detection-api",
    "POST /predict",
    "server",
    at,
    total,
    {
      ...common,
      "http.request.method": "POST",
      "url.path": "/predict",
      "http.route": "/predict",
      "http.response.status_code": broken ? 503 : 200,
      "fraud.probability": Number(probability.toFixed(4)),
      "fraud.decision": decision,
      "fraud.risk_level": decision === "block" ? "high" : decision === "review" ? "medium" : "low",
      "client.address": `10.0.${Math.floor(random() * 255)}.${Math.floor(random() * 255)}`,
      "user_agent.original": "trefoil-load/0.1",
    },
    { request_id: request, model_version: "fraud-lr-3", user_id: `u${Math.floor(random() * 900)}` },
  );
  let t = at + clientMs;
  line(
    at + 0.1,
    "info",
    "fraud-detection-api",
    `Request: POST /predict amount=${common["transaction.amount"]} ${common["transaction.currency"]}`,
    trace,
    root,
    { ...common, "http.route": "/predict" },
  );
  span(trace, root, "fraud-detection-api", "authenticate", "internal", t, authMs, {
    "auth.method": "api_key",
  });
  t += authMs + 0.1;
  const features = span(trace, root, "fraud-detection-api", "load_features", "internal", t, redisMs + 0.2, {
    "feature.count": 24,
  });
  span(trace, features, "fraud-detection-api", "HGETALL", "client", t + 0.1, redisMs, {
    "db.system.name": "redis",
    "db.operation.name": "HGETALL",
    "server.address": "127.0.0.1",
    "server.port": 6379,
  });
  t += redisMs + 0.3;
  const call = span(trace, root, "fraud-detection-api", "POST /preprocess", "client", t, featureMs + 0.9, {
    "http.request.method": "POST",
    "url.full": "http://127.0.0.1:8031/preprocess",
    "server.port": 8031,
  });
  const pre = span(trace, call, "preprocessing-service", "POST /preprocess", "server", t + 0.4, featureMs, {
    "http.request.method": "POST",
    "http.route": "/preprocess",
    "features.in": 12,
    "features.out": 31,
  });
  span(trace, pre, "preprocessing-service", "validate_schema", "internal", t + 0.5, featureMs * 0.2, {
    rows: 1,
  });
  span(
    trace,
    pre,
    "preprocessing-service",
    "encode_categories",
    "internal",
    t + 0.5 + featureMs * 0.22,
    featureMs * 0.28,
    { encoder: "target" },
  );
  const scale = span(
    trace,
    pre,
    "preprocessing-service",
    "scale_features",
    "internal",
    t + 0.5 + featureMs * 0.52,
    featureMs * 0.4,
    { scaler: "standard", slow },
  );
  if (slow) {
    scale.events.push({
      startMs: t + 1,
      name: "cache.miss",
      attributes: { "cache.key": `scaler:v${Math.floor(random() * 9)}`, "cache.size": 512 },
    });
    line(
      t + featureMs * 0.8,
      "warn",
      "preprocessing-service",
      `scaler cache miss, reloaded parameters in ${Math.round(featureMs)} ms`,
      trace,
      scale,
      { "request.id": request, "cache.hit": false },
    );
  }
  if (broken) {
    const message = "feature vector has 30 values, the model wants 31";
    pre.status = "error";
    pre.status_message = message;
    call.status = "error";
    call.status_message = "503 Service Unavailable";
    root.status = "error";
    root.status_message = message;
    pre.events.push({
      startMs: t + featureMs * 0.9,
      name: "exception",
      attributes: {
        "exception.type": "FeatureShapeError",
        "exception.message": message,
        "exception.stacktrace": `FeatureShapeError: ${message}\n    at preprocessing::pipeline::transform (services/src/preprocess/pipeline.rs:118:17)\n    at preprocessing::routes::preprocess (services/src/preprocess/routes.rs:52:9)\n    at axum::handler::Handler::call (axum-0.8.9/src/handler/mod.rs:201:31)\n    at tokio::runtime::task::core::Core::poll (tokio-1.48.0/src/runtime/task/core.rs:365:17)`,
        "exception.escaped": false,
      },
    });
    line(t + featureMs * 0.92, "error", "preprocessing-service", `cannot transform: ${message}`, trace, pre, {
      "request.id": request,
      "error.type": "FeatureShapeError",
    });
    line(
      t + featureMs + 1,
      "error",
      "fraud-detection-api",
      `Response: POST /predict - Status: 503 - Duration: ${(total / 1000).toFixed(3)}s`,
      trace,
      root,
      { "request.id": request, "http.response.status_code": 503 },
    );
  } else {
    t += featureMs + 1;
    const model = span(
      trace,
      root,
      "fraud-detection-api",
      "model.predict",
      "internal",
      t,
      modelMs,
      {
        "model.name": "fraud-lr",
        "model.version": "fraud-lr-3",
        "fraud.probability": Number(probability.toFixed(4)),
        "model.features": [0.12, 1.4, -0.3],
      },
      { model_version: "fraud-lr-3" },
    );
    line(
      t + modelMs,
      decision === "block" ? "warn" : "info",
      "fraud-detection-api",
      JSON.stringify({
        event: "prediction",
        decision,
        probability: Number(probability.toFixed(4)),
        model: "fraud-lr-3",
        top_features: ["amount", "hour", "velocity"],
      }),
      trace,
      model,
      { "request.id": request, "fraud.decision": decision },
    );
    t += modelMs + 0.1;
    span(trace, root, "fraud-detection-api", "SET", "client", t, storeMs, {
      "db.system.name": "redis",
      "db.operation.name": "SET",
    });
    const publish = span(
      trace,
      root,
      "fraud-detection-api",
      "publish decision",
      "producer",
      t + storeMs,
      0.3,
      { "messaging.system": "kafka", "messaging.destination.name": "decisions" },
    );
    if (random() < 0.5)
      span(
        trace,
        publish,
        "decision-writer",
        "write decision",
        "consumer",
        t + storeMs + 14,
        log(6, 1),
        { "messaging.system": "kafka" },
        {
          links: [
            { trace_id: trace.trace_id, span_id: publish.span_id, attributes: { "link.kind": "follows" } },
          ],
        },
      );
    line(
      at + total - 0.1,
      "info",
      "fraud-detection-api",
      `Response: POST /predict - Status: 200 - Duration: ${(total / 1000).toFixed(3)}s`,
      trace,
      root,
      { "request.id": request, "http.response.status_code": 200 },
    );
  }
  if (random() < 0.4)
    line(
      at + 1,
      "debug",
      "fraud-detection-api",
      `feature store answered in ${redisMs.toFixed(2)} ms`,
      trace,
      features,
      { "cache.hit": true },
    );
  finish(trace);
}

function small(at, service, name, kind, ms) {
  const trace = { trace_id: hex(32), spans: [] };
  span(trace, null, service, name, kind, at, ms, {
    "http.request.method": "GET",
    "http.response.status_code": 200,
  });
  finish(trace);
}

function finish(trace) {
  trace.startMs = Math.min(...trace.spans.map((s) => s.startMs));
  trace.endMs = Math.max(...trace.spans.map((s) => s.startMs + s.durationMs));
  traces.set(trace.trace_id, trace);
}

export const BIG = "b16b16b16b16b16b16b16b16b16b16b1";
function big(at) {
  const trace = { trace_id: BIG, spans: [] };
  const services = [
    "batch-scorer",
    "feature-store",
    "model-server",
    "warehouse",
    "object-store",
    "queue",
    "report-writer",
  ];
  const root = span(trace, null, "batch-scorer", "score nightly batch", "internal", at, 48_000, {
    "batch.rows": 10_000,
    "batch.date": "2026-11-20",
  });
  let queue = [[root, at, 48_000, 0]];
  while (trace.spans.length < 10_000) {
    const [parent, start, duration, depth] = queue.shift();
    const kids = depth === 0 ? 60 : 2 + Math.floor(random() * 9);
    for (let i = 0; i < kids && trace.spans.length < 10_000; i += 1) {
      const from = start + (duration * i) / kids;
      const child = span(
        trace,
        parent,
        depth < 1 ? "batch-scorer" : pick(services),
        depth === 0
          ? `chunk ${i}`
          : pick([
              "get features",
              "score",
              "read rows",
              "write rows",
              "GET object",
              "normalise",
              "SELECT",
              "enqueue",
            ]),
        depth === 0 ? "internal" : pick(["client", "internal", "server"]),
        from,
        (duration / kids) * (0.4 + random() * 0.55),
        { chunk: i, rows: Math.floor(random() * 500) },
      );
      if (random() < 0.004) {
        child.status = "error";
        child.status_message = "deadline exceeded";
      }
      queue.push([child, child.startMs, child.durationMs, depth + 1]);
    }
  }
  // A span whose parent never came, and one with a clock that is behind.
  span(trace, { span_id: "feedfeedfeedfeed" }, "queue", "late consumer", "consumer", at + 30_000, 900);
  span(trace, root, "warehouse", "clock behind", "server", at - 400, 200);
  for (let i = 0; i < 40; i += 1)
    line(
      at + i * 1_000,
      pick(["info", "info", "debug", "warn"]),
      "batch-scorer",
      `scored chunk ${i} of 60`,
      trace,
      trace.spans[1 + (i % 60)],
      { chunk: i },
    );
  finish(trace);
}

function minute(from, ms) {
  for (let at = from; at < from + ms; at += 180 + random() * 500) {
    const wave = 0.6 + 0.4 * Math.sin(at / 90_000);
    if (random() > wave) continue;
    predict(at);
    if (random() < 0.2) small(at + 20, "fraud-detection-api", "GET /health", "server", log(0.4, 1));
    if (random() < 0.12) small(at + 50, "feature-refresh", "refresh features", "internal", log(40, 1.2));
    if (random() < 0.1)
      line(at, null, "feature-refresh", "refresh: 128 keys written", null, null, { keys: 128 });
  }
}
if (!empty) {
  minute(started - 20 * 60_000, 20 * 60_000);
  big(started - 4 * 60_000);
  logs.sort((a, b) => a.ms - b.ms);
  setInterval(() => {
    const from = logs.length;
    minute(Date.now() - 1_000, 1_000);
    const added = logs.splice(from).sort((a, b) => a.ms - b.ms);
    logs.push(...added);
    for (const tail of tails) tail(added);
  }, 1_000).unref();
}
const tails = new Set();
const rate = Number(process.env.RATE ?? 0);
if (rate > 0) {
  let n = 0;
  setInterval(() => {
    const flood = Array.from({ length: rate / 20 }, () => ({
      ...logs[n++ % logs.length],
      id: `flood-${n}`,
      ms: Date.now(),
    }));
    for (const tail of tails) tail(flood);
  }, 50).unref();
}

const at = (text, fallback) =>
  text === null ? fallback : /^\d+$/.test(text) ? Number(text) : new Date(text).getTime();
const rangeOf = (q) => {
  const end = at(q.get("end"), Date.now());
  return [at(q.get("start"), end - 3_600_000), end];
};
const step = (from, to, buckets) => {
  const rough = (to - from) / buckets;
  return (
    [100, 250, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 864e5].find(
      (s) => s >= rough,
    ) ?? 864e5
  );
};
const quantile = (values, q) => {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
};

function terms(q) {
  return [...(q ?? "").matchAll(/(-?)(?:([\w.@]+)(!=|=~|>=|<=|:|=|>|<))?(?:"((?:[^"\\]|\\.)*)"|(\S+))/g)].map(
    ([, not, name, op, quoted, plain]) => ({ not: not === "-", name, op, value: quoted ?? plain }),
  );
}
function matches(row, text, fields, q) {
  return terms(q).every(({ not, name, op, value }) => {
    let hit;
    if (!name) hit = text.toLowerCase().includes(value.toLowerCase());
    else {
      const actual = fields(name);
      const n = Number(String(value).replace(/ms$/, ""));
      hit =
        op === "!="
          ? String(actual) !== value
          : actual === undefined || actual === null
            ? false
            : value === "*"
              ? true
              : op === ">"
                ? actual > n
                : op === ">="
                  ? actual >= n
                  : op === "<"
                    ? actual < n
                    : op === "<="
                      ? actual <= n
                      : op === "=~"
                        ? new RegExp(value).test(actual)
                        : String(actual) === value;
    }
    return hit !== not;
  });
}
const logFields = (row) => (name) => row[name] ?? row.attributes[name] ?? row.resource[name];
const spanFields = (s) => (name) =>
  name === "duration" ? s.durationMs : (s[name] ?? s.attributes[name] ?? s.resource[name]);
const logOut = ({ ms, ...row }) => ({ ...row, time: iso(ms), time_unix_ns: unixNs(ms) });
function logsOf(q) {
  const [from, to] = rangeOf(q);
  const levels = q.get("level")?.split(",");
  return logs.filter(
    (row) =>
      row.ms >= from &&
      row.ms <= to &&
      (!q.get("service") || row.service === q.get("service")) &&
      (!levels || levels.includes(row.level ?? "unknown")) &&
      (!q.get("trace_id") || row.trace_id === q.get("trace_id")) &&
      (!q.get("span_id") || row.span_id === q.get("span_id")) &&
      matches(row, row.body, logFields(row), q.get("q")),
  );
}
function tracesOf(q) {
  const [from, to] = rangeOf(q);
  const out = [];
  for (const trace of traces.values()) {
    if (trace.startMs < from || trace.startMs > to) continue;
    const hits = trace.spans.filter(
      (s) =>
        (!q.get("service") || s.service === q.get("service")) &&
        (!q.get("operation") || s.name === q.get("operation")) &&
        (!q.get("status") || s.status === q.get("status")) &&
        (!q.get("min_duration_ms") || s.durationMs >= Number(q.get("min_duration_ms"))) &&
        (!q.get("max_duration_ms") || s.durationMs <= Number(q.get("max_duration_ms"))) &&
        matches(s, s.name, spanFields(s), q.get("q")),
    );
    if (hits.length) out.push([trace, hits.length]);
  }
  return out;
}
function summary([trace, matched]) {
  const counts = new Map();
  for (const s of trace.spans) counts.set(s.service, (counts.get(s.service) ?? 0) + 1);
  return {
    trace_id: trace.trace_id,
    root_service: trace.spans[0].service,
    root_name: trace.spans[0].name,
    start: iso(trace.startMs),
    duration_ms: trace.endMs - trace.startMs,
    spans: trace.spans.length,
    errors: trace.spans.filter((s) => s.status === "error").length,
    services: [...counts].map(([service, spans]) => ({ service, spans })),
    matched,
  };
}
const entry = (s) => s.kind === "server" || s.kind === "consumer" || s.parent_span_id === null;

const routes = {
  "/api/v1/status": () => ({
    version: "0.1.0",
    started_at: iso(started),
    uptime_s: (Date.now() - started) / 1000,
    tenant: "default",
    auth_required: key !== null,
    endpoints: {
      main: `http://127.0.0.1:${port}`,
      otlp_grpc: "127.0.0.1:4317",
      otlp_http: "http://127.0.0.1:4318",
      prometheus: "http://127.0.0.1:9090",
    },
    tables: ["spans", "logs"].map((name) => {
      const rows = empty
        ? 0
        : name === "spans"
          ? [...traces.values()].reduce((n, t) => n + t.spans.length, 0)
          : logs.length;
      return {
        name,
        rows,
        files: rows ? 12 : 0,
        bytes: rows * 48,
        buffered_rows: rows ? Math.min(rows, 1840) : 0,
        buffered_bytes: rows ? 830_000 : 0,
        columns: 58,
        last_time: rows ? iso(Date.now() - 700) : null,
        rows_received: rows,
        rows_per_s: rows ? (name === "spans" ? 31.4 : 14.2) : 0,
      };
    }),
    memory: { resident_bytes: 182_000_000, limit_bytes: 1_073_741_824 },
    data_dir: "/var/lib/trefoil",
  }),
  "/api/v1/services": (q) => {
    const [from, to] = rangeOf(q);
    const by = step(from, to, 60);
    const first = Math.floor(from / by) * by;
    const count = Math.ceil((to - first) / by);
    const services = new Map();
    for (const trace of traces.values())
      for (const s of trace.spans) {
        if (!entry(s) || s.startMs < from || s.startMs > to) continue;
        let row = services.get(s.service);
        if (!row)
          services.set(
            s.service,
            (row = {
              d: [],
              errors: 0,
              last: 0,
              req: new Array(count).fill(0),
              err: new Array(count).fill(0),
              lat: Array.from({ length: count }, () => []),
            }),
          );
        const b = Math.floor((s.startMs - first) / by);
        row.d.push(s.durationMs);
        row.last = Math.max(row.last, s.startMs);
        row.req[b] += 1;
        row.lat[b].push(s.durationMs);
        if (s.status === "error") {
          row.errors += 1;
          row.err[b] += 1;
        }
      }
    return {
      start: iso(first),
      end: iso(to),
      step_ms: by,
      services: [...services].map(([service, r]) => ({
        service,
        environment: "demo",
        requests: r.d.length,
        rate: r.d.length / ((to - from) / 1000),
        error_share: r.errors / r.d.length,
        p50_ms: quantile(r.d, 0.5),
        p95_ms: quantile(r.d, 0.95),
        p99_ms: quantile(r.d, 0.99),
        last_seen: iso(r.last),
        series: { requests: r.req, errors: r.err, p95_ms: r.lat.map((l) => quantile(l, 0.95)) },
      })),
    };
  },
  "/api/v1/traces": (q) => {
    const found = tracesOf(q)
      .map(summary)
      .sort((a, b) =>
        q.get("sort") === "slowest" ? b.duration_ms - a.duration_ms : b.start.localeCompare(a.start),
      );
    const limit = Number(q.get("limit") ?? 50);
    return {
      traces: found.slice(0, limit),
      truncated: found.length > limit,
      stats: { elapsed_ms: 7, rows_scanned: 50_000 },
    };
  },
  "/api/v1/traces/histogram": (q) => {
    const [from, to] = rangeOf(q);
    const by = step(from, to, 60);
    const buckets = new Map();
    for (let t = Math.floor(from / by) * by; t <= to; t += by)
      buckets.set(t, { time_ms: t, count: 0, errors: 0, d: [] });
    for (const [trace] of tracesOf(q)) {
      const b = buckets.get(Math.floor(trace.startMs / by) * by);
      b.count += 1;
      b.d.push(trace.endMs - trace.startMs);
      if (trace.spans.some((s) => s.status === "error")) b.errors += 1;
    }
    return {
      step_ms: by,
      buckets: [...buckets.values()].map(({ d, ...b }) => ({
        ...b,
        p50_ms: quantile(d, 0.5),
        p95_ms: quantile(d, 0.95),
      })),
    };
  },
  "/api/v1/logs": (q) => {
    const found = logsOf(q);
    if (q.get("direction") !== "oldest") found.reverse();
    const limit = Number(q.get("limit") ?? 200);
    const skip = Number(q.get("cursor") ?? 0);
    return {
      rows: found.slice(skip, skip + limit).map(logOut),
      next: found.length > skip + limit ? String(skip + limit) : null,
      stats: { elapsed_ms: 5, rows_scanned: logs.length },
    };
  },
  "/api/v1/logs/histogram": (q) => {
    const [from, to] = rangeOf(q);
    const by = step(from, to, 60);
    const buckets = new Map();
    for (let t = Math.floor(from / by) * by; t <= to; t += by) buckets.set(t, { time_ms: t, counts: {} });
    const found = logsOf(q);
    for (const row of found) {
      const c = buckets.get(Math.floor(row.ms / by) * by).counts;
      const l = row.level ?? "unknown";
      c[l] = (c[l] ?? 0) + 1;
    }
    return { step_ms: by, buckets: [...buckets.values()], total: found.length };
  },
  "/api/v1/logs/context": (q) => {
    const same = logs.filter((row) => !q.get("service") || row.service === q.get("service"));
    const i = same.findIndex((row) => unixNs(row.ms) === q.get("time_unix_ns"));
    return {
      before: same.slice(Math.max(0, i - Number(q.get("before") ?? 20)), i).map(logOut),
      after: same.slice(i, i + Number(q.get("after") ?? 20)).map(logOut),
    };
  },
  "/api/v1/fields": (q) => {
    const fixed =
      q.get("table") === "logs"
        ? [
            ["time", "timestamp"],
            ["service", "string"],
            ["environment", "string"],
            ["release", "string"],
            ["trace_id", "string"],
            ["span_id", "string"],
            ["request_id", "string"],
            ["level", "string"],
            ["severity_number", "int"],
            ["body", "string"],
            ["event_name", "string"],
          ]
        : [
            ["time", "timestamp"],
            ["duration_ns", "int"],
            ["service", "string"],
            ["environment", "string"],
            ["release", "string"],
            ["trace_id", "string"],
            ["span_id", "string"],
            ["parent_span_id", "string"],
            ["name", "string"],
            ["kind", "string"],
            ["status", "string"],
            ["request_id", "string"],
            ["user_id", "string"],
            ["model_version", "string"],
          ];
    const seen = new Map();
    const rows =
      q.get("table") === "logs"
        ? logs.slice(-500)
        : [...traces.values()].slice(-300).flatMap((t) => t.spans.slice(0, 20));
    for (const row of rows)
      for (const scope of ["attributes", "resource"])
        for (const [k, v] of Object.entries(row[scope]))
          seen.set(`${scope}.${k}`, [
            scope,
            k,
            typeof v === "number"
              ? Number.isInteger(v)
                ? "int"
                : "double"
              : typeof v === "boolean"
                ? "bool"
                : typeof v === "object"
                  ? "json"
                  : "string",
          ]);
    return {
      fields: [
        ...fixed.map(([name, type]) => ({ name, type, scope: "column", key: name, doc: "A fixed column." })),
        ...[...seen].sort().map(([name, [scope, k, type]]) => ({ name, type, scope, key: k })),
      ],
    };
  },
  "/api/v1/fields/values": (q) => {
    const field = q.get("field").replace(/^(attributes|resource)\./, "");
    const counts = new Map();
    const logsTable = q.get("table") === "logs";
    const rows = logsTable ? logs : [...traces.values()].flatMap((t) => t.spans.slice(0, 30));
    for (const row of rows) {
      const v = (logsTable ? logFields(row) : spanFields(row))(field);
      if (v !== undefined && v !== null && String(v).startsWith(q.get("prefix") ?? ""))
        counts.set(v, (counts.get(v) ?? 0) + 1);
    }
    return {
      values: [...counts]
        .sort((a, b) => b[1] - a[1])
        .slice(0, Number(q.get("limit") ?? 20))
        .map(([value, count]) => ({ value, count })),
    };
  },
};

function operations(service, q) {
  const [from, to] = rangeOf(q);
  const ops = new Map();
  for (const trace of traces.values())
    for (const s of trace.spans) {
      if (s.service !== service || s.startMs < from || s.startMs > to) continue;
      const k = `${s.name} ${s.kind}`;
      const o = ops.get(k) ?? ops.set(k, { name: s.name, kind: s.kind, d: [], e: 0 }).get(k);
      o.d.push(s.durationMs);
      if (s.status === "error") o.e += 1;
    }
  return {
    operations: [...ops.values()].map(({ d, e, ...o }) => ({
      ...o,
      requests: d.length,
      rate: d.length / ((to - from) / 1000),
      error_share: e / d.length,
      p50_ms: quantile(d, 0.5),
      p95_ms: quantile(d, 0.95),
      p99_ms: quantile(d, 0.99),
    })),
  };
}
function traceOut(trace) {
  const services = new Map();
  for (const s of trace.spans) services.set(s.service, (services.get(s.service) ?? 0) + 1);
  const spans = [...trace.spans]
    .sort((a, b) => a.startMs - b.startMs)
    .map(({ startMs, durationMs, events, ...s }) => ({
      ...s,
      offset_ns: Math.round((startMs - trace.startMs) * 1e6),
      duration_ns: Math.round(durationMs * 1e6),
      events: events.map(({ startMs: e, ...event }) => ({
        ...event,
        offset_ns: Math.round((e - trace.startMs) * 1e6),
      })),
    }));
  return {
    trace_id: trace.trace_id,
    start: iso(trace.startMs),
    start_unix_ns: unixNs(trace.startMs),
    duration_ns: Math.round((trace.endMs - trace.startMs) * 1e6),
    services: [...services].map(([service, n]) => ({ service, spans: n })),
    spans,
    logs: logs.filter((l) => l.trace_id === trace.trace_id).length,
    truncated: false,
  };
}
function sql(text) {
  const error = (message, line, column) => {
    throw Object.assign(new Error(message), {
      body: { code: "bad_request", message, line, column, hint: "Tables are spans and logs." },
    });
  };
  const bad = /\b(fro|selec|spanz)\b/i.exec(text);
  if (bad) {
    const before = text.slice(0, bad.index).split("\n");
    error(`Expected an SQL statement, found: ${bad[0]}`, before.length, before.at(-1).length + 1);
  }
  const stats = {
    elapsed_ms: 14.2,
    rows_scanned: 48_211,
    bytes_scanned: 1_840_000,
    files_scanned: 3,
    files_total: 12,
  };
  if (/date_bin|date_trunc/i.test(text)) {
    const now = Math.floor(Date.now() / 60_000) * 60_000;
    const rows = Array.from({ length: 30 }, (_, i) =>
      ["fraud-detection-api", "preprocessing-service"].map((s, k) => [
        iso(now - (30 - i) * 60_000),
        s,
        Math.round(60 + 20 * Math.sin(i / 4 + k) + random() * 8),
        4 + random() * 3,
      ]),
    ).flat();
    return {
      columns: [
        { name: "minute", type: "timestamp" },
        { name: "service", type: "string" },
        { name: "spans", type: "int" },
        { name: "avg_ms", type: "double" },
      ],
      rows,
      truncated: false,
      stats: { ...stats, rows: rows.length },
    };
  }
  if (/count\(\*\)/i.test(text)) {
    const rows = [
      ["fraud-detection-api", 5120, 812.4],
      ["preprocessing-service", 3010, 640.1],
      ["feature-refresh", 120, 90.2],
      ["decision-writer", 812, 20.9],
    ];
    return {
      columns: [
        { name: "service", type: "string" },
        { name: "spans", type: "int" },
        { name: "p95_ms", type: "double" },
      ],
      rows,
      truncated: false,
      stats: { ...stats, rows: rows.length },
    };
  }
  const rows = logs
    .slice(-1000)
    .reverse()
    .map((l) => [
      iso(l.ms),
      l.service,
      l.level,
      l.body,
      l.trace_id,
      l.attributes["http.response.status_code"] ?? null,
    ]);
  return {
    columns: [
      { name: "time", type: "timestamp" },
      { name: "service", type: "string" },
      { name: "level", type: "string" },
      { name: "body", type: "string" },
      { name: "trace_id", type: "string" },
      { name: "attributes.http.response.status_code", type: "int" },
    ],
    rows,
    truncated: true,
    stats: { ...stats, rows: rows.length },
  };
}

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  const json = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  try {
    if (!url.pathname.startsWith("/api/") && !url.pathname.startsWith("/v1/")) {
      const name = path.extname(url.pathname) ? url.pathname : "/index.html";
      const body = await readFile(path.join(dist, path.normalize(name))).catch(() => null);
      response.writeHead(body ? 200 : 404, { "content-type": types[path.extname(name)] ?? "text/plain" });
      return response.end(body ?? "not found");
    }
    if (key && request.headers.authorization !== `Bearer ${key}`)
      return json(401, { error: { code: "unauthorized", message: "an API key is needed" } });
    if (fail && url.pathname.includes(fail))
      return json(500, {
        error: {
          code: "internal",
          message: "cannot read file 17 of table spans: input/output error",
          hint: "Look at the server's log for the path.",
        },
      });
    if (url.pathname === "/api/v1/logs/tail") {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.write(": hello\n\n");
      const tail = (added) => {
        const q = url.searchParams;
        const levels = q.get("level")?.split(",");
        const rows = added.filter(
          (row) =>
            (!q.get("service") || row.service === q.get("service")) &&
            (!levels || levels.includes(row.level ?? "unknown")) &&
            matches(row, row.body, logFields(row), q.get("q")),
        );
        if (rows.length) response.write(`event: rows\ndata: ${JSON.stringify(rows.map(logOut))}\n\n`);
      };
      tails.add(tail);
      request.on("close", () => tails.delete(tail));
      return undefined;
    }
    if (url.pathname === "/api/v1/sql") {
      let text = "";
      for await (const chunk of request) text += chunk;
      try {
        return json(200, sql(text.startsWith("{") ? JSON.parse(text).sql : text));
      } catch (error) {
        return json(400, { error: error.body ?? { code: "bad_request", message: String(error) } });
      }
    }
    const ops = /^\/api\/v1\/services\/([^/]+)\/operations$/.exec(url.pathname);
    if (ops) return json(200, operations(decodeURIComponent(ops[1]), url.searchParams));
    const one = /^\/api\/v1\/traces\/([0-9a-f]{32})$/.exec(url.pathname);
    if (one) {
      const trace = traces.get(one[1]);
      return trace
        ? json(200, traceOut(trace))
        : json(404, {
            error: {
              code: "not_found",
              message: `no spans of trace ${one[1]}`,
              hint: "It may be older than the retention, or not here yet.",
            },
          });
    }
    const route = routes[url.pathname];
    return route
      ? json(200, route(url.searchParams))
      : json(404, { error: { code: "not_found", message: "no such resource" } });
  } catch (error) {
    return json(500, { error: { code: "internal", message: String(error) } });
  }
}).listen(port, "127.0.0.1", () => console.log(`mock on http://127.0.0.1:${port}`));
