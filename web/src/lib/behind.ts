/**
 * What lies behind a metric: the search of traces that its labels stand for, and the time in which a
 * point of its graph was made. The names are those of OpenTelemetry's conventions in Prometheus, and
 * those that most instrumentation libraries use.
 */

import { parsePromDuration, unitOf } from "./promql";
import { addFilter } from "./search";
import { matchersIn, type Labels } from "./series";
import type { Range } from "./time";

export type TraceSearch = { status?: "error"; sort?: "slowest"; q?: string };

/** A label, and the attribute of spans that has the same values. */
const ATTRIBUTES: readonly (readonly [string, string])[] = [
  ["http_route", "http.route"],
  ["route", "http.route"],
  ["endpoint", "http.route"],
  ["handler", "http.route"],
  ["http_request_method", "http.request.method"],
  ["method", "http.request.method"],
  ["http_response_status_code", "http.response.status_code"],
  ["status_code", "http.response.status_code"],
  ["code", "http.response.status_code"],
  ["property_id", "property.id"],
  ["model_version", "model.version"],
  ["risk_level", "prediction.risk_level"],
  ["tenant_id", "tenant.id"],
];

type Shown = { expr: string; labels: Labels };

/** The search that all of these series share: what differs between them narrows nothing. */
export function tracesBehind(shown: readonly Shown[]): TraceSearch {
  const all = shown.map(({ expr, labels }) => ({ ...matchersIn(expr), ...labels }));
  const out: TraceSearch = {};
  let q = "";
  const taken = new Set<string>();
  for (const [label, attribute] of ATTRIBUTES) {
    const value = common(all, label);
    if (value === null || taken.has(attribute)) continue;
    if (attribute === "http.route" && !value.startsWith("/")) continue;
    if (attribute === "http.request.method" && !/^[A-Z]+$/.test(value)) continue;
    if (attribute === "http.response.status_code" && !/^[1-5]\d\d$/.test(value)) continue;
    taken.add(attribute);
    q = addFilter(q, attribute, value, false);
  }
  if (q !== "") out.q = q;
  if (shown.length > 0 && shown.every(({ expr }) => /errors?_total|_failures?_total/.test(expr)))
    out.status = "error";
  else if (shown.some(({ expr }) => unitOf(expr) === "seconds")) out.sort = "slowest";
  return out;
}

function common(all: readonly Labels[], label: string): string | null {
  const value = all[0]?.[label];
  if (value === undefined || value === "") return null;
  return all.every((labels) => labels[label] === value) ? value : null;
}

/** The samples that a point was made of lie before it: as long as its ranges are, a step at least. */
export function windowOf(exprs: readonly string[], timeMs: number, stepMs: number): Range {
  let length = stepMs;
  for (const expr of exprs)
    for (const [, range] of expr.matchAll(/\[\s*([0-9a-z]+)/g)) {
      length = Math.max(length, parsePromDuration(range ?? "") ?? 0);
    }
  return { start: timeMs - length, end: timeMs };
}
