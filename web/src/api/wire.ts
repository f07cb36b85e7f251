/** What the server may leave out or repeat, put right at the border, once. */

import type { LogRow, Span, Trace } from "./types";

export const UNKNOWN_SERVICE = "unknown";

type WireSpan = Omit<Span, "service"> & { service: string | null };
export type WireTrace = Omit<Trace, "spans"> & { spans: WireSpan[] };

/** A span without a service has the name that the SDKs give one, and lists are never absent. */
export function traceFromWire(trace: WireTrace): Trace {
  return {
    ...trace,
    spans: trace.spans.map((span) => ({
      ...span,
      service: span.service ?? UNKNOWN_SERVICE,
      events: span.events.map((event) => ({ ...event, attributes: event.attributes ?? {} })),
      links: span.links.map((link) => ({ ...link, attributes: link.attributes ?? {} })),
    })),
  };
}

/** What tells equal ids apart stands behind this. */
const AGAIN = "~";

/** A line that was sent twice has one id twice; the page needs them apart. `seen` goes over pages. */
export function distinctIds(rows: readonly LogRow[], seen: Map<string, number>): LogRow[] {
  return rows.map((row) => {
    const times = (seen.get(row.id) ?? 0) + 1;
    seen.set(row.id, times);
    return times === 1 ? row : { ...row, id: `${row.id}${AGAIN}${times}` };
  });
}

/** The id as the server knows it. */
export function serverId(id: string): string {
  return id.split(AGAIN)[0] ?? id;
}
