/** uPlot, wrapped once: lines, areas or stacked bars over time; drag to choose a time. */

import "uplot/dist/uPlot.min.css";

import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";

import { useTheme } from "../components/useTheme";
import { PANEL, type Theme } from "../lib/colors";
import { formatClock, formatDateTime, formatDay, type Range } from "../lib/time";

export type ChartSeries = { name: string; color: string; values: readonly (number | null)[] };

export type TimeChartProps = {
  label: string;
  /** Milliseconds since 1970; the start of each bucket for bars. */
  times: readonly number[];
  series: readonly ChartSeries[];
  kind: "lines" | "area" | "bars";
  range: Range;
  height?: number;
  format: (value: number) => string;
  onZoom?: (range: Range) => void;
  legend?: boolean;
  testId?: string;
};

const AXIS: Readonly<Record<Theme, { text: string; grid: string }>> = {
  light: { text: "#57626b", grid: "rgb(27 34 39 / 8%)" },
  dark: { text: "#9aa6ae", grid: "rgb(219 226 230 / 8%)" },
};

/** A drag shorter than this is a click. */
const DRAG_MIN_PX = 6;

type Tip = { index: number; left: number; width: number };

export function TimeChart(props: TimeChartProps) {
  const { label, times, series, kind, range, height = 160, format, legend, testId } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  const theme = useTheme();
  const [tip, setTip] = useState<Tip | null>(null);
  const shape = JSON.stringify([series.map((one) => [one.name, one.color]), kind, height, theme]);

  useEffect(() => {
    latest.current = props;
  });

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const chart = new uPlot(
      options(element.clientWidth, theme, latest, setTip),
      plotData(latest.current),
      element,
    );
    plot.current = chart;
    const observer = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: latest.current.height ?? 160 });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [shape, theme]);

  useEffect(() => {
    const chart = plot.current;
    if (!chart) return;
    chart.batch(() => {
      chart.setData(plotData(latest.current), false);
      chart.setScale("x", { min: range.start, max: range.end });
    });
  }, [times, series, range.start, range.end]);

  return (
    <div>
      <div
        className="chart"
        role="img"
        aria-label={label}
        data-testid={testId}
        style={{ height }}
        onMouseLeave={() => setTip(null)}
      >
        <div ref={host} />
        {tip && times[tip.index] !== undefined && <ChartTip {...props} tip={tip} format={format} />}
      </div>
      {legend && (
        <div className="legend">
          {series.map((one) => (
            <span key={one.name}>
              <span className="swatch" aria-hidden style={{ background: one.color }} />
              {one.name}
            </span>
          ))}
        </div>
      )}
    </div>
  );
}

function ChartTip({ times, series, tip, format }: TimeChartProps & { tip: Tip }) {
  const at = times[tip.index] ?? 0;
  const shown = series.filter((one) => one.values[tip.index] !== null && one.values[tip.index] !== undefined);
  const side = tip.left > tip.width / 2 ? { right: tip.width - tip.left + 14 } : { left: tip.left + 14 };
  return (
    <div className="chart-tip" style={side} aria-hidden>
      <div className="dim">{formatDateTime(at).slice(0, 19)}</div>
      {shown.map((one) => (
        <div className="tip-row" key={one.name}>
          <span className="swatch" style={{ background: one.color }} />
          <span>{one.name}</span>
          <span>{format(one.values[tip.index] ?? 0)}</span>
        </div>
      ))}
    </div>
  );
}

/** Bars are stacked: the first series lies at the bottom, and is drawn last. */
function plotData({ times, series, kind }: TimeChartProps): uPlot.AlignedData {
  if (kind !== "bars") return [times as number[], ...series.map((one) => one.values as (number | null)[])];
  const sums = new Array<number>(times.length).fill(0);
  const stacked = series.map((one) =>
    times.map((_, at) => {
      sums[at] = (sums[at] ?? 0) + (one.values[at] ?? 0);
      return sums[at];
    }),
  );
  return [times as number[], ...stacked.reverse()];
}

function options(
  width: number,
  theme: Theme,
  latest: React.RefObject<TimeChartProps>,
  setTip: (tip: Tip | null) => void,
): uPlot.Options {
  const { series, kind, height = 160 } = latest.current;
  const axis = {
    stroke: AXIS[theme].text,
    font: "11px Inter Variable, sans-serif",
    ticks: { show: false },
    grid: { stroke: AXIS[theme].grid, width: 1 },
  };
  const drawn = kind === "bars" ? [...series].reverse() : series;
  const bars = uPlot.paths.bars?.({ size: [0.86, 60], align: 1 });
  return {
    width,
    height,
    ms: 1,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { time: true, range: () => [latest.current.range.start, latest.current.range.end] },
      y: { range: (_u, _min, max) => [0, Number.isFinite(max) && max > 0 ? max * 1.08 : 1] },
    },
    cursor: {
      sync: { key: "trefoil" },
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { show: kind !== "bars", size: 6 },
    },
    axes: [
      {
        ...axis,
        space: 84,
        size: 26,
        values: (_u, splits, _axis, _space, step) =>
          splits.map((at) => (step >= 86_400_000 ? formatDay(at).slice(5) : formatClock(at, step < 60_000))),
      },
      {
        ...axis,
        space: 34,
        size: 58,
        values: (_u, splits) => splits.map((value) => latest.current.format(value)),
      },
    ],
    series: [
      {},
      ...drawn.map((one): uPlot.Series => {
        if (kind === "bars")
          return {
            label: one.name,
            stroke: PANEL[theme],
            width: 0.5,
            fill: `${one.color}d9`,
            points: { show: false },
            ...(bars ? { paths: bars } : {}),
          };
        return {
          label: one.name,
          stroke: one.color,
          width: 1.5,
          points: { show: false },
          spanGaps: false,
          ...(kind === "area" ? { fill: `${one.color}22` } : {}),
        };
      }),
    ],
    hooks: {
      setCursor: [
        (u) =>
          setTip(
            u.cursor.idx === null || u.cursor.idx === undefined || (u.cursor.left ?? -1) < 0
              ? null
              : {
                  index: u.cursor.idx,
                  left: (u.cursor.left ?? 0) + u.bbox.left / devicePixelRatio,
                  width: u.width,
                },
          ),
      ],
      setSelect: [
        (u) => {
          const { left, width: selected } = u.select;
          if (selected < DRAG_MIN_PX) return;
          const chosen = {
            start: Math.round(u.posToVal(left, "x")),
            end: Math.round(u.posToVal(left + selected, "x")),
          };
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          latest.current.onZoom?.(chosen);
        },
      ],
    },
  };
}
