import { useMemo } from "react";

import { useLogHistogram, type LogFilters } from "../../api/hooks";
import { TimeChart } from "../../charts/TimeChart";
import { useTheme } from "../../components/useTheme";
import { useTimeRange } from "../../components/useTimeRange";
import { levelColor, LEVELS, type Level } from "../../lib/colors";
import { formatCount, plural } from "../../lib/units";
import type { LogsSearch } from "./search";

/** The chips count all levels, also those that are off; the bars show those that are on. */
export function Levels({
  filters,
  change,
  live,
}: {
  filters: LogFilters;
  change: (next: LogsSearch) => void;
  live: boolean;
}) {
  const theme = useTheme();
  const { setRange } = useTimeRange();
  const { level, ...others } = filters;
  const histogram = useLogHistogram(others);
  const chosen = useMemo(() => new Set((level ?? "").split(",").filter(Boolean)), [level]);
  const buckets = useMemo(() => histogram.data?.data.buckets ?? [], [histogram.data]);
  const totals = useMemo(() => {
    const sums = new Map<string, number>();
    for (const bucket of buckets)
      for (const [name, count] of Object.entries(bucket.counts))
        sums.set(name, (sums.get(name) ?? 0) + count);
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
          <button
            key={name}
            type="button"
            className="chip"
            style={{ height: 22 }}
            aria-pressed={chosen.has(name)}
            onClick={() => toggle(name)}
          >
            <span className="swatch" aria-hidden style={{ background: levelColor(name, theme) }} />
            {name} <span className="num dim">{formatCount(totals.get(name) ?? 0)}</span>
          </button>
        ))}
        {shown.length === 0 && (
          <span className="dim">
            {histogram.isError
              ? `Not counted: ${histogram.error.message}`
              : histogram.data
                ? "No lines in this time"
                : ""}
          </span>
        )}
        <div className="grow" />
        <span className="dim num" data-testid="log-total">
          {histogram.data ? plural(total, "line") : ""}
        </span>
      </div>
      {!live &&
        (histogram.data ? (
          <div style={{ padding: "0 12px 6px" }}>
            <TimeChart
              testId="log-histogram"
              label={`Log lines over time by level, ${total} in all`}
              kind="bars"
              height={96}
              range={histogram.data.range}
              format={formatCount}
              onZoom={setRange}
              times={buckets.map((bucket) => bucket.time_ms)}
              series={drawn.map((name) => ({
                name,
                color: levelColor(name, theme),
                values: buckets.map((bucket) => bucket.counts[name] ?? 0),
              }))}
            />
          </div>
        ) : histogram.isError ? null : (
          <div className="skeleton" style={{ height: 96, margin: "0 12px 6px" }} />
        ))}
    </section>
  );
}
