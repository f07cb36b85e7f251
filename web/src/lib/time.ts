/**
 * Time ranges as people write them and as the server wants them.
 * An expression is `now`, `now-15m`, `now-1d/d`, milliseconds since 1970, or an ISO date.
 */

export type RangeText = { from: string; to: string };
export type Range = { start: number; end: number };

export const DEFAULT_RANGE: RangeText = { from: "now-15m", to: "now" };

export const PRESETS: readonly { label: string; range: RangeText }[] = [
  { label: "Last 5 minutes", range: { from: "now-5m", to: "now" } },
  { label: "Last 15 minutes", range: { from: "now-15m", to: "now" } },
  { label: "Last 30 minutes", range: { from: "now-30m", to: "now" } },
  { label: "Last hour", range: { from: "now-1h", to: "now" } },
  { label: "Last 3 hours", range: { from: "now-3h", to: "now" } },
  { label: "Last 6 hours", range: { from: "now-6h", to: "now" } },
  { label: "Last 12 hours", range: { from: "now-12h", to: "now" } },
  { label: "Last 24 hours", range: { from: "now-24h", to: "now" } },
  { label: "Last 2 days", range: { from: "now-2d", to: "now" } },
  { label: "Last 7 days", range: { from: "now-7d", to: "now" } },
  { label: "Last 30 days", range: { from: "now-30d", to: "now" } },
  { label: "Today", range: { from: "now/d", to: "now" } },
];

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const RELATIVE = /^now(?:([+-])(\d+)([smhdw]))?(?:\/([dh]))?$/;

/** Milliseconds since 1970, or null when the expression cannot be read. */
export function parseTime(expression: string, nowMs: number): number | null {
  const text = expression.trim();
  const relative = RELATIVE.exec(text);
  if (relative) {
    const [, sign, count, unit, floor] = relative;
    let at = nowMs;
    if (sign && count && unit) at += (sign === "-" ? -1 : 1) * Number(count) * (UNIT_MS[unit] ?? 0);
    if (floor) {
      const date = new Date(at);
      if (floor === "d") date.setHours(0, 0, 0, 0);
      else date.setMinutes(0, 0, 0);
      at = date.getTime();
    }
    return at;
  }
  if (/^\d{10}$/.test(text)) return Number(text) * 1_000;
  if (/^\d{11,15}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d{1,2}-\d{1,2}/.test(text)) return null;
  const parsed = new Date(text.replace(/^(\S+) (\d)/, "$1T$2")).getTime();
  return Number.isNaN(parsed) ? null : parsed;
}

/** The range in milliseconds; falls back to the default where an expression cannot be read. */
export function resolveRange(text: RangeText, nowMs: number): Range {
  const start = parseTime(text.from, nowMs);
  const end = parseTime(text.to, nowMs);
  if (start === null || end === null || start >= end) {
    const fallback = parseTime(DEFAULT_RANGE.from, nowMs) ?? nowMs - 900_000;
    return { start: fallback, end: nowMs };
  }
  return { start, end };
}

/** What is wrong with a range, as a sentence; null when nothing is. */
export function rangeProblem(text: RangeText, nowMs: number): string | null {
  const start = parseTime(text.from, nowMs);
  const end = parseTime(text.to, nowMs);
  if (start === null) return `cannot read "${text.from}": write now-1h or 2026-11-21 14:30`;
  if (end === null) return `cannot read "${text.to}": write now or 2026-11-21 15:00`;
  if (start >= end) return "the start must be before the end";
  return null;
}

export function isRelative(text: RangeText): boolean {
  return text.to.startsWith("now");
}

/** "Last 15 minutes", or both ends. */
export function rangeLabel(text: RangeText, nowMs: number): string {
  const preset = PRESETS.find((p) => p.range.from === text.from && p.range.to === text.to);
  if (preset) return preset.label;
  if (text.to === "now" && /^now-\d+[smhdw]$/.test(text.from)) return `Last ${text.from.slice(4)}`;
  const { start, end } = resolveRange(text, nowMs);
  const day = (ms: number) => formatDay(ms);
  const precise = end - start < 120_000;
  const clock = (ms: number) => formatClock(ms, precise);
  if (day(start) === day(end)) return `${day(start)} ${clock(start)} – ${clock(end)}`;
  return `${day(start)} ${clock(start)} – ${day(end)} ${clock(end)}`;
}

/** The range moved by a share of its own length. */
export function shiftRange(range: Range, share: number): Range {
  const by = Math.round((range.end - range.start) * share);
  return { start: range.start + by, end: range.end + by };
}

/** The range made `factor` times as long about its middle. */
export function zoomRange(range: Range, factor: number): Range {
  const middle = (range.start + range.end) / 2;
  const half = Math.max(500, ((range.end - range.start) * factor) / 2);
  return { start: Math.round(middle - half), end: Math.round(middle + half) };
}

export function rangeText(range: Range): RangeText {
  return { from: String(Math.round(range.start)), to: String(Math.round(range.end)) };
}

const TICKS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
  600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
];

/** Round times in a range, in the reader's zone: as many as there is room for, or fewer. */
export function timeTicks(range: Range, most: number): { times: number[]; stepMs: number } {
  const length = Math.max(1, range.end - range.start);
  const day = 86_400_000;
  const stepMs = TICKS_MS.find((step) => length / step <= most) ?? Math.ceil(length / most / day) * day;
  const zone = new Date(range.start).getTimezoneOffset() * 60_000;
  const times: number[] = [];
  let at = Math.ceil((range.start - zone) / stepMs) * stepMs + zone;
  for (; at <= range.end; at += stepMs) times.push(at);
  return { times, stepMs };
}

const pad = (value: number, width = 2) => String(value).padStart(width, "0");

/** 14:03 or 14:03:07, in the reader's zone. */
export function formatClock(ms: number, seconds: boolean): string {
  const date = new Date(ms);
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  return seconds ? `${clock}:${pad(date.getSeconds())}` : clock;
}

/** 2026-11-21, in the reader's zone. */
export function formatDay(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** 2026-11-21 14:03:07.123, in the reader's zone. */
export function formatDateTime(ms: number): string {
  return `${formatDay(ms)} ${formatClock(ms, true)}.${pad(new Date(ms).getMilliseconds(), 3)}`;
}

/** 14:03:07.123, for lists whose day is known. */
export function formatClockMs(ms: number): string {
  return `${formatClock(ms, true)}.${pad(new Date(ms).getMilliseconds(), 3)}`;
}

/** "now", "12 s ago", "5 min ago", "3 h ago", "2 d ago". */
export function formatAgo(ms: number, nowMs: number): string {
  const seconds = Math.round((nowMs - ms) / 1_000);
  if (seconds < 2) return "now";
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** Milliseconds of an RFC 3339 time with any number of fraction digits. */
export function timeMs(rfc3339: string): number {
  return new Date(rfc3339.replace(/(\.\d{3})\d+/, "$1")).getTime();
}

/** Adds nanoseconds to a decimal string of nanoseconds since 1970; milliseconds, for display. */
export function unixNsToMs(unixNs: string, offsetNs = 0): number {
  return Number((BigInt(unixNs) + BigInt(Math.round(offsetNs))) / 1_000n) / 1_000;
}
