/** Exemplars as points on the graph: those with a trace, thinned so that each can be hit. */

import type { ExemplarSeries, Labels } from "../../api/prometheus";
import { exemplarsShareAxis } from "../../lib/promql";
import { parseValue, traceIdOf } from "../../lib/series";
import type { Range } from "../../lib/time";

export type Point = {
  key: string;
  timeMs: number;
  value: number;
  traceId: string;
  labels: Labels;
  /** Whether its value can be read on the graph's axis; else it stands at the foot. */
  onAxis: boolean;
};

/** Points of a graph this wide; of those that would cover each other the largest value stays. */
export const COLUMNS = 120;
const LISTED_MAX = 50;

export function toPoints(
  answers: readonly { expr: string; series: readonly ExemplarSeries[] }[],
  range: Range,
): Point[] {
  const found = new Map<string, Point>();
  for (const { expr, series } of answers) {
    const onAxis = exemplarsShareAxis(expr);
    for (const { seriesLabels, exemplars } of series)
      for (const { labels, value, timestamp } of exemplars) {
        const traceId = traceIdOf(labels);
        const timeMs = timestamp * 1_000;
        if (!traceId || timeMs < range.start || timeMs > range.end) continue;
        const key = `${traceId} ${value} ${timeMs}`;
        found.set(key, { key, timeMs, value: parseValue(value), traceId, labels: seriesLabels, onAxis });
      }
  }
  return [...found.values()].sort((a, b) => a.timeMs - b.timeMs);
}

export function thin(points: readonly Point[], range: Range, columns = COLUMNS): Point[] {
  const width = (range.end - range.start) / columns;
  const kept = new Map<number, Point>();
  for (const point of points) {
    const column = Math.floor((point.timeMs - range.start) / width);
    const before = kept.get(column);
    if (!before || point.value > before.value) kept.set(column, point);
  }
  return [...kept.values()];
}

/** The largest first: of a latency the slowest, which is what one looks for. */
export function listed(points: readonly Point[]): Point[] {
  return [...points].sort((a, b) => b.value - a.value).slice(0, LISTED_MAX);
}
