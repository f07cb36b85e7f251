import { expect, test } from "vitest";

import { tracesBehind, windowOf } from "./behind";

const LATENCY = "histogram_quantile(0.95, sum by (le, http_route) (rate(http_server_seconds_bucket[1m])))";

test("labels become the attributes of spans, and latencies ask for the slowest first", () => {
  const check = (shown: { expr: string; labels: Record<string, string> }[], wanted: object) =>
    expect(tracesBehind(shown)).toEqual(wanted);
  check([{ expr: LATENCY, labels: { http_route: "/v1/predict" } }], {
    q: "http.route:/v1/predict",
    sort: "slowest",
  });
  check([{ expr: 'rate(x_total{code="500"}[5m])', labels: { method: "POST", job: "a" } }], {
    q: "http.request.method:POST http.response.status_code:500",
  });
  check([{ expr: "rate(http_errors_total[5m])", labels: { endpoint: "/score" } }], {
    q: "http.route:/score",
    status: "error",
  });
});

test("what differs between the series, or only looks alike, narrows nothing", () => {
  const routes = ["/a", "/b"].map((http_route) => ({ expr: LATENCY, labels: { http_route } }));
  expect(tracesBehind(routes)).toEqual({ sort: "slowest" });
  const odd = { method: "ml_elasticity", endpoint: "http://a", code: "OK", status_code: "2xx" };
  expect(tracesBehind([{ expr: "x_total", labels: odd }])).toEqual({});
  expect(tracesBehind([])).toEqual({});
});

test("a route is asked for once, by its surest name", () => {
  const labels = { http_route: "/a/{id}", endpoint: "/b" };
  expect(tracesBehind([{ expr: "x_total", labels }])).toEqual({ q: 'http.route:"/a/{id}"' });
});

test("a point is made of what its longest range reaches back to", () => {
  const check = (exprs: string[], length: number) =>
    expect(windowOf(exprs, 1_000_000, 15_000)).toEqual({ start: 1_000_000 - length, end: 1_000_000 });
  check(["up"], 15_000);
  check(["rate(x[1m])", "rate(x[5m])"], 300_000);
  check(["max_over_time(rate(x[1m])[30m:1m])"], 1_800_000);
  check(["rate(x[5s])"], 15_000);
});
