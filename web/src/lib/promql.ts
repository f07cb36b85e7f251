/** What the metrics page knows about PromQL without a server: durations, steps, expressions that fit a metric. */

import type { Range } from "./time";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** Milliseconds of `90s`, `1h30m`, or a bare number of seconds; null when it cannot be read. */
export function parsePromDuration(text: string): number | null {
  const said = text.trim();
  if (/^\d+(\.\d+)?$/.test(said)) return Number(said) * 1_000 || null;
  if (!/^(\d+(ms|[smhdwy]))+$/.test(said)) return null;
  let sum = 0;
  for (const [, count, unit] of said.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    sum += Number(count) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  return sum > 0 ? sum : null;
}

/** 90_000 → `1m30s`, as PromQL reads it. */
export function formatPromDuration(ms: number): string {
  let left = Math.round(ms);
  let out = "";
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const size = UNIT_MS[unit] ?? 1;
    const count = Math.floor(left / size);
    if (count > 0) out += `${count}${unit}`;
    left -= count * size;
  }
  return out || "0s";
}

/** The points of a range query: at multiples of the step, so that a refresh does not move them. */
export type Grid = { startMs: number; endMs: number; stepMs: number };

const POINTS = 250;
/** What Prometheus answers at most for a series. */
const POINTS_MAX = 11_000;
const STEPS_S = [
  1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
];

/** The step that gives about `points` points: a length that people know. */
export function niceStep(range: Range, points = POINTS): number {
  const wanted = (range.end - range.start) / points / 1_000;
  const nice = STEPS_S.find((step) => step >= wanted);
  return (nice ?? Math.ceil(wanted / 86_400) * 86_400) * 1_000;
}

export function stepGrid(range: Range, stepMs: number | null, points = POINTS): Grid {
  const least = (range.end - range.start) / POINTS_MAX;
  const step = stepMs === null ? niceStep(range, points) : Math.max(stepMs, Math.ceil(least / 1_000) * 1_000);
  return {
    startMs: Math.floor(range.start / step) * step,
    endMs: Math.floor(range.end / step) * step,
    stepMs: step,
  };
}

export type Family = {
  name: string;
  type: string;
  help: string;
  unit: string;
  /** The names that its series have: of a histogram `_bucket`, `_count`, `_sum`. */
  names: readonly string[];
};

type Known = { type: string; help: string; unit: string };

const SUFFIXES = ["_bucket", "_count", "_sum", "_total", "_created", "_info"] as const;

/** Names of series gathered into metrics, each with what the metadata says about it. */
export function families(
  names: readonly string[],
  metadata: Readonly<Record<string, readonly Known[]>>,
): Family[] {
  const all = new Set(names);
  const found = new Map<string, { known: Known | undefined; names: string[] }>();
  for (const name of names) {
    const { family, known } = familyOf(name, metadata, all);
    const kept = found.get(family);
    if (kept) kept.names.push(name);
    else found.set(family, { known, names: [name] });
  }
  return [...found]
    .map(([name, { known, names: series }]) => ({
      name,
      names: series,
      type: known?.type && known.type !== "unknown" ? known.type : guessType(name, series),
      help: known?.help ?? "",
      unit: known?.unit ?? "",
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function familyOf(
  name: string,
  metadata: Readonly<Record<string, readonly Known[]>>,
  all: ReadonlySet<string>,
): { family: string; known: Known | undefined } {
  const exact = metadata[name]?.[0];
  if (exact) return { family: name, known: exact };
  for (const suffix of SUFFIXES) {
    if (!name.endsWith(suffix)) continue;
    const base = name.slice(0, -suffix.length);
    const known = metadata[base]?.[0];
    if (suffix === "_total" || suffix === "_info") {
      if (known) return { family: name, known };
      continue;
    }
    const whole =
      known?.type === "histogram" || known?.type === "gaugehistogram" || known?.type === "summary";
    if (whole || all.has(`${base}_bucket`)) return { family: base, known };
    if (suffix === "_created" && known) return { family: name, known: { ...known, type: "gauge" } };
  }
  return { family: name, known: undefined };
}

function guessType(name: string, names: readonly string[]): string {
  if (names.some((one) => one === `${name}_bucket`)) return "histogram";
  if (/_(total|count|sum|bucket)$/.test(name)) return "counter";
  return /_info$/.test(name) ? "info" : "unknown";
}

export type Fitting = { title: string; expr: string };

/** Names outside the classic character set are written in braces. */
export function selector(name: string, matchers: readonly string[] = []): string {
  if (/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name))
    return matchers.length === 0 ? name : `${name}{${matchers.join(", ")}}`;
  return `{${[JSON.stringify(name), ...matchers].join(", ")}}`;
}

/** What one asks of a metric of this kind; the first is the usual question. */
export function fitting(family: Family, matchers: readonly string[] = []): Fitting[] {
  const of = (suffix = "") => selector(family.name + suffix, matchers);
  const rate = (suffix = "") => `rate(${of(suffix)}[5m])`;
  if (family.type === "histogram" || family.type === "gaugehistogram") return ofHistogram(family, rate);
  if (family.type === "counter")
    return [
      { title: "Rate", expr: `sum(${rate()})` },
      { title: "Rate of each series", expr: rate() },
      { title: "Increase in an hour", expr: `sum(increase(${of()}[1h]))` },
    ];
  if (family.type === "summary")
    return [
      { title: "99th percentile", expr: selector(family.name, [...matchers, 'quantile="0.99"']) },
      { title: "Average", expr: `sum(${rate("_sum")}) / sum(${rate("_count")})` },
      { title: "Rate", expr: `sum(${rate("_count")})` },
    ];
  if (family.type === "info") return [{ title: "As it is", expr: of() }];
  return [
    { title: "As it is", expr: of() },
    { title: "Sum", expr: `sum(${of()})` },
    { title: "Highest in 5 minutes", expr: `max(max_over_time(${of()}[5m]))` },
  ];
}

function ofHistogram(family: Family, rate: (suffix?: string) => string): Fitting[] {
  const classic = family.names.some((name) => name.endsWith("_bucket"));
  const quantile = (share: string) =>
    classic
      ? `histogram_quantile(${share}, sum by (le) (${rate("_bucket")}))`
      : `histogram_quantile(${share}, sum(${rate()}))`;
  return [
    { title: "95th percentile", expr: quantile("0.95") },
    { title: "Median", expr: quantile("0.5") },
    { title: "99th percentile", expr: quantile("0.99") },
    {
      title: "Average",
      expr: classic ? `sum(${rate("_sum")}) / sum(${rate("_count")})` : `histogram_avg(sum(${rate()}))`,
    },
    { title: "Rate", expr: classic ? `sum(${rate("_count")})` : `histogram_count(sum(${rate()}))` },
    { title: "Distribution", expr: classic ? `sum by (le) (${rate("_bucket")})` : `sum(${rate()})` },
  ];
}

/** Every name in an expression that could be a metric's: no function, keyword, label or duration. */
export function metricNames(expr: string): string[] {
  const plain = expr
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '""')
    .replace(/#.*$/gm, " ")
    .replace(/\{[^{}]*\}/g, "{}")
    .replace(/\[[^\]]*\]/g, "")
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)/gi, " ");
  const found = [
    ...plain.matchAll(/(?<![a-zA-Z0-9_:.])[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])/g),
  ].map(([name]) => name);
  return [...new Set(found)].filter((name) => !KEYWORDS.has(name.toLowerCase()));
}

const KEYWORDS = new Set(
  "and or unless atan2 bool offset by without on ignoring group_left group_right start end inf nan sum avg min max count stddev stdvar group count_values bottomk topk quantile limitk limit_ratio".split(
    " ",
  ),
);

export type Unit = "seconds" | "bytes" | "bytes/s" | "/s" | "share" | "number";

/** The unit of an answer, by the conventions of names; a guess that only chooses how numbers are written. */
export function unitOf(text: string): Unit {
  // What stands in matchers is no arithmetic: http_route="/v1/predict".
  const expr = text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '""');
  const names = metricNames(text);
  const first = names[0];
  if (first === undefined) return "number";
  if (/\bhistogram_(count|fraction)\s*\(|^\s*(count|count_values|group)\b/.test(expr)) return "number";
  const units = new Set(names.map(unitOfName));
  const rated = /\b(i?rate|deriv)\s*\(/.test(expr);
  const divided = /\)\s*\/|[a-z0-9_}\]]\s*\/\s*[a-z(]/i.test(expr);
  const average =
    divided && names.some((name) => name.endsWith("_sum")) && names.some((name) => name.endsWith("_count"));
  if (average) return unitOfName(names.find((name) => name.endsWith("_sum"))?.slice(0, -4) ?? "");
  if (divided) return "number";
  if (/\bhistogram_(quantile|avg|stddev|sum)\s*\(/.test(expr))
    return unitOfName(first.replace(/_bucket$/, ""));
  const unit = units.size === 1 ? unitOfName(first) : "number";
  if (!rated) return /_(count|bucket)$/.test(first) ? "number" : unit;
  if (unit === "bytes") return "bytes/s";
  return unit === "seconds" && !/_(count|bucket)$/.test(first) ? "number" : "/s";
}

function unitOfName(name: string): Unit {
  const base = name.replace(/_(total|sum|bucket|count)$/, "");
  if (/timestamp_seconds$|start_time_seconds$|_time_seconds$/.test(base)) return "number";
  if (/_count$/.test(name)) return "number";
  if (/_seconds$/.test(base)) return "seconds";
  if (/_bytes$/.test(base)) return "bytes";
  if (/_ratio$/.test(base)) return "share";
  return "number";
}

/** Whether an exemplar's value is of the same kind as the answer, so that both share an axis. */
export function exemplarsShareAxis(expr: string): boolean {
  return /\bhistogram_(quantile|avg)\s*\(/.test(expr) || (/_sum\b/.test(expr) && /_count\b/.test(expr));
}
