/** Answers of range queries made ready to draw: one time axis, names that tell series apart, buckets as cells. */

import { formatBytes, formatCount, formatDuration, formatRate } from "./units";
import type { Unit } from "./promql";

export type Labels = Readonly<Record<string, string>>;
type Sample = readonly [number, string];
type Bucket = readonly [number, string, string, string];
type Histogram = { count: string; sum: string; buckets?: readonly Bucket[] };
type MatrixItem = {
  metric: Labels;
  values?: readonly Sample[];
  histograms?: readonly (readonly [number, Histogram])[];
};

/** Prometheus's own writing of a float. */
export function parseValue(text: string): number {
  if (text === "+Inf" || text === "Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  return text === "NaN" ? NaN : Number(text);
}

/** `name{a="b"}`, as PromQL would select it. */
export function labelsText(labels: Labels): string {
  const { __name__: name, ...rest } = labels;
  const inner = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  if (inner.length === 0) return name ?? "{}";
  return `${name ?? ""}{${inner.join(", ")}}`;
}

/** The labels that all have with the same value, and for each what is its own. */
export function splitLabels(all: readonly Labels[]): { common: Labels; own: Labels[] } {
  const first = all[0];
  if (first === undefined || all.length === 1) return { common: {}, own: [...all] };
  const shared = Object.keys(first).filter((key) => all.every((labels) => labels[key] === first[key]));
  const without = new Set(shared);
  return {
    common: Object.fromEntries(shared.map((key) => [key, first[key] ?? ""])),
    own: all.map((labels) => Object.fromEntries(Object.entries(labels).filter(([key]) => !without.has(key)))),
  };
}

export type Drawn = {
  /** Which query it answers, and its place there: stable while the series are the same. */
  query: number;
  labels: Labels;
  values: (number | null)[];
  /** How many of its points are NaN or infinite: a line cannot show them. */
  odd: number;
};

export type Drawing = { times: number[]; series: Drawn[]; left: number };

/** One time axis for the answers of all queries, at most `max` series. Missing points are null: gaps. */
export function toDrawing(
  answers: readonly { query: number; stepMs: number; items: readonly MatrixItem[] }[],
  max: number,
): Drawing {
  const times = timesOf(answers);
  const at = new Map(times.map((time, index) => [time, index]));
  const series: Drawn[] = [];
  let left = 0;
  for (const { query, items } of answers) {
    for (const item of sorted(items)) {
      if (!item.values || item.values.length === 0) continue;
      if (series.length >= max) {
        left += 1;
        continue;
      }
      const values = new Array<number | null>(times.length).fill(null);
      let odd = 0;
      for (const [seconds, text] of item.values) {
        const value = parseValue(text);
        const index = at.get(Math.round(seconds * 1_000));
        if (index === undefined) continue;
        if (Number.isFinite(value)) values[index] = value;
        else odd += 1;
      }
      series.push({ query, labels: item.metric, values, odd });
    }
  }
  return { times, series, left };
}

/** Every time of the answers, and a step beyond each gap, so that lines break there. */
function timesOf(answers: readonly { stepMs: number; items: readonly MatrixItem[] }[]): number[] {
  const times = new Set<number>();
  for (const { items } of answers)
    for (const { values } of items)
      for (const [seconds] of values ?? []) times.add(Math.round(seconds * 1_000));
  const step = Math.max(0, ...answers.map(({ stepMs }) => stepMs));
  const known = [...times].sort((a, b) => a - b);
  const out: number[] = [];
  known.forEach((time, index) => {
    const before = known[index - 1];
    if (before !== undefined && step > 0 && time - before > step * 1.5) out.push(before + step);
    out.push(time);
  });
  return out;
}

function sorted(items: readonly MatrixItem[]): MatrixItem[] {
  return [...items].sort((a, b) => {
    const [left, right] = [labelsText(a.metric), labelsText(b.metric)];
    return left.localeCompare(right, "en", { numeric: true });
  });
}

export type Summary = { last: number | null; min: number | null; max: number | null; mean: number | null };

export function summary(values: readonly (number | null)[]): Summary {
  let [last, min, max, sum, count]: [number | null, number, number, number, number] = [
    null,
    Infinity,
    -Infinity,
    0,
    0,
  ];
  for (const value of values) {
    if (value === null) continue;
    last = value;
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    count += 1;
  }
  return count === 0 ? { last, min: null, max: null, mean: null } : { last, min, max, mean: sum / count };
}

export type Heat = {
  times: number[];
  rows: { lower: number; upper: number; counts: number[] }[];
  max: number;
};

/** Buckets over time: native histograms as they are, or series with `le` less the bucket below them. */
export function toHeat(items: readonly MatrixItem[], rowsMax = 120): Heat | null {
  const cells = new Map<string, { lower: number; upper: number; at: Map<number, number> }>();
  const add = (lower: number, upper: number, time: number, count: number) => {
    const key = `${lower} ${upper}`;
    const cell = cells.get(key) ?? { lower, upper, at: new Map<number, number>() };
    cell.at.set(time, (cell.at.get(time) ?? 0) + count);
    cells.set(key, cell);
  };
  for (const { histograms } of items)
    for (const [seconds, histogram] of histograms ?? [])
      for (const [, lower, upper, count] of histogram.buckets ?? [])
        add(parseValue(lower), parseValue(upper), Math.round(seconds * 1_000), parseValue(count));
  if (cells.size === 0) addClassic(items, add);
  if (cells.size === 0) return null;
  const times = [...new Set([...cells.values()].flatMap(({ at }) => [...at.keys()]))].sort((a, b) => a - b);
  let max = 0;
  const rows = [...cells.values()]
    .sort((a, b) => a.upper - b.upper || a.lower - b.lower)
    .map(({ lower, upper, at }) => {
      const counts = times.map((time) => Math.max(0, at.get(time) ?? 0));
      for (const count of counts) max = Math.max(max, count);
      return { lower, upper, counts };
    });
  return { times, rows: trimRows(rows, rowsMax), max };
}

function addClassic(
  items: readonly MatrixItem[],
  add: (lower: number, upper: number, time: number, count: number) => void,
) {
  const sums = new Map<number, Map<number, number>>();
  for (const { metric, values } of items) {
    const bound = metric["le"];
    if (bound === undefined) continue;
    for (const [seconds, text] of values ?? []) {
      const time = Math.round(seconds * 1_000);
      const value = parseValue(text);
      if (!Number.isFinite(value)) continue;
      const column = sums.get(time) ?? new Map<number, number>();
      column.set(parseValue(bound), (column.get(parseValue(bound)) ?? 0) + value);
      sums.set(time, column);
    }
  }
  for (const [time, column] of sums) {
    let [lower, below] = [-Infinity, 0];
    for (const [upper, value] of [...column].sort(([a], [b]) => a - b)) {
      add(lower === -Infinity && upper > 0 ? 0 : lower, upper, time, value - below);
      [lower, below] = [upper, value];
    }
  }
}

/** Empty rows at both ends say nothing; of too many rows the emptiest ends go first. */
function trimRows<R extends { counts: readonly number[] }>(rows: R[], max: number): R[] {
  const full = (row: R | undefined) => row?.counts.some((count) => count > 0) ?? false;
  let [from, to] = [0, rows.length];
  while (to - from > 1 && !full(rows[from])) from += 1;
  while (to - from > 1 && !full(rows[to - 1])) to -= 1;
  return rows.slice(from, Math.min(to, from + max));
}

export type LabelCount = { name: string; values: { value: string; series: number }[]; series: number };

/** Labels of a metric, those with most values first, each value with its number of series. */
export function countLabels(series: readonly Labels[]): LabelCount[] {
  const found = new Map<string, Map<string, number>>();
  for (const labels of series)
    for (const [name, value] of Object.entries(labels)) {
      if (name === "__name__") continue;
      const values = found.get(name) ?? new Map<string, number>();
      values.set(value, (values.get(value) ?? 0) + 1);
      found.set(name, values);
    }
  return [...found]
    .map(([name, counts]) => {
      const values = [...counts].map(([value, count]) => ({ value, series: count }));
      values.sort((a, b) => b.series - a.series || a.value.localeCompare(b.value, "en", { numeric: true }));
      return { name, values, series: values.reduce((sum, one) => sum + one.series, 0) };
    })
    .sort((a, b) => b.values.length - a.values.length || (a.name < b.name ? -1 : 1));
}

/** The labels by which services are known, the surest first. */
const SERVICE_LABELS = ["service_name", "service", "app", "exported_job", "job"] as const;

/** The services that these series are of, among those that send traces; by the surest label that names any. */
export function servicesOf(all: readonly Labels[], services: readonly string[]): string[] {
  const known = new Set(services);
  for (const label of SERVICE_LABELS) {
    const found = new Set<string>();
    for (const labels of all) {
      const value = labels[label] ?? "";
      const short = value.slice(value.lastIndexOf("/") + 1);
      for (const candidate of [value, short]) if (known.has(candidate)) found.add(candidate);
    }
    if (found.size > 0) return [...found].sort();
  }
  return [];
}

/** The service of each series, where each is of another one; else null. */
export function serviceOfEach(all: readonly Labels[], services: readonly string[]): string[] | null {
  const named = all.map((labels) => servicesOf([labels], services));
  const flat = named.flatMap((names) => (names.length === 1 ? names : []));
  return flat.length > 1 && flat.length === all.length && new Set(flat).size === all.length ? flat : null;
}

/** The labels that an expression asks to be equal to something: its answer may have lost them. */
export function matchersIn(expr: string): Labels {
  const out: Record<string, string> = {};
  const clashing = new Set<string>();
  for (const [, name, quoted] of expr.matchAll(
    /([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*')/g,
  )) {
    if (name === undefined || quoted === undefined) continue;
    const value = quoted.slice(1, -1).replace(/\\(.)/g, "$1");
    if (out[name] !== undefined && out[name] !== value) clashing.add(name);
    out[name] = value;
  }
  for (const name of clashing) delete out[name];
  return out;
}

const TRACE_LABELS = ["trace_id", "traceID", "traceid", "TraceID"] as const;

export function traceIdOf(labels: Labels): string | null {
  for (const key of TRACE_LABELS) {
    const value = labels[key]?.toLowerCase();
    if (value && /^[0-9a-f]{16}([0-9a-f]{16})?$/.test(value)) return value.padStart(32, "0");
  }
  return null;
}

/** Four significant digits; what is no finite number is said as Prometheus says it. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e15 || size < 1e-4) return value.toExponential(2).replace(/\.?0+e/, "e");
  if (size >= 10_000) return formatCount(value);
  return String(Number(value.toPrecision(4)));
}

export function formatUnit(unit: Unit): (value: number) => string {
  const finite = (write: (value: number) => string) => (value: number) =>
    Number.isFinite(value) ? write(value) : formatNumber(value);
  switch (unit) {
    case "seconds":
      return finite((value) => formatDuration(value * 1e9));
    case "bytes":
      return finite(formatBytes);
    case "bytes/s":
      return finite((value) => `${formatBytes(value)}/s`);
    case "/s":
      return finite((value) =>
        Math.abs(value) < 0.1 && value !== 0 ? `${formatNumber(value)}/s` : formatRate(value),
      );
    case "share":
      return finite((value) => `${Number((value * 100).toPrecision(3))} %`);
    case "number":
      return formatNumber;
  }
}
