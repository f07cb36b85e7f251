/** A stretch of time of the graph, and where it leads: closer, to its traces, to its logs. */

import { Link } from "@tanstack/react-router";
import { IconListDetails, IconRoute, IconX, IconZoomIn } from "@tabler/icons-react";

import type { Frame } from "../../charts/TimeChart";
import { tracesBehind, type TraceSearch } from "../../lib/behind";
import { matchersIn, servicesOf, type Labels } from "../../lib/series";
import { formatPromDuration } from "../../lib/promql";
import { rangeLabel, rangeText, type Range } from "../../lib/time";
import { formatDuration } from "../../lib/units";

export function SelectionShade({ frame, range }: { frame: Frame; range: Range }) {
  const left = Math.max(0, frame.x(range.start));
  const right = Math.min(frame.width, frame.x(range.end));
  if (right <= left) return null;
  return (
    <div
      className="selection-shade"
      aria-hidden
      style={{ left: frame.left + left, width: right - left, top: frame.top, height: frame.height }}
    />
  );
}

function tracesWord({ sort, status }: TraceSearch): string {
  if (status === "error") return "Failed traces";
  return sort === "slowest" ? "Slowest traces" : "Traces";
}

/** Durations in seconds; the upper one may be infinite. */
export type Durations = { lower: number; upper: number };

const ms = (seconds: number) => `${Number((seconds * 1e3).toPrecision(6))}ms`;

function durationSearch({ lower, upper }: Durations): { min?: string; max?: string } {
  return {
    ...(lower > 0 ? { min: ms(lower) } : {}),
    ...(Number.isFinite(upper) ? { max: ms(upper) } : {}),
  };
}

function durationText({ lower, upper }: Durations): string {
  const text = (seconds: number) => formatDuration(seconds * 1e9);
  return Number.isFinite(upper) ? `${text(Math.max(0, lower))} – ${text(upper)}` : `over ${text(lower)}`;
}

/** Leads by service where all that is shown is of one, else offers each of a few. */
const SERVICES_MAX = 4;

export function RangeActions({
  range,
  stepMs,
  selected,
  drag = true,
  entries,
  services,
  zoom,
  clear,
  within,
}: {
  range: Range;
  stepMs: number;
  selected: boolean;
  /** Whether the graph lets a time be chosen. */
  drag?: boolean;
  entries: readonly { expr: string; series: { labels: Labels } }[];
  services: readonly string[];
  zoom: (range: Range) => void;
  clear: () => void;
  /** Of a cell of a heatmap: how long its requests took. */
  within?: Durations | null;
}) {
  const found = servicesOf(
    entries.map(({ expr, series }) => ({ ...matchersIn(expr), ...series.labels })),
    services,
  );
  const text = rangeText(range);
  const behind = tracesBehind(entries.map(({ expr, series }) => ({ expr, labels: series.labels })));
  const targets = found.length === 0 || found.length > SERVICES_MAX ? [undefined] : found;
  return (
    <div className={`row wrap range-actions ${selected ? "chosen" : ""}`} data-testid="range-actions">
      <span className="num nowrap">
        {rangeLabel(text, range.end)}
        <span className="dim">
          {" "}
          · {formatDuration((range.end - range.start) * 1e6)} · step {formatPromDuration(stepMs)}
        </span>
      </span>
      {!selected && (
        <span className="dim roomy">
          {drag ? "Click a point or drag to choose a time" : "Click a cell to choose it"}
        </span>
      )}
      <div className="row wrap tight range-links">
        {selected && (
          <button type="button" className="chip" onClick={() => (clear(), zoom(range))}>
            <IconZoomIn size={14} aria-hidden />
            Zoom in
          </button>
        )}
        {targets.map((service) => (
          <Link
            key={service ?? ""}
            className="chip"
            to="/traces"
            search={{
              ...text,
              ...behind,
              ...(within ? durationSearch(within) : {}),
              ...(service ? { service } : {}),
            }}
            title={behind.q}
            data-testid="range-traces"
          >
            <IconRoute size={14} aria-hidden />
            {within ? `Traces of ${durationText(within)}` : tracesWord(behind)}
            {service ? ` ${within ? "in" : "of"} ${service}` : within ? "" : " in this time"}
          </Link>
        ))}
        <Link
          className="chip"
          to="/logs"
          search={{ ...text, ...(found.length === 1 ? { service: found[0] } : {}) }}
        >
          <IconListDetails size={14} aria-hidden />
          Logs
        </Link>
        {selected && (
          <button type="button" className="icon-button" aria-label="Forget the chosen time" onClick={clear}>
            <IconX size={14} aria-hidden />
          </button>
        )}
      </div>
    </div>
  );
}
