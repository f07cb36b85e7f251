/** Numbers as people read them: three significant digits, a unit, no surprises. */

const trim = (text: string) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

function three(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  return trim(size >= 10 ? value.toFixed(1) : value.toFixed(2));
}

/** 340 ns · 12.5 µs · 7.12 ms · 1.5 s · 2 min 5 s · 3 h 10 min */
export function formatDuration(ns: number): string {
  if (!Number.isFinite(ns)) return "–";
  if (ns === 0) return "0";
  if (ns < 0) return `−${formatDuration(-ns)}`;
  if (ns < 1_000) return `${Math.round(ns)} ns`;
  // Rounding first, so that 999.99 µs is 1 ms and never "1000 µs".
  if (ns < 999_500) return `${three(ns / 1e3)} µs`;
  if (ns < 999_500_000) return `${three(ns / 1e6)} ms`;
  if (ns < 59.95e9) return `${three(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3_600) return both(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return both(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(minutes / 60);
  return both(Math.floor(hours / 24), "d", hours % 24, "h");
}

function both(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** A place in a trace: as a duration, with each millisecond where it is longer than a second. */
export function formatOffset(ns: number): string {
  return Math.abs(ns) < 1e9 ? formatDuration(ns) : `${(ns / 1e9).toFixed(3)} s`;
}

export function formatMs(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? "–" : formatDuration(ms * 1e6);
}

const DURATION_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

/** "500ms", "1.5 s", "2m"; a bare number is milliseconds. Null when it cannot be read. */
export function parseDurationMs(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*([a-zµ]*)$/i.exec(text.trim());
  if (!match) return null;
  const unit = (match[2] ?? "").toLowerCase();
  const factor = unit === "" ? 1 : DURATION_MS[unit];
  return factor === undefined ? null : Number(match[1]) * factor;
}

/** 950 · 12.3 k · 4.5 M · 1.2 G */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 1_000) return Number.isInteger(value) ? String(value) : three(value);
  const units = ["k", "M", "G", "T"];
  let scaled = value;
  let unit = "";
  for (const next of units) {
    if (Math.abs(scaled) < 999.5) break;
    scaled /= 1_000;
    unit = next;
  }
  return `${three(scaled)} ${unit}`;
}

/** Every digit, in groups of three: 1,234,567. */
export function formatInteger(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** 1 line · 1,234 lines */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatInteger(count)} ${count === 1 ? one : many}`;
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let scaled = bytes;
  let index = 0;
  while (Math.abs(scaled) >= 1_023.5 && index < units.length - 1) {
    scaled /= 1_024;
    index += 1;
  }
  return `${three(scaled)} ${units[index]}`;
}

/** 0.2/s · 12.5/s · 1.2 k/s */
export function formatRate(perSecond: number): string {
  if (perSecond > 0 && perSecond < 0.005) return "<0.01/s";
  return `${formatCount(perSecond < 1_000 ? Number(three(perSecond)) : perSecond)}/s`;
}

/** 0 % · <0.01 % · 0.42 % · 12.5 % */
export function formatPercent(share: number): string {
  if (share === 0) return "0 %";
  const percent = share * 100;
  if (percent < 0.01) return "<0.01 %";
  return `${three(percent)} %`;
}
