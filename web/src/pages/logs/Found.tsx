import { Button } from "@mantine/core";
import { IconListDetails } from "@tabler/icons-react";
import { useCallback, useMemo, useState } from "react";

import { useLogs, type LogFilters } from "../../api/hooks";
import { distinctIds } from "../../api/wire";
import { Segmented } from "../../components/Segmented";
import { NothingFound } from "../../components/NoneYet";
import { SearchFailed, Skeleton } from "../../components/States";
import { useHold } from "../../components/useHold";
import { wordsOf } from "../../lib/highlight";
import { formatInteger, plural } from "../../lib/units";
import { isLine } from "./LogDetails";
import { LogList } from "./LogList";
import type { LogsSearch } from "./search";

export function Found({
  filters,
  search,
  wrap,
  onFilter,
  change,
}: {
  filters: LogFilters;
  search: LogsSearch;
  wrap: boolean;
  onFilter: (key: string, value: unknown, exclude: boolean) => void;
  change: (next: LogsSearch) => void;
}) {
  const [reading, setReading] = useState(false);
  const { held, ...hold } = useHold();
  const direction = search.order === "oldest" ? "oldest" : "newest";
  // Lines do not move under a reader's eyes: with one open, or scrolled, the page does not ask by itself.
  const logs = useLogs(filters, {
    live: !reading && !held && direction === "newest" && !search.line,
    enabled: true,
    direction,
  });
  const rows = useMemo(() => {
    const seen = new Map<string, number>();
    return logs.data?.pages.flatMap(({ page }) => distinctIds(page.rows, seen)) ?? [];
  }, [logs.data]);
  const words = useMemo(() => wordsOf(filters.q ?? ""), [filters.q]);
  const line = search.line;
  const initial = useMemo(
    () => (line ? (rows.find((row) => isLine(row, line))?.id ?? null) : null),
    [line, rows],
  );
  const rowAt = useCallback((index: number) => rows[index], [rows]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = logs;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const stats = logs.data?.pages[0]?.page.stats;
  return (
    <section className="panel fill-panel" aria-label="Lines" {...hold}>
      <div className="row panel-tools">
        <span className="dim num">
          {!logs.data
            ? ""
            : hasNextPage
              ? `${formatInteger(rows.length)} loaded, scroll for more`
              : plural(rows.length, "line")}
          {stats?.elapsed_ms !== undefined ? ` · ${Math.round(stats.elapsed_ms)} ms` : ""}
        </span>
        {line && (
          <span className="tag ok">
            {initial ? "linked line open" : logs.isPending ? "" : "the linked line is not among these"}
            <button
              type="button"
              className="plain"
              aria-label="Forget the linked line"
              onClick={() => change({ line: undefined })}
            >
              ×
            </button>
          </span>
        )}
        <div className="grow" />
        <Segmented
          label="Order"
          value={direction}
          options={[
            { value: "newest", label: "Newest" },
            { value: "oldest", label: "Oldest" },
          ]}
          onChange={(order) => change({ order: order === "newest" ? undefined : order })}
        />
      </div>
      {logs.isPending ? (
        <Skeleton rows={12} height={16} />
      ) : !logs.data ? (
        <SearchFailed error={logs.error} retry={() => void logs.refetch()} />
      ) : rows.length === 0 ? (
        <NothingFound
          table="logs"
          filtered={Object.keys(filters).length > 0}
          icon={<IconListDetails size={32} stroke={1.4} aria-hidden />}
        >
          <p>Take a filter away, or choose a longer time range above.</p>
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => change({ q: undefined, service: undefined, level: undefined, line: undefined })}
          >
            Take all filters away
          </Button>
        </NothingFound>
      ) : (
        <LogList
          label="Log lines"
          length={rows.length}
          rowAt={rowAt}
          wrap={wrap}
          words={words}
          onFilter={onFilter}
          initial={initial}
          follow={false}
          onEnd={more}
          onReading={setReading}
          footer={
            isFetchingNextPage ? (
              <p className="dim" style={{ padding: 8, textAlign: "center" }}>
                More…
              </p>
            ) : !hasNextPage && rows.length > 50 ? (
              <p className="dim" style={{ padding: 8, textAlign: "center" }}>
                That is all in this time.
              </p>
            ) : null
          }
        />
      )}
    </section>
  );
}
