/** The panels kept on this page: small, alive, each the way back to its queries. */

import { Link } from "@tanstack/react-router";
import { IconX } from "@tabler/icons-react";
import { useMemo } from "react";

import { useRangeQueries } from "../../api/prometheus";
import { TimeChart } from "../../charts/TimeChart";
import { useTheme } from "../../components/useTheme";
import { useTimeRange } from "../../components/useTimeRange";
import { colorOfSlot } from "../../lib/colors";
import { unitOf } from "../../lib/promql";
import { formatUnit, labelsText, splitLabels, toDrawing } from "../../lib/series";
import { unpin, type Pinned } from "./pinned";
import { writeQueries } from "./search";

const POINTS = 80;
const SERIES_MAX = 20;

export function PinnedStrip({
  pinned,
  setPinned,
}: {
  pinned: readonly Pinned[];
  setPinned: (pinned: Pinned[]) => void;
}) {
  if (pinned.length === 0) return null;
  return (
    <section className="pinned" aria-label="Panels" data-testid="pinned">
      {pinned.map((panel) => (
        <PinnedPanel
          key={JSON.stringify(panel.exprs)}
          panel={panel}
          remove={() => setPinned(unpin(localStorage, panel))}
        />
      ))}
    </section>
  );
}

function PinnedPanel({ panel, remove }: { panel: Pinned; remove: () => void }) {
  const theme = useTheme();
  const { setRange } = useTimeRange();
  const answers = useRangeQueries(panel.exprs, null, { points: POINTS });
  const key = answers.map((answer) => answer.dataUpdatedAt).join(" ");
  const drawing = useMemo(
    () =>
      toDrawing(
        answers.flatMap((answer, query) =>
          answer.data?.data.resultType === "matrix"
            ? [{ query, stepMs: answer.data.grid.stepMs, items: answer.data.data.result }]
            : [],
        ),
        SERIES_MAX,
      ),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the array is new at each render, its answers are not
    [key],
  );
  const grid = answers.find((answer) => answer.data)?.data?.grid;
  const failed = answers.find((answer) => answer.isError);
  const { own } = splitLabels(drawing.series.map((one) => one.labels));
  return (
    <article className="panel pinned-panel">
      <div className="row">
        <Link
          className="mono ellipsis grow quiet"
          to="/metrics"
          search={{
            ...writeQueries(panel.exprs.map((expr) => ({ expr, hidden: false }))),
            ...(panel.style ? { style: panel.style } : {}),
          }}
          title={panel.exprs.join("\n")}
        >
          {panel.title}
        </Link>
        <button
          type="button"
          className="icon-button"
          aria-label={`Take the panel away: ${panel.title}`}
          onClick={remove}
        >
          <IconX size={14} aria-hidden />
        </button>
      </div>
      {failed ? (
        <p className="error-text ellipsis" title={failed.error?.message}>
          {failed.error?.message}
        </p>
      ) : grid ? (
        <TimeChart
          label={`Panel: ${panel.title}`}
          kind={panel.style === "stacked" ? "stacked" : "lines"}
          baseline={panel.style === "stacked" ? "zero" : "fit"}
          height={96}
          range={{ start: grid.startMs, end: grid.endMs }}
          times={drawing.times}
          format={formatUnit(unitOf(panel.exprs[0] ?? ""))}
          onZoom={setRange}
          series={drawing.series.map((one, at) => ({
            name: own.length > 1 ? labelsText(own[at] ?? {}) : (panel.exprs[one.query] ?? ""),
            color: colorOfSlot(at, theme),
            values: one.values,
          }))}
        />
      ) : (
        <div className="skeleton" style={{ height: 96 }} />
      )}
    </article>
  );
}
