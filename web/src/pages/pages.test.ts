import { describe, expect, test } from "vitest";

import type { RuleGroup } from "../api/prometheus";
import type { ServiceRow, Span } from "../api/types";
import { distinctIds, serverId, traceFromWire } from "../api/wire";
import { traceIdIn } from "../shell/Palette";
import { badness, complaints, slowdown } from "./home/badness";
import { isLine, permalink } from "./logs/LogDetails";
import { columnsFor, METRIC_FIELDS, tablesIn, valuesQuery } from "./sql/complete";
import { readHistory, remember } from "./sql/history";
import { chosenGroups, countStates } from "./rules/groups";
import { findSpans } from "./traces/find";
import { readZoom, zoomText } from "./traces/zoom";

function row(service: string, change: Partial<ServiceRow>): ServiceRow {
  return {
    service,
    environment: null,
    requests: 100,
    rate: 1,
    error_share: 0,
    p50_ms: 5,
    p95_ms: 9,
    p99_ms: 12,
    last_seen: null,
    series: { requests: [], errors: [], p95_ms: [] },
    ...change,
  };
}

describe("what is wrong", () => {
  const said = (rows: ServiceRow[]) =>
    complaints(rows).map(({ service, tone, what }) => `${service} ${what} ${tone}`);
  test("errors, slow tails and services that became slower are named, the worst first", () => {
    const slower = [...new Array<number>(40).fill(10), ...new Array<number>(10).fill(25)];
    expect(
      said([
        row("calm", {}),
        row("slow", { p99_ms: 2_000 }),
        row("slower", { series: { requests: [], errors: [], p95_ms: slower } }),
        row("some", { error_share: 0.02 }),
        row("many", { error_share: 0.2 }),
      ]),
    ).toEqual(["many errors error", "slow slow warn", "slower slower warn", "some errors warn"]);
  });
  test("a few requests are no reason for alarm", () => {
    expect(said([row("quiet", { requests: 3, error_share: 0.34 })])).toEqual([]);
  });
  test("too short a series says nothing about slowing down", () => {
    expect(slowdown([1, 2, 3, 100])).toBeNull();
    expect(slowdown([])).toBeNull();
    expect(slowdown(new Array<null>(50).fill(null))).toBeNull();
  });
  test("errors outweigh slowness", () => {
    expect(badness(row("a", { error_share: 0.01 }))).toBeGreaterThan(badness(row("b", { p99_ms: 60_000 })));
  });
});

describe("the part of a trace in its address", () => {
  const whole = { start: 0, end: 1_000 };
  test("is read as it was written", () => {
    expect(readZoom(zoomText({ start: 100.4, end: 250 }), whole)).toEqual({ start: 100, end: 250 });
    expect(readZoom("-5-20", whole)).toEqual({ start: 0, end: 20 });
  });
  test("is the whole where it makes no sense", () => {
    for (const text of [undefined, "", "5", "a-b", "300-200", "2000-3000"])
      expect(readZoom(text, whole)).toBeNull();
  });
});

describe("rules", () => {
  const said = { query: "up == 0", lastEvaluation: "", evaluationTime: 0, health: "ok" as const };
  const alert = (name: string, state: "firing" | "pending" | "inactive", health: "ok" | "err" = "ok") => ({
    ...said,
    type: "alerting" as const,
    name,
    state,
    health,
    duration: 0,
    keepFiringFor: 0,
    alerts: [],
  });
  const group = (name: string, rules: RuleGroup["rules"]): RuleGroup => ({
    name,
    file: "rules.yml",
    interval: 15,
    lastEvaluation: "",
    evaluationTime: 0,
    rules,
  });
  const groups = [
    group("calm", [{ ...said, type: "recording", name: "job:up:sum" }, alert("Never", "inactive")]),
    group("loud", [alert("Slow", "pending"), alert("Down", "firing")]),
    group("broken", [alert("Fault", "firing", "err")]),
  ];
  test("groups with a fault come first, then those that fire; rules keep their order", () => {
    expect(chosenGroups(groups, "all", []).map(({ name }) => name)).toEqual(["broken", "loud", "calm"]);
    expect(chosenGroups(groups, "all", [])[1]?.rules.map(({ name }) => name)).toEqual(["Slow", "Down"]);
  });
  test("a rule with a fault is counted as that, whatever its state was", () => {
    expect(countStates(groups)).toEqual({ all: 5, firing: 1, pending: 1, inactive: 1, error: 1 });
    expect(chosenGroups(groups, "firing", []).flatMap(({ rules }) => rules.map(({ name }) => name))).toEqual([
      "Down",
    ]);
  });
  test("every word must be somewhere", () => {
    expect(chosenGroups(groups, "all", ["up", "job:"]).map(({ name }) => name)).toEqual(["calm"]);
    expect(chosenGroups(groups, "all", ["nowhere"])).toEqual([]);
  });
});

test("a trace id is found in what was pasted", () => {
  const id = "0af7651916cd43dd8448eb211c80319c";
  for (const text of [
    id,
    `00-${id}-b7ad6b7169203331-01`,
    `trace_id=${id.toUpperCase()} x`,
    `https://x/traces/${id}?a=b`,
  ])
    expect(traceIdIn(text), text).toBe(id);
  for (const text of ["", "predict", id.slice(1), `${id}0`]) expect(traceIdIn(text), text).toBeNull();
});

test("a link to a line finds it again, by id or by its nanoseconds", () => {
  const line = {
    id: "a.b",
    time: "2026-11-21T10:00:00.123456789Z",
    time_unix_ns: "1795255200123456789",
    service: "api",
  } as Parameters<typeof permalink>[0];
  const address = new URL(permalink(line), "http://x");
  expect(address.searchParams.get("to")).toBe(String(Date.UTC(2026, 10, 21, 10, 0, 0, 124)));
  const kept = address.searchParams.get("line") ?? "";
  expect(isLine(line, kept)).toBe(true);
  expect(isLine({ ...line, id: "moved" }, kept)).toBe(true);
  expect(isLine({ ...line, id: "other", time_unix_ns: "1" }, kept)).toBe(false);
});

test("the same query again moves to the front of the history", () => {
  const kept = new Map<string, string>();
  const store = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  remember(store, "a", 1);
  remember(store, "b", 2);
  expect(remember(store, "a", 3).map((run) => run.sql)).toEqual(["a", "b"]);
  expect(readHistory(store)).toHaveLength(2);
  store.setItem("trefoil.sql-history", '[{"sql":5},null,"x"]');
  expect(readHistory(store)).toEqual([]);
});

test("spans are found by every word in any place", () => {
  const span = (name: string, attributes: Record<string, unknown>): Span =>
    ({
      name,
      service: "api",
      span_id: "1",
      kind: "server",
      status: "ok",
      status_message: null,
      attributes,
      events: [],
    }) as unknown as Span;
  const list = [span("GET /a", { code: 200 }), span("POST /a", { code: 500, tags: ["x"] })];
  const check = (find: string, wanted: number[] | null) =>
    expect(findSpans(list, find), find).toEqual(wanted);
  check("", null);
  check("get", [0]);
  check("api", [0, 1]);
  check("code=500", [1]);
  check("post x", [1]);
  check("get code=500", []);
});

test("lines that were sent twice are told apart, and known by one id to the server", () => {
  const line = (id: string) => ({ id }) as Parameters<typeof distinctIds>[0][number];
  const seen = new Map<string, number>();
  const ids = [
    ...distinctIds([line("a"), line("a"), line("b")], seen),
    ...distinctIds([line("a")], seen),
  ].map((one) => one.id);
  expect(ids).toEqual(["a", "a~2", "b", "a~3"]);
  expect(ids.map(serverId)).toEqual(["a", "a", "b", "a"]);
});

test("a span without a service or a link without attributes is shown all the same", () => {
  const wire = {
    spans: [{ service: null, events: [], links: [{ trace_id: "t", span_id: "s" }] }],
  } as unknown as Parameters<typeof traceFromWire>[0];
  expect(traceFromWire(wire).spans[0]).toMatchObject({ service: "unknown", links: [{ attributes: {} }] });
});

describe("SQL completion", () => {
  test("knows the tables of the query and their aliases", () => {
    const check = (sql: string, wanted: string) =>
      expect(
        tablesIn(sql)
          .map(({ table, alias }) => `${table} ${alias}`)
          .join(", "),
        sql,
      ).toBe(wanted);
    check("SELECT ", "spans spans, logs logs");
    check("select * from spans where x", "spans spans");
    check("SELECT avg(value) FROM metrics WHERE", "metrics metrics");
    check("SELECT * FROM spans AS s\nJOIN logs l ON l.trace_id = s.trace_id", "spans s, logs l");
  });
  test("offers the columns of what stands before the dot", () => {
    const field = (name: string, scope: "column" | "attributes") => ({
      name,
      key: name,
      scope,
      type: "string",
    });
    const tables = {
      spans: [field("duration_ns", "column"), field("http.route", "attributes")],
      logs: [field("body", "column"), field("it's", "attributes")],
      metrics: METRIC_FIELDS,
    };
    const labels = (sql: string, alias: string | null) =>
      columnsFor(sql, alias, tables).map((one) => one.label);
    expect(labels("SELECT FROM spans", null)).toEqual(["duration_ns", "attributes['http.route']"]);
    expect(labels("FROM spans s JOIN logs l", "l")).toEqual(["body", "attributes['it''s']"]);
    expect(labels("FROM spans s", "x")).toEqual([]);
    expect(labels("FROM metrics m", "m")).toContain("labels");
  });
  test("asks for the values of a column, and of a time for its ends", () => {
    const route = { name: "http.route", key: "http.route", scope: "attributes" as const, type: "string" };
    expect(valuesQuery("spans", route)).toBe(
      "SELECT attributes['http.route'] AS value, count(*) AS rows\nFROM spans\nWHERE time > now() - INTERVAL '1 hour' AND attributes['http.route'] IS NOT NULL\nGROUP BY value\nORDER BY rows DESC\nLIMIT 100",
    );
    const time = { name: "time", key: "time", scope: "column" as const, type: "timestamp" };
    expect(valuesQuery("logs", time)).toContain("min(time)");
    for (const field of METRIC_FIELDS) expect(valuesQuery("metrics", field)).toContain("FROM metrics");
  });
});
