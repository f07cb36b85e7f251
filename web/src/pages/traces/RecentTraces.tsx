import { Link } from "@tanstack/react-router";

import { useTraces } from "../../api/hooks";
import { Panel } from "../../components/Panel";
import { Empty, Failed, Skeleton } from "../../components/States";
import { inOrder, TraceRow } from "./TraceRow";

const SHOWN = 6;

/** The newest failed or the slowest traces, of one service or of all. */
export function RecentTraces({ service, what }: { service?: string; what: "errors" | "slow" }) {
  const of = service ? { service } : {};
  const search = what === "errors" ? { ...of, status: "error" } : { ...of, sort: "slowest" };
  const traces = useTraces({ sort: "newest", ...search, limit: SHOWN });
  const found = inOrder(traces.data?.data.traces ?? [], what === "errors" ? "newest" : "slowest");
  const maxMs = Math.max(0, ...found.map((trace) => trace.duration_ms));
  return (
    <Panel
      flush
      title={what === "errors" ? "Failed lately" : "Slowest"}
      aside={
        <Link to="/traces" search={search}>
          All
        </Link>
      }
      className="compact-traces"
    >
      {traces.isPending ? (
        <Skeleton rows={SHOWN} height={20} />
      ) : traces.isError && !traces.data ? (
        <Failed what="The traces cannot be read" error={traces.error} />
      ) : found.length === 0 ? (
        <Empty title={what === "errors" ? "No failed trace in this time" : "No trace in this time"} />
      ) : (
        <div style={{ marginTop: 8, borderTop: "1px solid var(--border)" }}>
          {found.map((trace) => (
            <TraceRow key={trace.trace_id} trace={trace} maxMs={maxMs} />
          ))}
        </div>
      )}
    </Panel>
  );
}
