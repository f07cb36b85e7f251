import type { LogFilters } from "../../api/hooks";
import { getJson } from "../../api/client";
import type { LogPage, LogRow } from "../../api/types";
import { csvRow } from "../../lib/csv";
import type { Range } from "../../lib/time";
import { apiQuery } from "../../lib/url";

/** More belongs into SQL, which streams. */
export const DOWNLOAD_LINES_MAX = 50_000;
const PAGE = 5_000;

export async function downloadLogs(
  format: "ndjson" | "csv",
  filters: LogFilters,
  range: Range,
): Promise<number> {
  const rows: LogRow[] = [];
  let cursor: string | undefined;
  do {
    const page: LogPage = await getJson(
      `/api/v1/logs${apiQuery({ ...filters, start: Math.floor(range.start), end: Math.ceil(range.end), limit: PAGE, cursor })}`,
    );
    rows.push(...page.rows);
    cursor = page.next ?? undefined;
  } while (cursor && rows.length < DOWNLOAD_LINES_MAX);
  const text = format === "ndjson" ? rows.map((row) => JSON.stringify(row)).join("\n") : toCsv(rows);
  saveAs(`logs.${format}`, format === "ndjson" ? "application/x-ndjson" : "text/csv", `${text}\n`);
  return rows.length;
}

function toCsv(rows: readonly LogRow[]): string {
  const fixed = [
    "time",
    "level",
    "service",
    "environment",
    "release",
    "body",
    "trace_id",
    "span_id",
    "request_id",
    "event_name",
  ] as const;
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row.attributes)))].sort();
  const lines = rows.map((row) =>
    csvRow([...fixed.map((name) => row[name]), ...keys.map((key) => row.attributes[key])]),
  );
  return [csvRow([...fixed, ...keys.map((key) => `attributes.${key}`)]), ...lines].join("\r\n");
}

export function saveAs(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
