import "./traces.css";

import { Link } from "@tanstack/react-router";

import type { TraceSummary } from "../../api/types";
import { serviceColor, useTheme } from "../../components/useTheme";
import { formatClockMs, formatDateTime, timeMs } from "../../lib/time";
import { formatMs } from "../../lib/units";

/** The server goes by the span that matches; among those that are shown, what is shown of each counts. */
export function inOrder(traces: readonly TraceSummary[], sort: "newest" | "slowest"): TraceSummary[] {
  return [...traces].sort((a, b) =>
    sort === "newest" ? timeMs(b.start) - timeMs(a.start) : b.duration_ms - a.duration_ms,
  );
}

/** One found trace; the bar is its share of the slowest one shown. */
export function TraceRow({ trace, maxMs }: { trace: TraceSummary; maxMs: number }) {
  const theme = useTheme();
  const service = trace.root_service ?? "unknown";
  const color = trace.errors > 0 ? "var(--error)" : serviceColor(service, theme);
  const start = timeMs(trace.start);
  return (
    <Link
      to="/traces/$traceId"
      params={{ traceId: trace.trace_id }}
      className="trace-row"
      data-testid="trace-row"
    >
      <span className="num dim nowrap" title={formatDateTime(start)}>
        {formatClockMs(start)}
      </span>
      <span className="row">
        <span className="dot" aria-hidden style={{ background: serviceColor(service, theme) }} />
        <span className="ellipsis">
          <b style={{ fontWeight: 600 }}>{service}</b> <span>{trace.root_name ?? "no root span"}</span>
        </span>
        {trace.errors > 0 && (
          <span className="tag error">
            {trace.errors} {trace.errors === 1 ? "error" : "errors"}
          </span>
        )}
      </span>
      <span className="row tight dim nowrap" style={{ overflow: "hidden" }}>
        <span className="num">
          {trace.spans} {trace.spans === 1 ? "span" : "spans"}
        </span>
        <span
          className="row tight"
          aria-label={trace.services.map((one) => `${one.service} ${one.spans}`).join(", ")}
          role="img"
          title={trace.services.map((one) => `${one.service} ${one.spans}`).join("\n")}
        >
          {trace.services.slice(0, 8).map((one) => (
            <span
              key={one.service}
              className="dot"
              style={{ background: serviceColor(one.service, theme) }}
            />
          ))}
        </span>
        {trace.services.length > 1 && <span className="num">{trace.services.length} services</span>}
      </span>
      <span className="duration-bar">
        <span
          style={{
            width: `max(2px, ${(trace.duration_ms / Math.max(maxMs, 1e-9)) * 100}%)`,
            background: color,
          }}
        />
        <span>{formatMs(trace.duration_ms)}</span>
      </span>
    </Link>
  );
}
