/** Lines as they come. They go to a ring outside React; the page changes once a frame at most. */

import { Button } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay, IconTrash } from "@tabler/icons-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import type { LogFilters } from "../../api/hooks";
import { tailLogs, type TailState } from "../../api/tail";
import type { LogRow } from "../../api/types";
import { Empty } from "../../components/States";
import { wordsOf } from "../../lib/highlight";
import { Ring } from "../../lib/ring";
import { formatInteger } from "../../lib/units";
import { apiQuery } from "../../lib/url";
import type { LogFilter } from "./LogDetails";
import { LogList } from "./LogList";

const KEPT_LINES = 50_000;

export function Tail({
  filters,
  wrap,
  onFilter,
}: {
  filters: LogFilters;
  wrap: boolean;
  onFilter: LogFilter;
}) {
  const [ring] = useState(() => new Ring<LogRow>(KEPT_LINES));
  const [, setFrame] = useState(0);
  const [state, setState] = useState<{ state: TailState; error: unknown }>({
    state: "connecting",
    error: null,
  });
  const [dropped, setDropped] = useState(0);
  const [paused, setPaused] = useState<{ rows: LogRow[]; total: number } | null>(null);
  const framed = useRef(false);
  const query = apiQuery({ q: filters.q, service: filters.service, level: filters.level });
  const draw = useCallback(() => {
    if (framed.current) return;
    framed.current = true;
    requestAnimationFrame(() => {
      framed.current = false;
      setFrame((frame) => frame + 1);
    });
  }, []);
  useEffect(() => {
    const abort = new AbortController();
    ring.clear();
    setDropped(0);
    setPaused(null);
    void tailLogs(
      query,
      {
        rows: (rows) => {
          for (const row of rows) ring.push({ ...row, id: `${row.id}~${ring.total}` });
          draw();
        },
        dropped: (rows) => setDropped((was) => was + rows),
        state: (next, error) => setState({ state: next, error }),
      },
      abort.signal,
    );
    return () => abort.abort();
  }, [query, ring, draw]);

  const pause = useCallback(
    () =>
      setPaused(
        (was) =>
          was ?? {
            rows: Array.from({ length: ring.length }, (_, at) => ring.at(at)).filter(
              (row) => row !== undefined,
            ),
            total: ring.total,
          },
      ),
    [ring],
  );
  const rowAt = useCallback(
    (index: number) => (paused ? paused.rows[index] : ring.at(index)),
    [paused, ring],
  );
  const words = useMemo(() => wordsOf(filters.q ?? ""), [filters.q]);
  const onReading = useCallback(
    (reading: boolean) => {
      if (reading) pause();
    },
    [pause],
  );
  const length = paused ? paused.rows.length : ring.length;
  const missed = paused ? ring.total - paused.total : 0;
  return (
    <section className="panel fill-panel" aria-label="Live tail">
      <div className="row panel-tools">
        <span className={`live-dot ${state.state} ${paused ? "paused" : ""}`} aria-hidden />
        <b role="status">
          {paused
            ? "Paused"
            : state.state === "open"
              ? "Live"
              : state.state === "connecting"
                ? "Connecting…"
                : "Connection lost, trying again…"}
        </b>
        <span className="dim num" data-testid="tail-count">
          {formatInteger(ring.total)} lines
          {ring.total > KEPT_LINES ? `, the newest ${formatInteger(KEPT_LINES)} kept` : ""}
          {dropped > 0 ? ` · ${formatInteger(dropped)} skipped, too many to send` : ""}
        </span>
        <div className="grow" />
        {missed > 0 && <span className="tag ok num">{formatInteger(missed)} new</span>}
        <Button
          size="compact-sm"
          variant="default"
          leftSection={
            paused ? <IconPlayerPlay size={14} aria-hidden /> : <IconPlayerPause size={14} aria-hidden />
          }
          aria-pressed={paused !== null}
          onClick={() => (paused ? setPaused(null) : pause())}
        >
          {paused ? "Resume" : "Pause"}
        </Button>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconTrash size={14} aria-hidden />}
          onClick={() => {
            ring.clear();
            setPaused(null);
            draw();
          }}
        >
          Clear
        </Button>
      </div>
      {length === 0 ? (
        <Empty title={state.state === "broken" ? "The stream broke" : "Waiting for lines"}>
          <p>
            {state.error instanceof Error
              ? state.error.message
              : "Every line that is received from now on and matches the search appears here within a second."}
          </p>
        </Empty>
      ) : (
        <LogList
          label="Live log lines"
          length={length}
          rowAt={rowAt}
          wrap={wrap}
          words={words}
          onFilter={onFilter}
          initial={null}
          follow={!paused}
          onScrollUp={pause}
          onReading={onReading}
        />
      )}
    </section>
  );
}
