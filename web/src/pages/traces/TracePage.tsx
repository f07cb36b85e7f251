/** One trace: its waterfall or table of spans, with the chosen span's details or the logs beside it. */

import "./trace.css";

import { useDebouncedValue } from "@mantine/hooks";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { IconRoute } from "@tabler/icons-react";
import { useCallback, useDeferredValue, useEffect, useMemo, useState, type ReactNode } from "react";

import { ApiError } from "../../api/client";
import { useTrace, useTraceLogs } from "../../api/hooks";
import type { Span, Trace } from "../../api/types";
import { Empty, Failed, Skeleton } from "../../components/States";
import { Tabs } from "../../components/Tabs";
import {
  buildTree,
  criticalPath,
  mainRoot,
  sectionsBySpan,
  type Section,
  type TraceNode,
  type TraceTree,
} from "../../lib/trace";
import { formatInteger } from "../../lib/units";
import { findSpans } from "./find";
import { FindField } from "./FindField";
import { SpanDetails } from "./SpanDetails";
import { SpanTable } from "./SpanTable";
import { TraceHeader } from "./TraceHeader";
import { TraceLogs } from "./TraceLogs";
import { useSelection } from "./useSelection";
import { Waterfall, type SpansProps } from "./Waterfall";
import { readZoom, zoomText } from "./zoom";

const route = getRouteApi("/traces/$traceId");
type Search = { span?: string; view?: string; side?: string; find?: string; zoom?: string };

export function TracePage() {
  const { traceId } = route.useParams();
  const trace = useTrace(traceId);
  if (trace.isPending)
    return (
      <div className="page">
        <Skeleton rows={14} />
      </div>
    );
  if (!trace.data) {
    const missing = trace.error instanceof ApiError && trace.error.status === 404;
    if (!missing)
      return (
        <Failed what="The trace cannot be read" error={trace.error} retry={() => void trace.refetch()} />
      );
    return (
      <Empty title="There is no such trace here" icon={<IconRoute size={32} stroke={1.4} aria-hidden />}>
        <p>
          No span has the trace id <code>{traceId}</code>. It may be older than what is kept, sampled away, or
          not sent yet.{" "}
          <Link to="/logs" search={{ q: `trace_id:${traceId}` }}>
            Look for its log lines
          </Link>{" "}
          or <Link to="/traces">search traces</Link>.
        </p>
      </Empty>
    );
  }
  return <Loaded key={traceId} trace={trace.data} />;
}

type Model = {
  tree: TraceTree<Span>;
  /** Spans whose clock differed. */
  moved: number;
  critical: ReadonlyMap<number, Section[]>;
};

function useModel(trace: Trace, adjustClocks: boolean): Model {
  return useMemo(() => {
    const tree = buildTree(trace.spans, { adjustClocks });
    return {
      tree,
      moved: tree.nodes.filter((node) => node.shiftNs !== 0).length,
      critical: sectionsBySpan(tree.roots.length > 0 ? criticalPath(tree, mainRoot(tree)) : []),
    };
  }, [trace.spans, adjustClocks]);
}

function Loaded({ trace }: { trace: Trace }) {
  const search: Search = route.useSearch();
  const navigate = useNavigate({ from: "/traces/$traceId" });
  const change = useCallback(
    (next: Search) => void navigate({ replace: true, search: (previous) => ({ ...previous, ...next }) }),
    [navigate],
  );
  const [adjustClocks, setAdjustClocks] = useState(true);
  const [find, setFind] = useState(search.find ?? "");
  const [findInAddress] = useDebouncedValue(find, 400);
  const model = useModel(trace, adjustClocks);
  const matches = useMemo(() => findSpans(trace.spans, find), [trace.spans, find]);
  const logs = useTraceLogs(trace, trace.trace_id);
  const { selected, select } = useSelection(trace, search.span, (span) => change({ span }));
  const logsOfSpan = useMemo(() => countBySpan(logs.data?.rows ?? []), [logs.data]);
  useEffect(() => {
    if (findInAddress !== (search.find ?? "")) change({ find: findInAddress || undefined });
  }, [findInAddress, search.find, change]);
  const node = selected === null ? undefined : model.tree.nodes[selected];
  const showLogs = () => change({ side: "logs" });
  const shared: SpansProps = {
    tree: model.tree,
    selected,
    select,
    logsOfSpan,
    matches: useDeferredValue(matches),
    openLogs: showLogs,
  };
  const logCount = logs.data?.rows.length ?? trace.logs;
  const sideOpen = node !== undefined || search.side === "logs";
  return (
    <div className="page fill trace-page" data-testid="trace-page">
      <TraceHeader trace={trace} tree={model.tree} onService={setFind} />
      {trace.truncated && (
        <div className="banner warn">
          Only the first {formatInteger(trace.spans.length)} spans are shown: the trace has more than the
          limit.
        </div>
      )}
      <Clocks moved={model.moved} adjusted={adjustClocks} setAdjusted={setAdjustClocks} />
      <div className={`trace-body ${sideOpen ? "with-side" : ""}`}>
        <Main search={search} change={change} shared={shared} critical={model.critical} logCount={logCount}>
          <FindField find={find} setFind={setFind} matches={matches} selected={selected} select={select} />
        </Main>
        {sideOpen && (
          <Side
            tab={node && search.side !== "logs" ? "span" : "logs"}
            node={node}
            change={change}
            logCount={logCount}
          >
            {node && search.side !== "logs" ? (
              <SpanDetails
                key={node.index}
                tree={model.tree}
                node={node}
                trace={trace}
                logs={logsOfSpan.get(node.span.span_id) ?? 0}
                critical={model.critical}
                select={select}
                openLogs={showLogs}
              />
            ) : (
              <TraceLogs
                trace={trace}
                logs={logs}
                selected={node?.span ?? null}
                select={(spanId) => select(trace.spans.findIndex((span) => span.span_id === spanId))}
              />
            )}
          </Side>
        )}
      </div>
    </div>
  );
}

function Clocks({
  moved,
  adjusted,
  setAdjusted,
}: {
  moved: number;
  adjusted: boolean;
  setAdjusted: (adjusted: boolean) => void;
}) {
  if (adjusted && moved === 0) return null;
  const said = `${moved === 1 ? "One span" : `${formatInteger(moved)} spans`} of another clock seemed to start before the parent, and stand moved to fit.`;
  return (
    <div className="banner">
      <span className="grow">{adjusted ? said : "Times are as the senders' clocks gave them."}</span>
      <button type="button" className="chip" onClick={() => setAdjusted(!adjusted)}>
        {adjusted ? "Show as sent" : "Make clocks fit"}
      </button>
    </div>
  );
}

type MainProps = {
  search: Search;
  change: (next: Search) => void;
  shared: SpansProps;
  critical: ReadonlyMap<number, Section[]>;
  logCount: number;
  children: ReactNode;
};

function Main({ search, change, shared, critical, logCount, children }: MainProps) {
  const [showCritical, setShowCritical] = useState(true);
  const view = search.view === "spans" ? "spans" : "waterfall";
  const zoomed = useMemo(() => readZoom(search.zoom, shared.tree), [search.zoom, shared.tree]);
  const close = () => {
    shared.select(null);
    change({ side: undefined });
  };
  return (
    <section className="panel trace-main" aria-label="Spans">
      <div className="row trace-tools">
        <Tabs
          name="trace"
          label="View"
          value={view}
          tabs={[
            { value: "waterfall", label: "Waterfall" },
            { value: "spans", label: "Spans" },
          ]}
          onChange={(next) => change({ view: next === "waterfall" ? undefined : next })}
        />
        <div className="grow" />
        {children}
        <button
          type="button"
          className="chip"
          aria-pressed={showCritical}
          onClick={() => setShowCritical(!showCritical)}
          title="The spans that made the trace as long as it is"
        >
          Critical path
        </button>
        <button
          type="button"
          className="chip"
          aria-pressed={search.side === "logs"}
          data-testid="show-logs"
          onClick={() => change({ side: search.side === "logs" ? undefined : "logs" })}
        >
          Logs {formatInteger(logCount)}
        </button>
      </div>
      <div role="tabpanel" id="panel-trace" aria-labelledby={`tab-trace-${view}`} className="trace-panel">
        {view === "waterfall" ? (
          <Waterfall
            {...shared}
            critical={showCritical ? critical : NO_SECTIONS}
            close={close}
            zoomed={zoomed}
            setZoomed={(next) => change({ zoom: next ? zoomText(next) : undefined })}
          />
        ) : (
          <SpanTable {...shared} />
        )}
      </div>
    </section>
  );
}

type SideProps = {
  tab: "span" | "logs";
  node: TraceNode<Span> | undefined;
  change: (next: Search) => void;
  logCount: number;
  children: ReactNode;
};

function Side({ tab, node, change, logCount, children }: SideProps) {
  return (
    <aside className="panel trace-side" aria-label="Details">
      <div style={{ padding: "2px 8px 0" }}>
        <Tabs
          name="side"
          label="Details"
          value={tab}
          onChange={(next) => change({ side: next === "logs" ? "logs" : undefined })}
          tabs={[
            ...(node ? [{ value: "span" as const, label: "Span" }] : []),
            { value: "logs" as const, label: `Logs ${formatInteger(logCount)}` },
          ]}
        />
      </div>
      <div role="tabpanel" id="panel-side" aria-labelledby={`tab-side-${tab}`} className="trace-side-panel">
        {children}
      </div>
    </aside>
  );
}

const NO_SECTIONS: ReadonlyMap<number, Section[]> = new Map();

function countBySpan(rows: readonly { span_id: string | null }[]): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const row of rows) if (row.span_id) out.set(row.span_id, (out.get(row.span_id) ?? 0) + 1);
  return out;
}
