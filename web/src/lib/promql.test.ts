import { describe, expect, test } from "vitest";

import {
  exemplarsShareAxis,
  families,
  fitting,
  formatPromDuration,
  metricNames,
  niceStep,
  parsePromDuration,
  selector,
  stepGrid,
  unitOf,
} from "./promql";

test("durations are read and written as PromQL does", () => {
  const check = (text: string, ms: number | null) => expect(parsePromDuration(text), text).toBe(ms);
  check("30s", 30_000);
  check("1h30m", 5_400_000);
  check("500ms", 500);
  check("15", 15_000);
  check("0.5", 500);
  check("", null);
  check("0s", null);
  check("5x", null);
  check("1h 30m", null);
  for (const ms of [500, 1_000, 90_000, 5_400_000, 90_061_500])
    expect(parsePromDuration(formatPromDuration(ms)), String(ms)).toBe(ms);
  expect(formatPromDuration(90_061_500)).toBe("1d1h1m1s500ms");
});

describe("steps", () => {
  const range = (ms: number) => ({ start: 1_795_255_207_123 - ms, end: 1_795_255_207_123 });
  test("give about 250 points, at lengths that people know", () => {
    const check = (minutes: number, seconds: number) =>
      expect(niceStep(range(minutes * 60_000)), `${minutes} min`).toBe(seconds * 1_000);
    check(1, 1);
    check(15, 5);
    check(60, 15);
    check(360, 120);
    check(1_440, 600);
    check(43_200, 10_800);
    check(5_256_000, 1_296_000);
  });
  test("stand on multiples, so that a refresh does not move them", () => {
    const grid = stepGrid(range(900_000), 15_000);
    expect([grid.startMs % 15_000, grid.endMs % 15_000]).toEqual([0, 0]);
    expect(stepGrid(range(900_000), 15_000)).toEqual(grid);
  });
  test("are made longer where the server would refuse so many points", () => {
    expect(stepGrid(range(86_400_000 * 30), 1_000).stepMs).toBeGreaterThan(200_000);
  });
});

describe("metrics", () => {
  const metadata = {
    http_duration_seconds: [{ type: "histogram", help: "How long.", unit: "seconds" }],
    jobs: [{ type: "counter", help: "Jobs.", unit: "" }],
    rpc: [{ type: "summary", help: "", unit: "" }],
    temp: [{ type: "gauge", help: "", unit: "" }],
  };
  const found = families(
    [
      "http_duration_seconds_bucket",
      "http_duration_seconds_count",
      "http_duration_seconds_sum",
      "jobs_total",
      "rpc",
      "rpc_count",
      "rpc_sum",
      "temp",
      "unknown_total",
      "other_bucket",
      "other_count",
      "lone_count",
    ],
    metadata,
  );
  test("are gathered from the names of their series", () => {
    expect(found.map(({ name, type, names }) => `${name} ${type} ${names.length}`)).toEqual([
      "http_duration_seconds histogram 3",
      "jobs_total counter 1",
      "lone_count counter 1",
      "other histogram 2",
      "rpc summary 3",
      "temp gauge 1",
      "unknown_total counter 1",
    ]);
    expect(found[0]?.help).toBe("How long.");
  });
  test("get the expression that fits their type", () => {
    const check = (name: string, expr: string, matchers: string[] = []) => {
      const family = found.find((one) => one.name === name);
      expect(family && fitting(family, matchers)[0]?.expr, name).toBe(expr);
    };
    check(
      "http_duration_seconds",
      "histogram_quantile(0.95, sum by (le) (rate(http_duration_seconds_bucket[5m])))",
    );
    check("jobs_total", "sum(rate(jobs_total[5m]))");
    check("jobs_total", 'sum(rate(jobs_total{a="b"}[5m]))', ['a="b"']);
    check("rpc", 'rpc{quantile="0.99"}');
    check("temp", "temp");
  });
  test("of native histograms are asked without buckets", () => {
    const native = { name: "h", type: "histogram", help: "", unit: "", names: ["h"] };
    expect(fitting(native).map((one) => one.expr)).toContain("histogram_quantile(0.95, sum(rate(h[5m])))");
  });
  test("with unusual names are selected in braces", () => {
    expect(selector("a.b", ['c="d"'])).toBe('{"a.b", c="d"}');
    expect(selector("a:b")).toBe("a:b");
  });
});

test("the names in an expression are found, and nothing else", () => {
  const check = (expr: string, names: string[]) => expect(metricNames(expr), expr).toEqual(names);
  check('sum by (job, le) (rate(http_total{code=~"5..", a="b"}[5m] offset 1h)) > bool 0', ["http_total"]);
  check('a / on (x) group_left (y) b or "c"', ["a", "b"]);
  check("# a comment\nup and ignoring(z) down", ["up", "down"]);
  check("1 + Inf", []);
});

test("units follow the conventions of names", () => {
  const check = (expr: string, unit: string) => expect(unitOf(expr), expr).toBe(unit);
  check("rate(http_requests_total[5m])", "/s");
  check("histogram_quantile(0.95, sum by (le) (rate(x_seconds_bucket[5m])))", "seconds");
  check("sum(rate(x_seconds_sum[5m])) / sum(rate(x_seconds_count[5m]))", "seconds");
  check("sum(rate(x_seconds_count[5m]))", "/s");
  check("rate(node_cpu_seconds_total[5m])", "number");
  check("rate(net_bytes_total[5m])", "bytes/s");
  check("process_resident_memory_bytes", "bytes");
  check("process_start_time_seconds", "number");
  check("hit_ratio", "share");
  check("errors_total / requests_total", "number");
  check("count(up)", "number");
  check("1 + 1", "number");
  check(
    'histogram_quantile(0.95, sum by (le) (rate(x_seconds_bucket{route="/v1/predict"}[30s])))',
    "seconds",
  );
});

test("an exemplar shares the axis of quantiles and averages only", () => {
  expect(exemplarsShareAxis("histogram_quantile(0.9, rate(x_bucket[1m]))")).toBe(true);
  expect(exemplarsShareAxis("rate(x_sum[1m]) / rate(x_count[1m])")).toBe(true);
  expect(exemplarsShareAxis("rate(x_count[1m])")).toBe(false);
});
