import { IconLink } from "@tabler/icons-react";
import { useMemo } from "react";

import type { Span, Trace } from "../../api/types";
import { Copy } from "../../components/Copy";
import { useTitle } from "../../components/useTitle";
import { serviceColor, useTheme } from "../../components/useTheme";
import { formatDateTime, timeMs } from "../../lib/time";
import { mainRoot, type TraceTree } from "../../lib/trace";
import { formatDuration, formatInteger, plural } from "../../lib/units";

export function TraceHeader({
  trace,
  tree,
  onService,
}: {
  trace: Trace;
  tree: TraceTree<Span>;
  onService: (service: string) => void;
}) {
  const theme = useTheme();
  const root = tree.nodes[mainRoot(tree)]?.span;
  useTitle(`${root?.service ?? "unknown"} ${root?.name ?? "trace"}`);
  const errors = trace.spans.filter((span) => span.status === "error").length;
  const services = useMemo(() => {
    const counts = new Map<string, number>();
    for (const span of trace.spans) counts.set(span.service, (counts.get(span.service) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]);
  }, [trace.spans]);
  return (
    <header style={{ display: "grid", gap: 6 }}>
      <div className="row wrap spread">
        <h1 className="ellipsis">
          <span style={{ color: root ? serviceColor(root.service, theme) : undefined }}>
            {root?.service ?? "unknown"}
          </span>{" "}
          {root?.name}
        </h1>
        <span className="row tight dim mono">
          {trace.trace_id}
          <Copy text={trace.trace_id} label="Copy trace id" />
          <Copy text={() => window.location.href} label="Copy link" icon={IconLink} />
        </span>
      </div>
      <div className="row wrap wide dim num">
        <span>
          <b style={{ color: "var(--text)", fontSize: 15 }}>{formatDuration(tree.end - tree.start)}</b>
        </span>
        <span title={trace.start}>{formatDateTime(timeMs(trace.start))}</span>
        <span>
          {plural(trace.spans.length, "span")}, {tree.maxDepth + 1} deep
        </span>
        {errors > 0 && <span className="tag error">{plural(errors, "error")}</span>}
        <span className="row wrap" style={{ gap: 10 }}>
          {services.slice(0, 10).map(([service, count]) => (
            <button
              key={service}
              type="button"
              className="plain row tight"
              onClick={() => onService(service)}
              title={`Find spans of ${service}`}
            >
              <span className="swatch" aria-hidden style={{ background: serviceColor(service, theme) }} />
              <span style={{ color: "var(--text)" }}>{service}</span> <span>{formatInteger(count)}</span>
            </button>
          ))}
          {services.length > 10 && <span>and {services.length - 10} more services</span>}
        </span>
      </div>
    </header>
  );
}
