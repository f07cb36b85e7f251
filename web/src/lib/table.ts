/** What can be drawn of a SQL answer. */

export type ResultColumn = { name: string; type: string };
export type ResultRows = readonly (readonly unknown[])[];

export type ChartPlan =
  | { kind: "lines"; times: number[]; series: { name: string; values: (number | null)[] }[] }
  | { kind: "bars"; label: string; value: string; bars: { name: string; value: number }[] }
  | { kind: "none"; reason: string };

const SERIES_MAX = 20;
const BARS_MAX = 50;

export function isTimeType(type: string): boolean {
  return /^(timestamp|date)/i.test(type);
}

export function isNumberType(type: string): boolean {
  return /^(u?int|float|double|decimal|bigint|smallint|tinyint|integer|real|numeric)/i.test(type);
}

/** A time column and numbers are lines (a text column splits them); text and a number are bars. */
export function planChart(columns: readonly ResultColumn[], rows: ResultRows): ChartPlan {
  if (rows.length === 0) return { kind: "none", reason: "There are no rows to draw." };
  const time = columns.findIndex((column) => isTimeType(column.type));
  const numbers = columns.flatMap((column, at) => (isNumberType(column.type) ? [at] : []));
  const texts = columns.flatMap((column, at) => (at !== time && !isNumberType(column.type) ? [at] : []));
  if (numbers.length === 0)
    return { kind: "none", reason: "A chart needs a column of numbers: try count(*) or avg(…)." };
  if (time >= 0) return lines(columns, rows, time, numbers, texts[0]);
  const label = texts[0];
  const value = numbers[0];
  if (value === undefined) return { kind: "none", reason: "A chart needs a column of numbers." };
  const bars = rows.slice(0, BARS_MAX).map((row, at) => ({
    name: label === undefined ? (columns.length > 1 ? String(row[0]) : String(at + 1)) : cellText(row[label]),
    value: toNumber(row[label === undefined && columns.length > 1 ? (numbers[1] ?? value) : value]) ?? 0,
  }));
  return { kind: "bars", label: columns[label ?? 0]?.name ?? "", value: columns[value]?.name ?? "", bars };
}

function lines(
  columns: readonly ResultColumn[],
  rows: ResultRows,
  time: number,
  numbers: number[],
  split: number | undefined,
): ChartPlan {
  const cells = new Map<string, Map<number, number | null>>();
  const times = new Set<number>();
  for (const row of rows) {
    const at = toMs(row[time]);
    if (at === null) continue;
    times.add(at);
    for (const column of numbers) {
      const name = columns[column]?.name ?? "";
      const group = split === undefined ? null : cellText(row[split]);
      const key = group === null ? name : numbers.length === 1 ? group : `${group} ${name}`;
      let series = cells.get(key);
      if (!series) {
        if (cells.size >= SERIES_MAX) continue;
        series = new Map();
        cells.set(key, series);
      }
      series.set(at, toNumber(row[column]));
    }
  }
  if (times.size < 2) return { kind: "none", reason: "A line needs two points in time or more." };
  const sorted = [...times].sort((a, b) => a - b);
  const series = [...cells].map(([name, values]) => ({
    name,
    values: sorted.map((at) => values.get(at) ?? null),
  }));
  return { kind: "lines", times: sorted, series };
}

function toMs(value: unknown): number | null {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return null;
  const zoned = /([zZ]|[+-]\d\d:?\d\d)$/.test(value) || value.length <= 10 ? value : `${value}Z`;
  const ms = new Date(zoned.replace(/(\.\d{3})\d+/, "$1").replace(" ", "T")).getTime();
  return Number.isNaN(ms) ? null : ms;
}

function toNumber(value: unknown): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "string" && value !== "" && Number.isFinite(Number(value))) return Number(value);
  return null;
}

export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "null";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
