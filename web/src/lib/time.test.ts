import { describe, expect, test } from "vitest";

import {
  formatAgo,
  parseTime,
  rangeLabel,
  rangeProblem,
  resolveRange,
  shiftRange,
  timeMs,
  timeTicks,
  unixNsToMs,
  zoomRange,
} from "./time";

const NOW = Date.UTC(2026, 10, 21, 14, 30, 15, 250);

describe("parseTime", () => {
  const check = (expression: string, wanted: number | null) =>
    expect(parseTime(expression, NOW), expression).toBe(wanted);
  test("relative expressions count from now", () => {
    check("now", NOW);
    check("now-15m", NOW - 900_000);
    check(" now-2d ", NOW - 172_800_000);
    check("now+1h", NOW + 3_600_000);
  });
  test("a slash goes back to the start of the day or hour", () => {
    check("now/h", Date.UTC(2026, 10, 21, 14));
    check("now/d", Date.UTC(2026, 10, 21));
    check("now-1d/d", Date.UTC(2026, 10, 20));
  });
  test("numbers are milliseconds, or seconds when they have ten digits", () => {
    check("1795271415250", 1795271415250);
    check("1795271415", 1795271415000);
  });
  test("dates are read with a space or a T, with or without a zone", () => {
    check("2026-11-21 14:00", Date.UTC(2026, 10, 21, 14));
    check("2026-11-21T14:00:00.5Z", Date.UTC(2026, 10, 21, 14, 0, 0, 500));
    check("2026-11-21T14:00+02:00", Date.UTC(2026, 10, 21, 12));
  });
  test("anything else is not a time", () => {
    for (const wrong of ["", "yesterday", "now-", "now-5x", "now - 5m", "5", "12:30"]) check(wrong, null);
  });
});

test("a range that cannot be read is the last 15 minutes", () => {
  expect(resolveRange({ from: "x", to: "now" }, NOW)).toEqual({ start: NOW - 900_000, end: NOW });
  expect(resolveRange({ from: "now", to: "now-1h" }, NOW)).toEqual({ start: NOW - 900_000, end: NOW });
});

test("a problem says what to write", () => {
  expect(rangeProblem({ from: "x", to: "now" }, NOW)).toMatch(/now-1h/);
  expect(rangeProblem({ from: "now", to: "now-1h" }, NOW)).toMatch(/before/);
  expect(rangeProblem({ from: "now-1h", to: "now" }, NOW)).toBeNull();
});

test("labels name presets and shorten days that are the same", () => {
  expect(rangeLabel({ from: "now-1h", to: "now" }, NOW)).toBe("Last hour");
  expect(rangeLabel({ from: "now-45m", to: "now" }, NOW)).toBe("Last 45m");
  expect(rangeLabel({ from: "2026-11-21 10:00", to: "2026-11-21 11:00" }, NOW)).toBe(
    "2026-11-21 10:00 – 11:00",
  );
  expect(rangeLabel({ from: "2026-11-20 10:00", to: "2026-11-21 11:00" }, NOW)).toBe(
    "2026-11-20 10:00 – 2026-11-21 11:00",
  );
});

test("shift and zoom keep the length and the middle", () => {
  expect(shiftRange({ start: 1_000, end: 3_000 }, -0.5)).toEqual({ start: 0, end: 2_000 });
  expect(zoomRange({ start: 10_000, end: 20_000 }, 2)).toEqual({ start: 5_000, end: 25_000 });
});

test("nanoseconds are read without losing the milliseconds", () => {
  expect(timeMs("2026-11-21T03:44:07.123456789Z")).toBe(Date.UTC(2026, 10, 21, 3, 44, 7, 123));
  expect(unixNsToMs("1795271415250123456", 1_000_000)).toBeCloseTo(1795271415251.123, 2);
});

test("ticks are at round times, each once, and no more than there is room for", () => {
  const range = { start: NOW, end: NOW + 300_000 };
  const { times, stepMs } = timeTicks(range, 6);
  expect(stepMs).toBe(60_000);
  expect(times).toEqual([1, 2, 3, 4, 5].map((minute) => Date.UTC(2026, 10, 21, 14, 30 + minute)));
  for (const length of [3, 250, 9_000, 3_600_000, 86_400_000 * 3, 86_400_000 * 400])
    expect(timeTicks({ start: NOW, end: NOW + length }, 6).times.length, `${length}`).toBeLessThanOrEqual(7);
  expect(timeTicks({ start: NOW, end: NOW }, 6).times.length).toBeLessThanOrEqual(1);
});

test("ages are rounded to what matters", () => {
  const check = (seconds: number, wanted: string) =>
    expect(formatAgo(NOW - seconds * 1_000, NOW)).toBe(wanted);
  check(0, "now");
  check(59, "59 s ago");
  check(120, "2 min ago");
  check(7_200, "2 h ago");
  check(300_000, "3 d ago");
});
