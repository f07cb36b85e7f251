/** One trace: its waterfall or table of spans, with the chosen span's details or the logs beside it. */

import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { IconRoute } from "@tabler/icons-react";
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";

import { useTrace, useTraceLogs } from "../../api/hooks";
import { ApiError } from "../../api/client";
import type { Span, Trace } from "../../api/types";
import { Copy } from "../../components/Copy";
import { Empty, Failed, Skeleton } from "../../components/States";
import { Tabs } from "../../components/Tabs";
import { serviceColor, useTheme } from "../../components/useTheme";
import { formatDateTime, timeMs } from "../../lib/time";
import { buildTree, criticalPath, type Section } from "../../lib/trace";
import { formatDuration, formatInteger } from "../../lib/units";
import { findSpans } from "./find";
import { SpanDetails } from "./SpanDetails";
import { SpanTable } from "./SpanTable";
import { TraceLogs } from "./TraceLogs";
import { Waterfall } from "./Waterfall";

const route = getRouteApi("/traces/$traceId");
type Search = { span?: string; view?: string; side?: string; find?: string };

export function TracePage() {
  const { traceId } = route.useParams();
  const trace = useTrace(traceId);
  if (trace.isPending) return <div className="page"><Skeleton rows={14} /></div>;
  if (!trace.data) {
    const missing = trace.error instanceof ApiError && trace.error.status === 404;
    if (!missing) return <Failed what="The trace cannot be read" error={trace.error} retry={() => void trace.refetch()} />;
    return (
      <Empty title="There is no such trace here" icon={<IconRoute size={32} stroke={1.4} aria-hidden />}>
        <p>No span has the trace id <code>{traceId}</code>. It may be older than what is kept, sampled away, or not sent yet. <Link to="/logs" search={{ q: `trace_id:${traceId}` }}>Look for its log lines</Link> or <Link to="/traces">search traces</Link>.</p>
      </Empty>
    );
  }
  return <Loaded key={traceId} trace={trace.data} />;
}

function Loaded({ trace }: { trace: Trace }) {
  const search: Search = route.useSearch();
  const navigate = useNavigate({ from: "/traces/$traceId" });
  const [adjustClocks, setAdjustClocks] = useState(true);
  const [showCritical, setShowCritical] = useState(true);
  const [find, setFind] = useState(search.find ?? "");
  const tree = useMemo(() => buildTree(trace.spans, { adjustClocks }), [trace.spans, adjustClocks]);
  const moved = useMemo(() => (adjustClocks ? tree.nodes.filter((node) => node.shiftNs !== 0).length : 0), [tree, adjustClocks]);
  const critical = useMemo(() => sectionsBySpan(tree.roots.length > 0 ? criticalPath(tree, mainRoot(tree)) : []), [tree]);
  const matches = useMemo(() => findSpans(trace.spans, find), [trace.spans, find]);
  const deferredMatches = useDeferredValue(matches);
  const logs = useTraceLogs(trace, trace.trace_id);
  const { selected, select } = useSelection(trace, search.span, (span) => void navigate({ replace: true, search: (previous) => ({ ...previous, span }) }));
  const view = search.view === "spans" ? "spans" : "waterfall";
  const side = search.side === "logs" ? "logs" : "span";
  const change = useCallback((next: Search) => void navigate({ replace: true, search: (previous) => ({ ...previous, ...next }) }), [navigate]);
  const node = selected === null ? undefined : tree.nodes[selected];
  const sideOpen = node !== undefined || search.side === "logs";
  const logCount = logs.data?.rows.length ?? trace.logs;
  const logsOfSpan = useMemo(() => countBySpan(logs.data?.rows ?? []), [logs.data]);
  const shared = { tree, selected, select, logsOfSpan, matches: deferredMatches, openLogs: () => change({ side: "logs" }) };
  return (
    <div className="page fill trace-page" data-testid="trace-page">
      <Header trace={trace} tree={tree} onService={setFind} />
      {trace.truncated && <div className="banner warn">Only the first {formatInteger(trace.spans.length)} spans are shown: the trace has more than the limit.</div>}
      {(moved > 0 || !adjustClocks) && (
        <div className="banner"><span className="grow">{adjustClocks ? `${moved === 1 ? "One span" : `${formatInteger(moved)} spans`} of another clock seemed to start before the parent, and stand moved to fit.` : "Times are as the senders' clocks gave them."}</span>
          <button type="button" className="chip" onClick={() => setAdjustClocks(!adjustClocks)}>{adjustClocks ? "Show as sent" : "Make clocks fit"}</button></div>
      )}
      <div className={`trace-body ${sideOpen ? "with-side" : ""}`}>
        <section className="panel trace-main" aria-label="Spans">
          <div className="row trace-tools">
            <Tabs name="trace" label="View" value={view} tabs={[{ value: "waterfall", label: "Waterfall" }, { value: "spans", label: "Spans" }]} onChange={(next) => change({ view: next === "waterfall" ? undefined : next })} />
            <div className="grow" />
            <FindField find={find} setFind={setFind} matches={matches} selected={selected} select={select} />
            <button type="button" className="chip" aria-pressed={showCritical} onClick={() => setShowCritical(!showCritical)} title="The spans that made the trace as long as it is">Critical path</button>
            <button type="button" className="chip" aria-pressed={search.side === "logs"} data-testid="show-logs" onClick={() => change({ side: search.side === "logs" ? undefined : "logs" })}>Logs {formatInteger(logCount)}</button>
          </div>
          <div role="tabpanel" id="panel-trace" aria-labelledby={`tab-trace-${view}`} className="trace-panel">
            {view === "waterfall" ? <Waterfall {...shared} critical={showCritical ? critical : NO_SECTIONS} close={() => { select(null); change({ side: undefined }); }} /> : <SpanTable {...shared} />}
          </div>
        </section>
        {sideOpen && (
          <aside className="panel trace-side" aria-label="Details">
            <div style={{ padding: "2px 8px 0" }}>
              <Tabs name="side" label="Details" value={node ? side : "logs"} onChange={(next) => change({ side: next === "logs" ? "logs" : undefined })}
                tabs={[...(node ? [{ value: "span" as const, label: "Span" }] : []), { value: "logs" as const, label: `Logs ${formatInteger(logCount)}` }]} />
            </div>
            <div role="tabpanel" id="panel-side" aria-labelledby={`tab-side-${node ? side : "logs"}`} className="trace-side-panel">
              {side === "logs" || !node ? <TraceLogs trace={trace} logs={logs} selected={node?.span ?? null} select={(spanId) => select(trace.spans.findIndex((span) => span.span_id === spanId))} />
                : <SpanDetails key={node.index} tree={tree} node={node} trace={trace} logs={logsOfSpan.get(node.span.span_id) ?? 0} critical={critical} select={select} openLogs={() => change({ side: "logs" })} />}
            </div>
          </aside>
        )}
      </div>
    </div>
  );
}

const NO_SECTIONS: ReadonlyMap<number, Section[]> = new Map();

function mainRoot(tree: ReturnType<typeof buildTree>): number {
  let best = tree.roots[0] ?? 0;
  const length = (index: number) => (tree.nodes[index]?.end ?? 0) - (tree.nodes[index]?.start ?? 0);
  for (const root of tree.roots) if (length(root) > length(best)) best = root;
  return best;
}

function sectionsBySpan(sections: Section[]): ReadonlyMap<number, Section[]> {
  const out = new Map<number, Section[]>();
  for (const section of sections) {
    const list = out.get(section.index);
    if (list) list.push(section);
    else out.set(section.index, [section]);
  }
  return out;
}

function countBySpan(rows: readonly { span_id: string | null }[]): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const row of rows) if (row.span_id) out.set(row.span_id, (out.get(row.span_id) ?? 0) + 1);
  return out;
}

/** The address follows the selection after this pause, so that holding `j` stays smooth. */
const ADDRESS_DELAY_MS = 150;

function useSelection(trace: Trace, spanInAddress: string | undefined, setAddress: (span: string | undefined) => void) {
  const indexOf = useCallback((id: string | undefined) => (id === undefined ? null : trace.spans.findIndex((span) => span.span_id === id)), [trace.spans]);
  const [selected, setSelected] = useState<number | null>(() => validIndex(indexOf(spanInAddress)));
  const known = useRef({ span: spanInAddress, spans: trace.spans });
  const write = useRef(setAddress);
  const selectedId = selected === null ? undefined : trace.spans[selected]?.span_id;
  useEffect(() => {
    write.current = setAddress;
  });
  useEffect(() => {
    if (known.current.span === spanInAddress && known.current.spans === trace.spans) return;
    known.current = { span: spanInAddress, spans: trace.spans };
    setSelected(validIndex(indexOf(spanInAddress)));
  }, [spanInAddress, trace.spans, indexOf]);
  useEffect(() => {
    if (selectedId === known.current.span) return undefined;
    const timer = setTimeout(() => {
      known.current = { ...known.current, span: selectedId };
      write.current(selectedId);
    }, ADDRESS_DELAY_MS);
    return () => clearTimeout(timer);
  }, [selectedId]);
  const select = useCallback((index: number | null) => setSelected(validIndex(index)), []);
  return { selected, select };
}

const validIndex = (index: number | null) => (index === null || index < 0 ? null : index);

function Header({ trace, tree, onService }: { trace: Trace; tree: ReturnType<typeof buildTree<Span>>; onService: (service: string) => void }) {
  const theme = useTheme();
  const root = tree.nodes[mainRoot(tree)]?.span;
  const errors = trace.spans.filter((span) => span.status === "error").length;
  const services = useMemo(() => {
    const counts = new Map<string, number>();
    for (const span of trace.spans) counts.set(span.service, (counts.get(span.service) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]);
  }, [trace.spans]);
  return (
    <header style={{ display: "grid", gap: 6 }}>
      <div className="row wrap spread">
        <h1 className="ellipsis"><span style={{ color: root ? serviceColor(root.service, theme) : undefined }}>{root?.service ?? "unknown"}</span> {root?.name}</h1>
        <span className="row tight dim mono">{trace.trace_id}<Copy text={trace.trace_id} label="Copy trace id" /><Copy text={window.location.href} label="Copy link" /></span>
      </div>
      <div className="row wrap wide dim num">
        <span><b style={{ color: "var(--text)", fontSize: 15 }}>{formatDuration(tree.end - tree.start)}</b></span>
        <span title={trace.start}>{formatDateTime(timeMs(trace.start))}</span>
        <span>{formatInteger(trace.spans.length)} spans, {tree.maxDepth + 1} deep</span>
        {errors > 0 && <span className="tag error">{formatInteger(errors)} {errors === 1 ? "error" : "errors"}</span>}
        <span className="row wrap" style={{ gap: 10 }}>
          {services.slice(0, 10).map(([service, count]) => (
            <button key={service} type="button" className="plain row tight" onClick={() => onService(service)} title={`Find spans of ${service}`}>
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

function FindField({ find, setFind, matches, selected, select }: { find: string; setFind: (find: string) => void; matches: readonly number[] | null; selected: number | null; select: (index: number | null) => void }) {
  const at = matches && selected !== null ? matches.indexOf(selected) : -1;
  const go = (by: number) => {
    if (!matches || matches.length === 0) return;
    select(matches[(at + by + matches.length + (at < 0 && by < 0 ? 1 : 0)) % matches.length] ?? null);
  };
  return (
    <span className="row tight">
      <input className="input" style={{ width: 170, height: 26 }} type="search" aria-label="Find in this trace" placeholder="Find in this trace" value={find} data-search-field data-testid="find-span" spellCheck={false}
        onChange={(event) => setFind(event.currentTarget.value)} onKeyDown={(event) => { if (event.key === "Enter") go(event.shiftKey ? -1 : 1); if (event.key === "Escape") setFind(""); }} />
      {matches && <span className="dim num nowrap" role="status">{at >= 0 ? `${at + 1}/` : ""}{formatInteger(matches.length)}</span>}
    </span>
  );
}
