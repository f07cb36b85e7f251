import { Text } from "@codemirror/state";
import { describe, expect, test } from "vitest";

import type { ExemplarSeries, Target } from "../../api/prometheus";
import { dropRule, toCosts } from "../cardinality/costs";
import { matches, pools } from "../targets/health";
import { listed, thin, toPoints } from "./exemplars";
import { familyHelp, termHelp } from "./help";
import { diagnostic, plainMessage } from "./lint";
import { pin, PINNED_MAX, readPinned, unpin } from "./pinned";
import { readQueries, writeQueries, readSelection, writeSelection } from "./search";

describe("the address", () => {
  test("carries queries in order, and which are hidden", () => {
    const queries = [
      { expr: "a", hidden: false },
      { expr: " ", hidden: false },
      { expr: "b", hidden: true },
    ];
    const written = writeQueries(queries);
    expect(written).toMatchObject({ q: "a", q2: "b", hide: "2" });
    expect(readQueries(written)).toEqual([queries[0], queries[2]]);
  });
  test("with a hole is read all the same", () => {
    expect(readQueries({ q3: "c", hide: "3,x" })).toEqual([{ expr: "c", hidden: true }]);
  });
});

describe("faults", () => {
  const check = (doc: string, fault: { message: string; line?: number; column?: number }, wanted: string) => {
    const { from, to, message } = diagnostic(Text.of(doc.split("\n")), fault);
    expect(`${doc.slice(from, to)}: ${message}`, doc).toBe(wanted);
  };
  test("mark the word where the server says", () => {
    check(
      "rate(up)",
      {
        message: '1:6: parse error: expected type range vector in call to function "rate"',
        line: 1,
        column: 6,
      },
      'up: parse error: expected type range vector in call to function "rate"',
    );
    check("sum(\nfoo bar)", { message: "2:5: parse error: x", line: 2, column: 5 }, "bar: parse error: x");
  });
  test("at the end mark what stands before it", () => {
    check("foo(", { message: "1:5: parse error: unclosed", line: 1, column: 5 }, "(: parse error: unclosed");
  });
  test("without a place mark everything", () => {
    check("foo", { message: "no" }, "foo: no");
    check("foo", { message: "no", line: 9, column: 1 }, "foo: no");
  });
  test("are said without their place and parameter", () => {
    expect(plainMessage('invalid parameter "query": 1:2: parse error: x')).toBe("parse error: x");
  });
});

test("words of the language and metrics have help", () => {
  expect(termHelp("rate")?.text).toMatch(/per-second/i);
  expect(termHelp("nothing")).toBeNull();
  const family = { name: "h", type: "histogram", unit: "s", help: "How long.", names: ["h_bucket"] };
  expect(familyHelp([family], "h_bucket")).toEqual({ title: "h", detail: "histogram, s", text: "How long." });
  expect(familyHelp([family], "x")).toBeNull();
});

describe("panels", () => {
  const store = () => {
    const kept = new Map<string, string>();
    return {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
    };
  };
  test("are kept once each, and taken away", () => {
    const kept = store();
    pin(kept, { title: "a", exprs: ["a"] });
    pin(kept, { title: "a again", exprs: ["a"] });
    pin(kept, { title: "b", exprs: ["b"], style: "stacked" });
    expect(readPinned(kept).map((one) => one.title)).toEqual(["a again", "b"]);
    expect(unpin(kept, { title: "", exprs: ["a"] }).map((one) => one.title)).toEqual(["b"]);
  });
  test("are not too many, and what is no panel is passed over", () => {
    const kept = store();
    for (let at = 0; at < PINNED_MAX + 3; at += 1) pin(kept, { title: `${at}`, exprs: [`${at}`] });
    expect(readPinned(kept)).toHaveLength(PINNED_MAX);
    kept.setItem("trefoil.metric-panels", '[1,{"title":"x","exprs":[]},{"title":"y","exprs":["y"]}]');
    expect(readPinned(kept).map((one) => one.title)).toEqual(["y"]);
  });
});

describe("exemplars", () => {
  const id = (at: number) => String(at).padStart(32, "0");
  const series: ExemplarSeries[] = [
    {
      seriesLabels: { le: "1" },
      exemplars: [
        { labels: { trace_id: id(1) }, value: "0.5", timestamp: 10 },
        { labels: { trace_id: id(2) }, value: "0.9", timestamp: 10.1 },
        { labels: { other: "x" }, value: "9", timestamp: 11 },
        { labels: { trace_id: id(3) }, value: "0.1", timestamp: 500 },
      ],
    },
  ];
  const range = { start: 0, end: 100_000 };
  const points = toPoints([{ expr: "rate(x_count[1m])", series }], range);
  test("are those with a trace in this time", () => {
    expect(points.map((point) => point.traceId)).toEqual([id(1), id(2)]);
    expect(points[0]?.onAxis).toBe(false);
  });
  test("that would cover each other leave the largest", () => {
    expect(thin(points, range).map((point) => point.traceId)).toEqual([id(2)]);
    expect(listed(points).map((point) => point.value)).toEqual([0.9, 0.5]);
  });
});

test("targets stand by pool, what is down first", () => {
  const target = (scrapePool: string, scrapeUrl: string, health: Target["health"]): Target => ({
    discoveredLabels: {},
    labels: { job: scrapePool },
    scrapePool,
    scrapeUrl,
    lastError: health === "down" ? "connection refused" : "",
    lastScrape: "2026-11-21T10:00:00Z",
    lastScrapeDuration: 0.01,
    health,
  });
  const all = [target("a", "u1", "up"), target("b", "u2", "up"), target("b", "u3", "down")];
  expect(pools(all).map((pool) => [pool.name, pool.up, pool.targets.map((one) => one.scrapeUrl)])).toEqual([
    ["b", 1, ["u3", "u2"]],
    ["a", 1, ["u1"]],
  ]);
  expect(all.filter((one) => matches(one, "down", ["refused", "job"])).length).toBe(1);
  expect(all.filter((one) => matches(one, "all", ["u1", "refused"])).length).toBe(0);
});

test("costs are our own where the server tells them, else counts", () => {
  const tsdb = {
    headStats: { numSeries: 10 },
    seriesCountByMetricName: [{ name: "m", value: 4 }],
    labelValueCountByLabelName: [{ name: "l", value: 3 }],
    memoryInBytesByLabelName: [{ name: "l", value: 99 }],
    seriesCountByLabelValuePair: [{ name: "a=b=c", value: 2 }],
  };
  const counts = toCosts(undefined, tsdb);
  expect(counts?.labels[0]).toMatchObject({ values: 3, bytes: 99 });
  expect(counts?.metrics[0]?.bytes).toBeNull();
  expect(counts?.pairs[0]).toEqual({ name: "a", value: "b=c", series: 2 });
  const ours = { series: 4, label_pairs: 7, metrics: [{ metric: "m", series: 4, bytes: 8 }], labels: [] };
  expect(toCosts(ours, tsdb)).toMatchObject({
    series: 4,
    pairsTotal: 7,
    metrics: [{ bytes: 8 }],
    pairs: [{ series: 2 }],
  });
  const pairs = [{ label: "job", value: "a", series: 3 }];
  expect(toCosts({ ...ours, head_series: 1, one_in: 4, complete: false, pairs }, tsdb)).toMatchObject({
    headSeries: 1,
    caveat: "Estimated from one of 4 series. The oldest blocks are left out: counting took too long.",
    pairs: [{ name: "job", value: "a", series: 3 }],
  });
  expect(toCosts(undefined, undefined)).toBeNull();
  expect(dropRule("metric", "a.b")).toContain("regex: a\\.b");
});

test("the chosen time is read as it was written, and nothing else", () => {
  const range = { start: 1_795_271_000_000, end: 1_795_271_060_000.4 };
  expect(readSelection(writeSelection(range))).toEqual({ start: 1_795_271_000_000, end: 1_795_271_060_000 });
  expect(writeSelection(null)).toBeUndefined();
  for (const text of [undefined, "", "5-6", "1795271060000-1795271000000", "now-1h"])
    expect(readSelection(text)).toBeNull();
});
