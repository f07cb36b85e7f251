/** What the page's address carries: the expressions in order, those hidden, and how they are shown. */

import type { Range } from "../../lib/time";

export const QUERIES_MAX = 8;
export const QUERY_KEYS = ["q", "q2", "q3", "q4", "q5", "q6", "q7", "q8"] as const;

export type View = "graph" | "table" | "browse";
export type Style = "lines" | "stacked" | "heatmap";

export type MetricsSearch = Partial<Record<(typeof QUERY_KEYS)[number], string>> & {
  hide?: string;
  view?: string;
  style?: string;
  step?: string;
  exemplars?: string;
  find?: string;
  metric?: string;
  /** The chosen stretch of the graph, `from-to` in milliseconds. */
  sel?: string;
};

export type Asked = { expr: string; hidden: boolean };

export function readQueries(search: MetricsSearch): Asked[] {
  const hidden = new Set((search.hide ?? "").split(","));
  return QUERY_KEYS.flatMap((key, at) => {
    const expr = search[key];
    return expr ? [{ expr, hidden: hidden.has(String(at + 1)) }] : [];
  });
}

/** The parameters of these queries; empty ones are left out and the rest moves up. */
export function writeQueries(queries: readonly Asked[]): MetricsSearch {
  const kept = queries.filter(({ expr }) => expr.trim() !== "").slice(0, QUERIES_MAX);
  const out: MetricsSearch = { hide: undefined };
  QUERY_KEYS.forEach((key, at) => {
    out[key] = kept[at]?.expr.trim();
  });
  const hidden = kept.flatMap((one, at) => (one.hidden ? [String(at + 1)] : []));
  if (hidden.length > 0) out.hide = hidden.join(",");
  return out;
}

/** The chosen time; null when nothing, or nothing sensible, is chosen. */
export function readSelection(text: string | undefined): Range | null {
  const [, start, end] = /^(\d{10,15})-(\d{10,15})$/.exec(text ?? "") ?? [];
  return start && end && Number(start) < Number(end) ? { start: Number(start), end: Number(end) } : null;
}

export function writeSelection(range: Range | null): string | undefined {
  return range ? `${Math.round(range.start)}-${Math.round(range.end)}` : undefined;
}

/** A letter a query, as the rows and the legend call it. */
export const letter = (at: number): string => String.fromCharCode(65 + at);
