import { expect, test } from "vitest";

import {
  formatBytes,
  formatCount,
  formatDuration,
  formatInteger,
  formatOffset,
  formatPercent,
  formatRate,
  parseDurationMs,
  plural,
} from "./units";

test("durations have three digits and the unit that fits", () => {
  const check = (ns: number, wanted: string) => expect(formatDuration(ns), String(ns)).toBe(wanted);
  check(0, "0");
  check(340, "340 ns");
  check(12_500, "12.5 µs");
  check(999_499, "999 µs");
  check(999_999, "1 ms");
  check(7_123_456, "7.12 ms");
  check(150e6, "150 ms");
  check(1.5e9, "1.5 s");
  check(59.96e9, "1 min");
  check(125e9, "2 min 5 s");
  check(3_600e9, "1 h");
  check(3_599.9e9, "1 h");
  check(11_400e9, "3 h 10 min");
  check(100 * 3_600e9, "4 d 4 h");
  check(-2e6, "−2 ms");
  check(Number.NaN, "–");
});

test("places in a trace have each millisecond", () => {
  expect(formatOffset(42_800)).toBe("42.8 µs");
  expect(formatOffset(1_002_345_678)).toBe("1.002 s");
  expect(formatOffset(-1_500_000_000)).toBe("-1.500 s");
});

test("one is not many", () => {
  expect([0, 1, 2, 1_234].map((count) => plural(count, "line"))).toEqual([
    "0 lines",
    "1 line",
    "2 lines",
    "1,234 lines",
  ]);
  expect(plural(2, "query", "queries")).toBe("2 queries");
});

test("durations are read as people write them", () => {
  const check = (text: string, wanted: number | null) => expect(parseDurationMs(text), text).toBe(wanted);
  check("500ms", 500);
  check("1.5 s", 1_500);
  check("250", 250);
  check("2m", 120_000);
  check(".5s", 500);
  check("10µs", 0.01);
  for (const wrong of ["", "s", "5 parsecs", "-1s", "1e3ms"]) check(wrong, null);
});

test("counts, bytes, rates and shares", () => {
  expect([0, 950, 1_234, 999_600, 4_560_000, 12].map(formatCount)).toEqual([
    "0",
    "950",
    "1.23 k",
    "1 M",
    "4.56 M",
    "12",
  ]);
  expect([0, 1_023, 1_536, 1_073_741_824].map(formatBytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "1 GiB"]);
  expect([0, 0.001, 0.25, 12.34, 12_345].map(formatRate)).toEqual([
    "0/s",
    "<0.01/s",
    "0.25/s",
    "12.3/s",
    "12.3 k/s",
  ]);
  expect([0, 0.00001, 0.0042, 0.125, 1].map(formatPercent)).toEqual([
    "0 %",
    "<0.01 %",
    "0.42 %",
    "12.5 %",
    "100 %",
  ]);
  expect(formatInteger(1_234_567)).toBe("1,234,567");
});
