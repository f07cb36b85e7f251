/** Every metric with what it is, and of one its labels, a preview and the expressions that fit it. */

import type { UseQueryResult } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { IconChartLine } from "@tabler/icons-react";
import { useMemo, useRef } from "react";

import { useTsdbStatus, type Catalogue } from "../../api/prometheus";
import { FindBox } from "../../components/FindBox";
import { Empty, Failed, Skeleton } from "../../components/States";
import type { Family } from "../../lib/promql";
import { formatCount, formatInteger, plural } from "../../lib/units";
import { FirstMetrics } from "./FirstMetrics";
import { MetricDetails } from "./MetricDetails";

const ROW_PX = 44;
/** What is seen above a row that a link chose. */
const LEAD_PX = 200;
const COUNTED_MAX = 10_000;

export function Browser({
  tabs,
  families,
  state,
  find,
  setFind,
  chosen,
  choose,
  use,
  hasQuery,
}: {
  tabs: React.ReactNode;
  families: readonly Family[];
  state: UseQueryResult<Catalogue>;
  find: string;
  setFind: (find: string) => void;
  chosen: string | null;
  choose: (metric: string) => void;
  use: (expr: string, add: boolean) => void;
  hasQuery: boolean;
}) {
  const found = useMemo(() => search(families, find), [families, find]);
  const counts = useSeriesCounts();
  const shown =
    families.find((family) => family.name === chosen) ??
    families.find((family) => chosen !== null && family.names.includes(chosen)) ??
    null;
  return (
    <>
      <div className="row wrap panel-tools">
        {tabs}
        <FindBox
          label="Find a metric"
          placeholder="A part of a name, a word of its help, or a type"
          value={find}
          onChange={setFind}
          testId="find-metric"
        />
        <div className="grow" />
        <span className="dim num">
          {state.data
            ? find
              ? `${formatInteger(found.length)} of ${formatInteger(families.length)} metrics`
              : plural(families.length, "metric")
            : ""}
        </span>
      </div>
      {state.isPending ? (
        <Skeleton rows={10} height={26} />
      ) : !state.data ? (
        <Failed what="The metrics cannot be listed" error={state.error} retry={() => void state.refetch()} />
      ) : families.length === 0 && counts.size > 0 ? (
        <Empty title="No metric has a sample in this time">
          <p>Choose a longer or a later time range above.</p>
        </Empty>
      ) : families.length === 0 ? (
        <FirstMetrics />
      ) : found.length === 0 ? (
        <Empty title="No metric is called that">
          <p>Names, help texts and types are searched for every word.</p>
        </Empty>
      ) : (
        <div className="browser">
          <List families={found} counts={counts} chosen={shown?.name ?? null} choose={choose} />
          {shown ? (
            <MetricDetails key={shown.name} family={shown} use={use} hasQuery={hasQuery} />
          ) : (
            <Empty title="Choose a metric" icon={<IconChartLine size={32} stroke={1.4} aria-hidden />}>
              <p>Its labels, a preview and the expressions that fit it are shown here.</p>
            </Empty>
          )}
        </div>
      )}
    </>
  );
}

function search(families: readonly Family[], find: string): readonly Family[] {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return families;
  return families.filter((family) => {
    const text = `${family.name} ${family.names.join(" ")} ${family.type} ${family.help}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Series by name; of a metric that is not among those counted nothing is said. */
function useSeriesCounts(): ReadonlyMap<string, number> {
  const status = useTsdbStatus(COUNTED_MAX);
  return useMemo(
    () => new Map((status.data?.seriesCountByMetricName ?? []).map(({ name, value }) => [name, value])),
    [status.data],
  );
}

function List({
  families,
  counts,
  chosen,
  choose,
}: {
  families: readonly Family[];
  counts: ReadonlyMap<string, number>;
  chosen: string | null;
  choose: (metric: string) => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const at = families.findIndex((family) => family.name === chosen);
  const rows = useVirtualizer({
    // A link may choose what is far down.
    initialOffset: () => Math.max(0, at * ROW_PX - LEAD_PX),
    count: families.length,
    getScrollElement: () => host.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const drawn = rows.getVirtualItems().some((item) => item.index === at);
  const move = (event: React.KeyboardEvent, to: number) => {
    event.preventDefault();
    const next = families[Math.max(0, Math.min(families.length - 1, to))];
    if (!next) return;
    choose(next.name);
    rows.scrollToIndex(families.indexOf(next));
  };
  return (
    <div
      ref={host}
      className="metric-list"
      role="listbox"
      aria-label="Metrics"
      tabIndex={0}
      aria-activedescendant={drawn ? `metric-${at}` : undefined}
      onKeyDown={(event) => {
        if (event.key === "ArrowDown" || event.key === "j") move(event, at + 1);
        if (event.key === "ArrowUp" || event.key === "k") move(event, Math.max(0, at - 1));
        if (event.key === "Home") move(event, 0);
        if (event.key === "End") move(event, families.length - 1);
      }}
    >
      <div style={{ height: rows.getTotalSize(), position: "relative" }} role="presentation">
        {rows.getVirtualItems().map((item) => {
          const family = families[item.index];
          if (!family) return null;
          const count = family.names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0);
          return (
            <div
              key={family.name}
              id={`metric-${item.index}`}
              role="option"
              aria-selected={family.name === chosen}
              className="metric-row"
              data-testid="metric-row"
              style={{ height: ROW_PX, transform: `translateY(${item.start}px)` }}
              onClick={() => choose(family.name)}
            >
              <div className="row">
                <span className="mono ellipsis grow" title={family.name}>
                  {family.name}
                </span>
                {count > 0 && (
                  <span className="dim num" title={`${formatInteger(count)} series`}>
                    {formatCount(count)}
                  </span>
                )}
                <TypeTag type={family.type} />
              </div>
              <div className="dim ellipsis metric-help" title={family.help}>
                {family.help || "No help text was sent"}
              </div>
            </div>
          );
        })}
      </div>
    </div>
  );
}

export function TypeTag({ type }: { type: string }) {
  return <span className={`tag type-${type}`}>{type}</span>;
}
