/** How many fell into each bucket, over time: a canvas of cells. */

import { useEffect, useRef, useState } from "react";

import { useTheme } from "../components/useTheme";
import type { Theme } from "../lib/colors";
import type { Heat } from "../lib/series";
import { formatClock, formatDateTime, formatDay, timeTicks, type Range } from "../lib/time";

const LEFT = 64;
const BOTTOM = 22;
const LABELS_MAX = 8;
/** Room for a time below the plot. */
const TICK_PX = 90;
const DAY_MS = 86_400_000;

/** From few to many, on each theme's panel. */
const RAMP: Readonly<Record<Theme, readonly (readonly [number, number, number])[]>> = {
  light: [
    [214, 240, 229],
    [84, 178, 143],
    [10, 117, 83],
    [4, 56, 42],
  ],
  dark: [
    [20, 48, 42],
    [26, 110, 86],
    [82, 211, 168],
    [226, 255, 241],
  ],
};

function shade(share: number, theme: Theme): string {
  const ramp = RAMP[theme];
  // Counts differ by powers of ten: the root keeps the few visible.
  const at = Math.sqrt(Math.min(1, Math.max(0, share))) * (ramp.length - 1);
  const low = ramp[Math.floor(at)] ?? ramp[0];
  const high = ramp[Math.min(ramp.length - 1, Math.floor(at) + 1)] ?? low;
  if (!low || !high) return "transparent";
  const part = at - Math.floor(at);
  const channel = (index: 0 | 1 | 2) => Math.round(low[index] + (high[index] - low[index]) * part);
  return `rgb(${channel(0)} ${channel(1)} ${channel(2)})`;
}

/** One cell: when, and between which bounds. */
export type Cell = { timeMs: number; lower: number; upper: number };

type Tip = { left: number; top: number; column: number; row: number };

export function HeatChart({
  label,
  heat,
  stepMs,
  range,
  height,
  formatBound,
  formatCount,
  picked,
  onPick,
}: {
  label: string;
  heat: Heat;
  stepMs: number;
  range: Range;
  height: number;
  formatBound: (value: number) => string;
  formatCount: (value: number) => string;
  picked: Cell | null;
  onPick: (cell: Cell) => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [tip, setTip] = useState<Tip | null>(null);
  const theme = useTheme();
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const plot = { width: Math.max(1, width - LEFT - 8), height: height - BOTTOM - 6 };
  const rowHeight = plot.height / Math.max(1, heat.rows.length);
  const scale = plot.width / Math.max(1, range.end - range.start + stepMs);
  const x = (ms: number) => LEFT + (ms - range.start) * scale;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !canvas.current || width === 0) return;
    canvas.current.width = width * devicePixelRatio;
    canvas.current.height = height * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    const cell = Math.max(1, stepMs * scale);
    heat.rows.forEach(({ counts }, row) => {
      const top = 6 + plot.height - (row + 1) * rowHeight;
      counts.forEach((count, column) => {
        if (count <= 0) return;
        context.fillStyle = shade(count / (heat.max || 1), theme);
        const left = Math.floor(LEFT + ((heat.times[column] ?? 0) - range.start) * scale);
        const right = Math.ceil(LEFT + ((heat.times[column] ?? 0) - range.start) * scale + cell);
        context.fillRect(left, top, Math.max(1, right - left), Math.max(1, rowHeight - 0.5));
      });
    });
  }, [heat, width, height, theme, scale, rowHeight, plot.height, range.start, stepMs]);
  const every = Math.max(1, Math.ceil(heat.rows.length / LABELS_MAX));
  const ticks = timeTicks(range, Math.max(2, Math.floor(plot.width / TICK_PX)));
  const tickText = (time: number) =>
    ticks.stepMs >= DAY_MS ? formatDay(time) : formatClock(time, ticks.stepMs < 60_000);
  const cellAt = (event: React.MouseEvent<HTMLDivElement>): Tip | null => {
    const box = event.currentTarget.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const row = Math.floor((6 + plot.height - top) / rowHeight);
    const time = range.start + (left - LEFT) / scale;
    const column = heat.times.findIndex((start) => time >= start && time < start + stepMs);
    return row < 0 || row >= heat.rows.length || column < 0 ? null : { left, top, column, row };
  };
  const onClick = (event: React.MouseEvent<HTMLDivElement>) => {
    const at = cellAt(event);
    const row = at ? heat.rows[at.row] : undefined;
    if (at && row) onPick({ timeMs: heat.times[at.column] ?? 0, lower: row.lower, upper: row.upper });
  };
  const pickedRow = picked ? heat.rows.findIndex(({ upper }) => upper === picked.upper) : -1;
  const told = tip ? heat.rows[tip.row] : undefined;
  return (
    <div
      ref={host}
      className="chart heat"
      style={{ height }}
      onMouseMove={(event) => setTip(cellAt(event))}
      onClick={onClick}
      onMouseLeave={() => setTip(null)}
      data-testid="heatmap"
    >
      <canvas ref={canvas} role="img" aria-label={label} style={{ width: "100%", height }} />
      <div aria-hidden className="heat-axes">
        {heat.rows.map((row, at) =>
          at % every === 0 ? (
            <span
              key={at}
              style={{ right: width - LEFT + 6, top: 6 + plot.height - (at + 1) * rowHeight - 8 }}
            >
              {formatBound(row.upper)}
            </span>
          ) : null,
        )}
        {ticks.times.map((time) => (
          <span key={time} style={{ left: x(time) - 40, bottom: 2, width: 80, textAlign: "center" }}>
            {tickText(time)}
          </span>
        ))}
      </div>
      {picked && pickedRow >= 0 && (
        <div
          className="heat-picked"
          aria-hidden
          style={{
            left: x(picked.timeMs),
            width: Math.max(3, stepMs * scale),
            top: 6 + plot.height - (pickedRow + 1) * rowHeight,
            height: rowHeight,
          }}
        />
      )}
      {tip && told && (
        <div
          className="chart-tip"
          aria-hidden
          style={tip.left > width / 2 ? { right: width - tip.left + 14 } : { left: tip.left + 14 }}
        >
          <div className="dim">{formatDateTime(heat.times[tip.column] ?? 0).slice(0, 19)}</div>
          <div className="tip-row">
            <span>
              {formatBound(told.lower)} – {formatBound(told.upper)}
            </span>
            <span>{formatCount(told.counts[tip.column] ?? 0)}</span>
          </div>
          <div className="dim">Click for what is behind it</div>
        </div>
      )}
    </div>
  );
}
