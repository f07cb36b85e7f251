/** Counts in buckets as rates, where the first and the last bucket may lie outside the range in part. */

import type { Range } from "./time";

/** Of a bucket less than this share is too little to tell a rate. */
const COVERED_MIN = 0.3;

/** The share of each bucket that lies in the range. */
export function coverage(count: number, startMs: number, stepMs: number, range: Range): number[] {
  return Array.from({ length: count }, (_, at) => {
    const from = Math.max(range.start, startMs + at * stepMs);
    const to = Math.min(range.end, startMs + (at + 1) * stepMs);
    return Math.max(0, to - from) / stepMs;
  });
}

/** Counts a second; null where too little of the bucket is in the range. */
export function perSecond(
  counts: readonly number[],
  startMs: number,
  stepMs: number,
  range: Range,
): (number | null)[] {
  const covered = coverage(counts.length, startMs, stepMs, range);
  return counts.map((count, at) => {
    const share = covered[at] ?? 0;
    return share < COVERED_MIN ? null : (count * 1_000) / (stepMs * share);
  });
}

/** The values of whole buckets, for a line without axes. */
export function whole<T>(values: readonly T[], startMs: number, stepMs: number, range: Range): T[] {
  const covered = coverage(values.length, startMs, stepMs, range);
  return values.filter((_, at) => (covered[at] ?? 0) > 0.99);
}

/**
 * From when on there is data: the start of the range, or of the first bucket in which any series
 * has something. What was sent in a minute is not a rate over the hour before it.
 */
export function dataStart(
  all: readonly (readonly number[])[],
  startMs: number,
  stepMs: number,
  range: Range,
): number {
  const first = Math.min(
    ...all.map((counts) => counts.findIndex((count) => count > 0)).filter((at) => at >= 0),
  );
  return Number.isFinite(first) ? Math.max(range.start, startMs + first * stepMs) : range.start;
}

/** How many a second, of what was counted from `fromMs` to the end of the range. */
export function rateSince(count: number, fromMs: number, range: Range): number {
  return (count * 1_000) / Math.max(1_000, range.end - fromMs);
}
