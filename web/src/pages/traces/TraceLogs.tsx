/** The log lines of a trace beside it: a line jumps to its span, a span shows its lines. */

import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { IconArrowUpRight, IconListDetails } from "@tabler/icons-react";
import { useMemo, useRef, useState } from "react";

import type { useTraceLogs } from "../../api/hooks";
import type { Span, Trace } from "../../api/types";
import { distinctIds } from "../../api/wire";
import { LevelTag } from "../../components/LevelTag";
import { Empty, Failed, Skeleton } from "../../components/States";
import { serviceColor, useTheme } from "../../components/useTheme";
import { formatDateTime, timeMs } from "../../lib/time";
import { formatOffset } from "../../lib/units";

export function TraceLogs({
  trace,
  logs,
  selected,
  select,
}: {
  trace: Trace;
  logs: ReturnType<typeof useTraceLogs>;
  selected: Span | null;
  select: (spanId: string) => void;
}) {
  const [only, setOnly] = useState(false);
  const theme = useTheme();
  const scroller = useRef<HTMLDivElement>(null);
  const all = useMemo(() => distinctIds(logs.data?.rows ?? [], new Map()), [logs.data]);
  const rows = useMemo(
    () => (only && selected ? all.filter((row) => row.span_id === selected.span_id) : all),
    [all, only, selected],
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 40,
    overscan: 10,
  });
  if (logs.isPending) return <Skeleton />;
  if (!logs.data)
    return <Failed what="The logs cannot be read" error={logs.error} retry={() => void logs.refetch()} />;
  if (all.length === 0) {
    return (
      <Empty
        title="No log line belongs to this trace"
        icon={<IconListDetails size={32} stroke={1.4} aria-hidden />}
      >
        <p>
          Lines are found by the trace id that the sender writes into each log record. OpenTelemetry's log
          bridges do it by themselves.
        </p>
      </Empty>
    );
  }
  const start = BigInt(trace.start_unix_ns);
  return (
    <>
      <div className="row spread" style={{ padding: "8px 12px" }}>
        {selected ? (
          <button type="button" className="chip" aria-pressed={only} onClick={() => setOnly(!only)}>
            Only of the chosen span
          </button>
        ) : (
          <span className="dim">Choose a line to see its span</span>
        )}
        <Link
          to="/logs"
          search={{
            q: `trace_id:${trace.trace_id}`,
            from: String(Math.floor(timeMs(trace.start) - 60_000)),
            to: String(Math.ceil(timeMs(trace.start) + trace.duration_ns / 1e6 + 60_000)),
          }}
          className="row tight"
        >
          Open in Logs
          <IconArrowUpRight size={14} aria-hidden />
        </Link>
      </div>
      {rows.length === 0 && <Empty title="This span wrote no log line" />}
      <div
        ref={scroller}
        className="trace-logs"
        tabIndex={0}
        role="region"
        aria-label="Log lines of this trace"
        data-testid="trace-logs"
      >
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            const mine = selected !== null && row.span_id === selected.span_id;
            return (
              <button
                key={row.id}
                type="button"
                ref={virtual.measureElement}
                data-index={item.index}
                className={`plain trace-log ${mine ? "selected" : ""}`}
                style={{ transform: `translateY(${item.start}px)` }}
                data-testid="trace-log"
                title={formatDateTime(timeMs(row.time))}
                disabled={!row.span_id}
                onClick={() => {
                  if (row.span_id) select(row.span_id);
                }}
              >
                <span className="row tight">
                  <span className="mono num dim" style={{ width: 74, textAlign: "right", flex: "none" }}>
                    {formatOffset(Number(BigInt(row.time_unix_ns) - start))}
                  </span>
                  <LevelTag level={row.level} />
                  <span
                    className="dot"
                    aria-hidden
                    style={{ background: serviceColor(row.service ?? "unknown", theme) }}
                  />
                  <span className="dim ellipsis">{row.service}</span>
                </span>
                <span className="mono trace-log-body">{row.body}</span>
              </button>
            );
          })}
        </div>
      </div>
    </>
  );
}
