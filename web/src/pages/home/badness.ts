import type { ServiceRow } from "../../api/types";

/** Shares and times above which a service is called bad or worth a look. Arbitrary, and said so on the page. */
export const ERROR_SHARE_BAD = 0.05;
export const ERROR_SHARE_LOOK = 0.01;
export const P99_LOOK_MS = 1_000;

/** The newest part of the range is compared with the rest: a service has become slow when it doubled. */
const RECENT_SHARE = 0.2;

export type Complaint = {
  service: string;
  tone: "error" | "warn";
  what: "errors" | "slow" | "slower" | "silent";
  value: number;
};

export function complaints(rows: readonly ServiceRow[]): Complaint[] {
  const out: Complaint[] = [];
  for (const row of rows) {
    if (row.requests >= 5 && row.error_share >= ERROR_SHARE_LOOK) {
      out.push({
        service: row.service,
        tone: row.error_share >= ERROR_SHARE_BAD ? "error" : "warn",
        what: "errors",
        value: row.error_share,
      });
    }
    const slower = slowdown(row.series.p95_ms);
    if (slower !== null && slower >= 2)
      out.push({ service: row.service, tone: "warn", what: "slower", value: slower });
    else if ((row.p99_ms ?? 0) >= P99_LOOK_MS)
      out.push({ service: row.service, tone: "warn", what: "slow", value: row.p99_ms ?? 0 });
  }
  return out.sort((a, b) => Number(b.tone === "error") - Number(a.tone === "error") || b.value - a.value);
}

/** The median p95 of the newest part over that of the part before; null when there is too little. */
export function slowdown(series: readonly (number | null)[]): number | null {
  const cut = Math.floor(series.length * (1 - RECENT_SHARE));
  const before = median(series.slice(0, cut));
  const after = median(series.slice(cut));
  if (before === null || after === null || before <= 0) return null;
  return after / before;
}

function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  return known.length < 4 ? null : (known[Math.floor(known.length / 2)] ?? null);
}

/** Higher is worse. Errors weigh most, then the tail of the times, then traffic. */
export function badness(row: ServiceRow): number {
  return row.error_share * 1_000 + Math.log10(1 + (row.p99_ms ?? 0)) + Math.log10(1 + row.requests) / 10;
}
