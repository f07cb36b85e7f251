import { describe, expect, test } from "vitest";

import {
  countLabels,
  formatNumber,
  formatUnit,
  labelsText,
  matchersIn,
  parseValue,
  serviceOfEach,
  servicesOf,
  splitLabels,
  summary,
  toDrawing,
  toHeat,
  traceIdOf,
} from "./series";

test("labels are written as PromQL selects them", () => {
  expect(labelsText({ __name__: "up", job: 'a"b' })).toBe('up{job="a\\"b"}');
  expect(labelsText({ __name__: "up" })).toBe("up");
  expect(labelsText({})).toBe("{}");
});

test("what all series share is said once", () => {
  const { common, own } = splitLabels([
    { job: "a", code: "200" },
    { job: "a", code: "500" },
  ]);
  expect([common, own]).toEqual([{ job: "a" }, [{ code: "200" }, { code: "500" }]]);
  expect(splitLabels([{ job: "a" }])).toEqual({ common: {}, own: [{ job: "a" }] });
});

describe("drawings", () => {
  const item = (metric: Record<string, string>, values: [number, string][]) => ({ metric, values });
  test("have one time axis, gaps where nothing is, and breaks in lines", () => {
    const drawing = toDrawing(
      [
        {
          query: 0,
          stepMs: 10_000,
          items: [
            item({ b: "10" }, [
              [10, "1"],
              [20, "2"],
              [60, "3"],
            ]),
            item({ b: "2" }, [[20, "7"]]),
          ],
        },
        { query: 1, stepMs: 10_000, items: [item({}, [[10, "5"]])] },
      ],
      10,
    );
    expect(drawing.times).toEqual([10_000, 20_000, 30_000, 60_000]);
    expect(drawing.series.map(({ query, values }) => [query, values])).toEqual([
      [0, [null, 7, null, null]],
      [0, [1, 2, null, 3]],
      [1, [5, null, null, null]],
    ]);
  });
  test("count what a line cannot show, and what was left out", () => {
    const values: [number, string][] = [
      [1, "NaN"],
      [2, "+Inf"],
      [3, "1"],
    ];
    const drawing = toDrawing(
      [{ query: 0, stepMs: 1_000, items: [item({ a: "1" }, values), item({ a: "2" }, values)] }],
      1,
    );
    expect([drawing.series[0]?.odd, drawing.left]).toEqual([2, 1]);
  });
});

test("a summary passes over gaps", () => {
  expect(summary([null, 2, 4, null])).toEqual({ last: 4, min: 2, max: 4, mean: 3 });
  expect(summary([null])).toEqual({ last: null, min: null, max: null, mean: null });
});

describe("heatmaps", () => {
  test("take each bucket less the one below it", () => {
    const heat = toHeat([
      { metric: { le: "0.1" }, values: [[1, "2"]] },
      { metric: { le: "1" }, values: [[1, "5"]] },
      { metric: { le: "+Inf" }, values: [[1, "5"]] },
    ]);
    expect(heat?.rows.map((row) => [row.lower, row.upper, row.counts])).toEqual([
      [0, 0.1, [2]],
      [0.1, 1, [3]],
    ]);
    expect(heat?.max).toBe(3);
  });
  test("take native buckets as they are, series added", () => {
    const histogram = {
      count: "3",
      sum: "4",
      buckets: [
        [0, "0.5", "1", "1"],
        [0, "1", "2", "2"],
      ] as [number, string, string, string][],
    };
    const heat = toHeat([
      { metric: { a: "1" }, histograms: [[1, histogram]] },
      { metric: { a: "2" }, histograms: [[1, histogram]] },
    ]);
    expect(heat?.rows.map((row) => [row.lower, row.upper, row.counts])).toEqual([
      [0.5, 1, [2]],
      [1, 2, [4]],
    ]);
  });
  test("are none without buckets", () => {
    expect(toHeat([{ metric: {}, values: [[1, "1"]] }])).toBeNull();
  });
});

test("labels are counted, those with most values first", () => {
  const counted = countLabels([
    { __name__: "x", job: "a", pod: "1" },
    { __name__: "x", job: "a", pod: "2" },
  ]);
  expect(
    counted.map((one) => [one.name, one.values.map(({ value, series }) => `${value} ${series}`)]),
  ).toEqual([
    ["pod", ["1 1", "2 1"]],
    ["job", ["a 2"]],
  ]);
});

test("services are those that send traces, by the surest label", () => {
  const check = (labels: Record<string, string>[], wanted: string[]) =>
    expect(servicesOf(labels, ["fraud-api", "pricing"])).toEqual(wanted);
  check([{ service_name: "fraud-api", job: "pricing" }], ["fraud-api"]);
  check([{ job: "shop/pricing" }, { job: "fraud-api" }], ["fraud-api", "pricing"]);
  check([{ job: "node" }], []);
  check([matchersIn('rate(x{job="pricing", code!="5", a=~"b"}[5m])')], ["pricing"]);
});

test("matchers that contradict each other say nothing", () => {
  expect(matchersIn('a{x="1", y="2"} / b{x="3", y="2"}')).toEqual({ y: "2" });
  expect(matchersIn("a{x='it'}")).toEqual({ x: "it" });
});

test("trace ids are known under their usual names", () => {
  const id = "4bf92f3577b34da6a3ce929d0e0e4736";
  expect(traceIdOf({ traceID: id.toUpperCase() })).toBe(id);
  expect(traceIdOf({ trace_id: "a3ce929d0e0e4736" })).toBe("0000000000000000a3ce929d0e0e4736");
  expect(traceIdOf({ trace_id: "x", span: id })).toBeNull();
});

test("numbers keep four digits, and what is none is said", () => {
  const check = (value: number, wanted: string) => expect(formatNumber(value)).toBe(wanted);
  check(0, "0");
  check(1.23456, "1.235");
  check(1234.5678, "1235");
  check(12_345, "12.3 k");
  check(0.0000123, "1.23e-5");
  check(NaN, "NaN");
  check(-Infinity, "-Inf");
  expect(parseValue("+Inf")).toBe(Infinity);
  expect(formatUnit("seconds")(0.0125)).toBe("12.5 ms");
  expect(formatUnit("bytes/s")(2_048)).toBe("2 KiB/s");
  expect(formatUnit("share")(0.256)).toBe("25.6 %");
  expect(formatUnit("seconds")(NaN)).toBe("NaN");
});

test("series are of a service each, or the question has no answer", () => {
  const services = ["api", "worker"];
  expect(serviceOfEach([{ job: "worker" }, { job: "x/api" }], services)).toEqual(["worker", "api"]);
  expect(serviceOfEach([{ job: "api" }, { job: "api", le: "1" }], services)).toBeNull();
  expect(serviceOfEach([{ job: "api" }, { job: "other" }], services)).toBeNull();
  expect(serviceOfEach([{ job: "api" }], services)).toBeNull();
});
