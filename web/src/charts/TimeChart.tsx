/** uPlot, wrapped once: lines, areas, stacked areas or stacked bars over time; drag to choose a time. */

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
  kind: "lines" | "area" | "stacked" | "bars";
  /** Where the value axis begins: at zero, or where the values lie when zero is far from them. */
  baseline?: "zero" | "fit";
  range: Range;
  height?: number;
  format: (value: number) => string;
  onZoom?: (range: Range) => void;
  /** A click that is no drag, at the time of the point nearest to it. */
  onPick?: (timeMs: number) => void;
  /** Drawn over the plot, in its coordinates; not part of the picture that `label` describes. */
  overlay?: (frame: Frame) => React.ReactNode;
  legend?: boolean;
  testId?: string;
};

/** The plot's place in the chart, in CSS pixels, and its scales. */
export type Frame = {
  left: number;
  top: number;
  width: number;
  height: number;
  x: (ms: number) => number;
  y: (value: number) => number;
};

type Place = Pick<Frame, "left" | "top" | "width" | "height"> & {
  xMin: number;
  xMax: number;
  yMin: number;
  yMax: number;
};

const AXIS: Readonly<Record<Theme, { text: string; grid: string }>> = {
  light: { text: "#57626b", grid: "rgb(27 34 39 / 8%)" },
  dark: { text: "#9aa6ae", grid: "rgb(219 226 230 / 8%)" },
};

const PADDING_PX = 8;
/** Of the axes' text, on average. */
const LETTER_PX = 6.2;

/** A drag shorter than this is a click. */
const DRAG_MIN_PX = 6;

/** The series nearest to the pointer are told; more would not fit. */
const TIP_ROWS_MAX = 12;

type Tip = { index: number; left: number; width: number; value: number };

export function TimeChart(props: TimeChartProps) {
  const { label, times, series, kind, range, height = 160, format, legend, testId, overlay } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  const theme = useTheme();
  const [tip, setTip] = useState<Tip | null>(null);
  const [place, setPlace] = useState<Place | null>(null);
  const placed = overlay !== undefined;
  const shape = JSON.stringify([series.map((one) => [one.name, one.color]), kind, height, theme, placed]);

  useEffect(() => {
    latest.current = props;
  });

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const chart = new uPlot(
      options(element.clientWidth, theme, latest, setTip, placed ? setPlace : null),
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
  }, [shape, theme, placed]);

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
      <div className="chart" data-testid={testId} style={{ height }} onMouseLeave={() => setTip(null)}>
        <div ref={host} role="img" aria-label={label} />
        {overlay && place && overlay(frameOf(place))}
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
  const all = series.filter((one) => one.values[tip.index] !== null && one.values[tip.index] !== undefined);
  const far = (one: ChartSeries) => Math.abs((one.values[tip.index] ?? 0) - tip.value);
  const near = new Set([...all].sort((a, b) => far(a) - far(b)).slice(0, TIP_ROWS_MAX));
  const shown = all.length > TIP_ROWS_MAX ? all.filter((one) => near.has(one)) : all;
  const side = tip.left > tip.width / 2 ? { right: tip.width - tip.left + 14 } : { left: tip.left + 14 };
  return (
    <div className="chart-tip" style={side} aria-hidden>
      <div className="dim">{formatDateTime(at).slice(0, 19)}</div>
      {shown.map((one) => (
        <div className="tip-row" key={one.name}>
          <span className="swatch" style={{ background: one.color }} />
          <span className="ellipsis">{one.name}</span>
          <span>{format(one.values[tip.index] ?? 0)}</span>
        </div>
      ))}
      {shown.length < all.length && <div className="dim">{all.length - shown.length} more</div>}
    </div>
  );
}

function frameOf({ left, top, width, height, xMin, xMax, yMin, yMax }: Place): Frame {
  return {
    left,
    top,
    width,
    height,
    x: (ms) => ((ms - xMin) / (xMax - xMin || 1)) * width,
    y: (value) => height - ((value - yMin) / (yMax - yMin || 1)) * height,
  };
}

function placeOf(u: uPlot): Place | null {
  const { x, y } = u.scales;
  if (x?.min === undefined || x.max === undefined || y?.min === undefined || y.max === undefined) return null;
  const [left, top, width, height] = [u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height].map(
    (size) => size / devicePixelRatio,
  ) as [number, number, number, number];
  return { left, top, width, height, xMin: x.min, xMax: x.max, yMin: y.min, yMax: y.max };
}

const samePlace = (a: Place | null, b: Place | null) => JSON.stringify(a) === JSON.stringify(b);

/** Zero belongs to the axis unless all values lie in a narrow band far from it. */
function fitted(min: number, max: number): [number, number] {
  if (!Number.isFinite(min) || !Number.isFinite(max)) return [0, 1];
  if (min === max) return min === 0 ? [0, 1] : min > 0 ? [0, max * 1.25] : [min * 1.25, 0];
  const room = (max - min) * 0.08;
  const band = max - min;
  if (min >= 0 && band > max * 0.3) return [0, max + room];
  if (max <= 0 && band > -min * 0.3) return [min - room, 0];
  return [min - room, max + room];
}

/** Points without neighbours: a line alone would not show them. */
function lonely(u: uPlot, at: number): number[] | null {
  const values = u.data[at];
  if (!values) return null;
  const out: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    if (values[index] === null || values[index] === undefined) continue;
    if ((values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null) out.push(index);
  }
  return out.length > 0 ? out : null;
}

const isStacked = (kind: TimeChartProps["kind"]) => kind === "bars" || kind === "stacked";

/** What is stacked: the first series lies at the bottom, and is drawn last. */
function plotData({ times, series, kind }: TimeChartProps): uPlot.AlignedData {
  if (!isStacked(kind)) return [times as number[], ...series.map((one) => one.values as (number | null)[])];
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
  setPlace: React.Dispatch<React.SetStateAction<Place | null>> | null,
): uPlot.Options {
  const { series, kind, height = 160, baseline = "zero" } = latest.current;
  const axis = {
    stroke: AXIS[theme].text,
    font: "11px Inter Variable, sans-serif",
    ticks: { show: false },
    grid: { stroke: AXIS[theme].grid, width: 1 },
  };
  const drawn = isStacked(kind) ? [...series].reverse() : series;
  const bars = uPlot.paths.bars?.({ size: [0.86, 60], align: 1 });
  return {
    width,
    height,
    ms: 1,
    legend: { show: false },
    padding: [8, PADDING_PX, 0, 0],
    scales: {
      x: { time: true, range: () => [latest.current.range.start, latest.current.range.end] },
      y: {
        range: (_u, min, max) =>
          baseline === "fit" ? fitted(min, max) : [0, Number.isFinite(max) && max > 0 ? max * 1.08 : 1],
      },
    },
    cursor: {
      sync: { key: "trefoil" },
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { show: !isStacked(kind), size: 6 },
    },
    axes: [
      {
        ...axis,
        space: 84,
        size: 26,
        values: (u, splits, _axis, _space, step) =>
          splits.map((at) => {
            const text = step >= 86_400_000 ? formatDay(at).slice(5) : formatClock(at, step < 60_000);
            // It would be cut off at the right edge.
            const room = u.bbox.width / devicePixelRatio + PADDING_PX - u.valToPos(at, "x");
            return room < (text.length * LETTER_PX) / 2 ? "" : text;
          }),
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
          stroke: kind === "stacked" ? PANEL[theme] : one.color,
          width: kind === "stacked" ? 0.5 : 1.5,
          points:
            kind === "stacked"
              ? { show: false }
              : { show: false, size: 4, fill: one.color, filter: (u, at) => lonely(u, at) },
          spanGaps: false,
          ...(kind === "area" ? { fill: `${one.color}22` } : {}),
          ...(kind === "stacked" ? { fill: `${one.color}d9` } : {}),
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
                  value: u.posToVal(u.cursor.top ?? 0, "y"),
                },
          ),
      ],
      draw: setPlace
        ? [
            (u) =>
              queueMicrotask(() => {
                const next = placeOf(u);
                setPlace((was) => (samePlace(was, next) ? was : next));
              }),
          ]
        : [],
      ready: [
        (u) => {
          let [pressedX, pressedY] = [0, 0];
          u.over.addEventListener("mousedown", (event) => {
            [pressedX, pressedY] = [event.clientX, event.clientY];
          });
          u.over.addEventListener("click", (event) => {
            const moved = Math.hypot(event.clientX - pressedX, event.clientY - pressedY);
            const time = u.data[0][u.cursor.idx ?? -1];
            if (moved < DRAG_MIN_PX && time !== undefined) latest.current.onPick?.(time);
          });
        },
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
