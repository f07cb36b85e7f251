import { Button, Menu } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { IconBroadcast, IconDownload, IconListDetails, IconTextWrap } from "@tabler/icons-react";
import { useCallback, useMemo, useState } from "react";

import { useFieldValues, useLogHistogram, useLogs, type LogFilters } from "../../api/hooks";
import { distinctIds } from "../../api/wire";
import { TimeChart } from "../../charts/TimeChart";
import { SearchBox } from "../../components/SearchBox";
import { Segmented } from "../../components/Segmented";
import { Empty, Failed, Skeleton } from "../../components/States";
import { useTheme } from "../../components/useTheme";
import { useTimeRange } from "../../components/useTimeRange";
import { levelColor, LEVELS, type Level } from "../../lib/colors";
import { wordsOf } from "../../lib/highlight";
import { addFilter, valueText } from "../../lib/search";
import { resolveRange } from "../../lib/time";
import { formatCount, formatInteger } from "../../lib/units";
import { DOWNLOAD_LINES_MAX, downloadLogs } from "./download";
import { isLine } from "./LogDetails";
import { LogList } from "./LogList";
import { Tail } from "./Tail";

const route = getRouteApi("/logs");
type Search = { q?: string; service?: string; level?: string; line?: string; live?: string; wrap?: string; order?: string };

export function Logs() {
  const search: Search = route.useSearch();
  const navigate = useNavigate({ from: "/logs" });
  const change = useCallback((next: Search) => void navigate({ search: (previous) => ({ ...previous, ...next }) }), [navigate]);
  const { q, service, level } = search;
  const filters = useMemo(() => toFilters(q, service, level), [q, service, level]);
  const live = search.live === "1";
  const wrap = search.wrap === "1";
  const onFilter = useCallback(
    (key: string, value: unknown, exclude: boolean) => {
      if (key === "service" && !exclude) change({ service: valueText(value), line: undefined });
      else if (key === "level" && !exclude) change({ level: valueText(value), line: undefined });
      else void navigate({ search: (previous) => ({ ...previous, q: addFilter(previous.q ?? "", key, value, exclude), line: undefined }) });
    },
    [change, navigate],
  );
  return (
    <div className="page fill">
      <h1 className="visually-hidden">Logs</h1>
      <div className="row">
        <label className="visually-hidden" htmlFor="log-service">Service</label>
        <ServiceSelect value={service} change={change} />
        <SearchBox table="logs" label="Search logs" value={q ?? ""} placeholder={'words "a phrase" -not level:error http.response.status_code>=500'} onSubmit={(next) => change({ q: next || undefined, line: undefined })} />
        <Button size="xs" h={30} variant={live ? "filled" : "default"} aria-pressed={live} leftSection={<IconBroadcast size={15} aria-hidden />} onClick={() => change({ live: live ? undefined : "1", line: undefined })} data-testid="live-tail">Live tail</Button>
        <button type="button" className="icon-button framed" aria-label="Wrap long lines" aria-pressed={wrap} title="Wrap long lines" onClick={() => change({ wrap: wrap ? undefined : "1" })}><IconTextWrap size={16} aria-hidden /></button>
        <Download filters={filters} />
      </div>
      <Levels filters={filters} change={change} live={live} />
      {live ? <Tail filters={filters} wrap={wrap} onFilter={onFilter} /> : <Found key={JSON.stringify([q, service, level, search.order])} filters={filters} search={search} wrap={wrap} onFilter={onFilter} change={change} />}
    </div>
  );
}

function toFilters(q: string | undefined, service: string | undefined, level: string | undefined): LogFilters {
  return { ...(q ? { q } : {}), ...(service ? { service } : {}), ...(level ? { level } : {}) };
}

function ServiceSelect({ value, change }: { value: string | undefined; change: (next: Search) => void }) {
  const services = useFieldValues("logs", "service", "");
  const names = services.data?.filter((one) => one.value !== null).map((one) => valueText(one.value)) ?? [];
  if (value && !names.includes(value)) names.unshift(value);
  return (
    <select id="log-service" className="select" style={{ width: 180 }} value={value ?? ""} onChange={(event) => change({ service: event.currentTarget.value || undefined, line: undefined })}>
      <option value="">All services</option>
      {names.map((name) => <option key={name} value={name}>{name}</option>)}
    </select>
  );
}

/** The chips count all levels, also those that are off; the bars show those that are on. */
function Levels({ filters, change, live }: { filters: LogFilters; change: (next: Search) => void; live: boolean }) {
  const theme = useTheme();
  const { setRange } = useTimeRange();
  const { level, ...others } = filters;
  const histogram = useLogHistogram(others);
  const chosen = useMemo(() => new Set((level ?? "").split(",").filter(Boolean)), [level]);
  const buckets = useMemo(() => histogram.data?.data.buckets ?? [], [histogram.data]);
  const totals = useMemo(() => {
    const sums = new Map<string, number>();
    for (const bucket of buckets) for (const [name, count] of Object.entries(bucket.counts)) sums.set(name, (sums.get(name) ?? 0) + count);
    return sums;
  }, [buckets]);
  const shown = LEVELS.filter((name) => (totals.get(name) ?? 0) > 0 || chosen.has(name));
  const drawn = shown.filter((name) => chosen.size === 0 || chosen.has(name));
  const toggle = (name: Level) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    change({ level: [...next].join(",") || undefined, line: undefined });
  };
  const total = drawn.reduce((sum, name) => sum + (totals.get(name) ?? 0), 0);
  return (
    <section className="panel" aria-label="Levels" style={{ flex: "none" }}>
      <div className="row wrap" style={{ padding: "8px 12px" }} role="group" aria-label="Levels">
        {shown.map((name) => (
          <button key={name} type="button" className="chip" style={{ height: 22 }} aria-pressed={chosen.has(name)} onClick={() => toggle(name)}>
            <span className="swatch" aria-hidden style={{ background: levelColor(name, theme) }} />{name} <span className="num dim">{formatCount(totals.get(name) ?? 0)}</span>
          </button>
        ))}
        {shown.length === 0 && <span className="dim">No lines in this time</span>}
        <div className="grow" />
        <span className="dim num" data-testid="log-total">{histogram.data ? `${formatInteger(total)} lines` : ""}</span>
      </div>
      {!live && (histogram.data ? (
        <div style={{ padding: "0 12px 6px" }}>
          <TimeChart testId="log-histogram" label={`Log lines over time by level, ${total} in all`} kind="bars" height={96} range={histogram.data.range} format={formatCount} onZoom={setRange} times={buckets.map((bucket) => bucket.time_ms)}
            series={drawn.map((name) => ({ name, color: levelColor(name, theme), values: buckets.map((bucket) => bucket.counts[name] ?? 0) }))} />
        </div>
      ) : histogram.isError ? <p className="error-text" style={{ padding: "0 12px 10px" }}>{histogram.error.message}</p> : <div className="skeleton" style={{ height: 96, margin: "0 12px 6px" }} />)}
    </section>
  );
}

function Found({ filters, search, wrap, onFilter, change }: { filters: LogFilters; search: Search; wrap: boolean; onFilter: (key: string, value: unknown, exclude: boolean) => void; change: (next: Search) => void }) {
  const [reading, setReading] = useState(false);
  const direction = search.order === "oldest" ? "oldest" : "newest";
  // Lines do not move under a reader's eyes: with a line open the page does not ask again by itself.
  const logs = useLogs(filters, { live: !reading && direction === "newest" && !search.line, enabled: true, direction });
  const rows = useMemo(() => {
    const seen = new Map<string, number>();
    return logs.data?.pages.flatMap(({ page }) => distinctIds(page.rows, seen)) ?? [];
  }, [logs.data]);
  const words = useMemo(() => wordsOf(filters.q ?? ""), [filters.q]);
  const line = search.line;
  const initial = useMemo(() => (line ? (rows.find((row) => isLine(row, line))?.id ?? null) : null), [line, rows]);
  const rowAt = useCallback((index: number) => rows[index], [rows]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = logs;
  const more = useCallback(() => { if (hasNextPage && !isFetchingNextPage) void fetchNextPage(); }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const stats = logs.data?.pages[0]?.page.stats;
  return (
    <section className="panel log-panel" aria-label="Lines">
      <div className="row log-tools">
        <span className="dim num">{formatInteger(rows.length)}{hasNextPage ? " loaded, scroll for more" : " lines"}{stats?.elapsed_ms !== undefined ? ` · ${Math.round(stats.elapsed_ms)} ms` : ""}</span>
        {line && <span className="tag ok">{initial ? "linked line open" : logs.isPending ? "" : "the linked line is not among these"}<button type="button" className="plain" aria-label="Forget the linked line" onClick={() => change({ line: undefined })}>×</button></span>}
        <div className="grow" />
        <Segmented label="Order" value={direction} options={[{ value: "newest", label: "Newest" }, { value: "oldest", label: "Oldest" }]} onChange={(order) => change({ order: order === "newest" ? undefined : order })} />
      </div>
      {logs.isPending ? <Skeleton rows={12} height={16} /> : !logs.data ? (
        <Failed what="The search failed" error={logs.error} retry={() => void logs.refetch()} />
      ) : rows.length === 0 ? (
        <Empty title="No line matches" icon={<IconListDetails size={32} stroke={1.4} aria-hidden />}>
          <p>Take a filter away, or choose a longer time range above.</p>
          <Button size="compact-sm" variant="default" onClick={() => change({ q: undefined, service: undefined, level: undefined, line: undefined })}>Take all filters away</Button>
        </Empty>
      ) : (
        <LogList label="Log lines" length={rows.length} rowAt={rowAt} wrap={wrap} words={words} onFilter={onFilter} initial={initial} follow={false} onEnd={more} onOpen={setReading}
          footer={isFetchingNextPage ? <p className="dim" style={{ padding: 8, textAlign: "center" }}>More…</p> : !hasNextPage && rows.length > 50 ? <p className="dim" style={{ padding: 8, textAlign: "center" }}>That is all in this time.</p> : null} />
      )}
    </section>
  );
}

function Download({ filters }: { filters: LogFilters }) {
  const { text } = useTimeRange();
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");
  const start = (format: "ndjson" | "csv") => {
    setState("busy");
    downloadLogs(format, filters, resolveRange(text, Date.now())).then(() => setState("idle"), () => setState("failed"));
  };
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <button type="button" className="icon-button framed" aria-label={state === "busy" ? "Downloading" : state === "failed" ? "Download: the last one failed" : "Download"} title={state === "failed" ? "The last download failed" : "Download"} disabled={state === "busy"}><IconDownload size={16} aria-hidden className={state === "failed" ? "error-text" : ""} /></button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Up to {formatInteger(DOWNLOAD_LINES_MAX)} lines</Menu.Label>
        <Menu.Item onClick={() => start("ndjson")}>NDJSON</Menu.Item>
        <Menu.Item onClick={() => start("csv")}>CSV</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
