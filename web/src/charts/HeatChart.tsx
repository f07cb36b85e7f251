/** How many fell into each bucket, over time: a canvas of cells. */

import { useEffect, useRef, useState } from "react";

import { useTheme } from "../components/useTheme";
import type { Theme } from "../lib/colors";
import type { Heat } from "../lib/series";
import { formatClock, formatDateTime, type Range } from "../lib/time";

const LEFT = 64;
const BOTTOM = 22;
const LABELS_MAX = 8;

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

type Tip = { left: number; top: number; column: number; row: number };

export function HeatChart({
  label,
  heat,
  stepMs,
  range,
  height,
  formatBound,
  formatCount,
}: {
  label: string;
  heat: Heat;
  stepMs: number;
  range: Range;
  height: number;
  formatBound: (value: number) => string;
  formatCount: (value: number) => string;
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
  const ticks = Array.from(
    { length: 6 },
    (_, at) => range.start + ((range.end - range.start) * (at + 0.5)) / 6,
  );
  const onMove = (event: React.MouseEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const row = Math.floor((6 + plot.height - top) / rowHeight);
    const time = range.start + (left - LEFT) / scale;
    const column = heat.times.findIndex((start) => time >= start && time < start + stepMs);
    setTip(row < 0 || row >= heat.rows.length || column < 0 ? null : { left, top, column, row });
  };
  const told = tip ? heat.rows[tip.row] : undefined;
  return (
    <div
      ref={host}
      className="chart heat"
      style={{ height }}
      onMouseMove={onMove}
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
        {ticks.map((time) => (
          <span key={time} style={{ left: x(time) - 20, bottom: 2, width: 40, textAlign: "center" }}>
            {formatClock(time, stepMs < 1_000)}
          </span>
        ))}
      </div>
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
        </div>
      )}
    </div>
  );
}
