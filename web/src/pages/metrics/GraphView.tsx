import type { UseQueryResult } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { ApiError } from "../../api/client";
import { useServices } from "../../api/hooks";
import { useExemplars, type MatrixItem, type RangeAnswer } from "../../api/prometheus";
import { HeatChart, type Cell } from "../../charts/HeatChart";
import { TimeChart, type ChartSeries } from "../../charts/TimeChart";
import { Segmented } from "../../components/Segmented";
import { Empty, Failed, Skeleton } from "../../components/States";
import { colouredServices, serviceColor, useTheme } from "../../components/useTheme";
import { useTimeRange } from "../../components/useTimeRange";
import { windowOf } from "../../lib/behind";
import { colorOfSlot } from "../../lib/colors";
import { unitOf } from "../../lib/promql";
import {
  formatNumber,
  formatUnit,
  labelsText,
  serviceOfEach,
  splitLabels,
  toDrawing,
  toHeat,
} from "../../lib/series";
import type { Range } from "../../lib/time";
import { ExemplarList, ExemplarMarks } from "./ExemplarMarks";
import { thin, toPoints } from "./exemplars";
import { Legend, type Entry } from "./Legend";
import { letter, type Asked, type Style } from "./search";
import { RangeActions, SelectionShade } from "./Selection";

type Answers = readonly UseQueryResult<RangeAnswer>[];

/** More lines than this cannot be told apart, and cost the browser more than they say. */
const SERIES_MAX = 200;
const HEIGHT = 340;

export function GraphView({
  tabs,
  asked,
  answers,
  style,
  setStyle,
  exemplars,
  setExemplars,
  selected,
  setSelected,
}: {
  tabs: React.ReactNode;
  asked: readonly Asked[];
  answers: Answers;
  style: Style;
  setStyle: (style: Style) => void;
  exemplars: boolean;
  setExemplars: (on: boolean) => void;
  /** The chosen stretch of time. */
  selected: Range | null;
  setSelected: (range: Range | null) => void;
}) {
  const items = useItems(answers);
  const hasBuckets = items.some(({ items: all }) => all.some((one) => one.histograms || "le" in one.metric));
  const hasFloats = items.some(({ items: all }) => all.some((one) => one.values));
  const shownStyle =
    hasBuckets && !hasFloats ? "heatmap" : style === "heatmap" && !hasBuckets ? "lines" : style;
  const styles = [
    ...(hasFloats || !hasBuckets
      ? ([
          { value: "lines", label: "Lines" },
          { value: "stacked", label: "Stacked" },
        ] as const)
      : []),
    ...(hasBuckets ? ([{ value: "heatmap", label: "Heatmap" }] as const) : []),
  ];
  const grid = answers.find((answer) => answer.data)?.data?.grid;
  const range = grid ? { start: grid.startMs, end: grid.endMs } : null;
  const exprs = asked.filter((one) => !one.hidden).map((one) => one.expr);
  const wanted = exemplars && shownStyle !== "heatmap" && items.length > 0;
  const found = useExemplars(exprs, wanted);
  const points =
    wanted && range
      ? toPoints(
          found.map((one, at) => ({ expr: exprs[at] ?? "", series: one.data ?? [] })),
          range,
        )
      : [];
  return (
    <>
      <div className="row wrap panel-tools">
        {tabs}
        <Segmented<Style> label="Draw as" value={shownStyle} options={styles} onChange={setStyle} />
        <div className="grow" />
        {shownStyle !== "heatmap" && items.length > 0 && (
          <button
            type="button"
            className="chip"
            aria-pressed={exemplars}
            onClick={() => setExemplars(!exemplars)}
            data-testid="exemplars-toggle"
          >
            <span className="exemplar-sign" aria-hidden />
            Exemplars{points.length > 0 ? <span className="num">{points.length}</span> : null}
          </button>
        )}
      </div>
      {items.length === 0 || !range || !grid ? (
        <Nothing asked={asked} answers={answers} />
      ) : shownStyle === "heatmap" ? (
        <HeatView asked={asked} items={items} range={range} stepMs={grid.stepMs} />
      ) : (
        <Lines
          asked={asked}
          items={items}
          style={shownStyle}
          range={range}
          stepMs={grid.stepMs}
          points={points}
          selected={selected}
          setSelected={setSelected}
        />
      )}
    </>
  );
}

type Items = { query: number; stepMs: number; items: readonly MatrixItem[] }[];

function useItems(answers: Answers): Items {
  const key = answers.map((answer) => (answer.isError ? 0 : answer.dataUpdatedAt)).join(" ");
  return useMemo(
    () =>
      answers.flatMap((answer, query) =>
        !answer.isError && answer.data?.data.resultType === "matrix" && answer.data.data.result.length > 0
          ? [{ query, stepMs: answer.data.grid.stepMs, items: answer.data.data.result }]
          : [],
      ),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the array is new at each render, its answers are not
    [key, answers.length],
  );
}

function Lines({
  asked,
  items,
  style,
  range,
  stepMs,
  points,
  selected,
  setSelected,
}: {
  asked: readonly Asked[];
  items: Items;
  style: Style;
  range: Range;
  stepMs: number;
  points: ReturnType<typeof toPoints>;
  selected: Range | null;
  setSelected: (range: Range | null) => void;
}) {
  const theme = useTheme();
  const { setRange } = useTimeRange();
  const sending = useServices();
  const [only, setOnly] = useState<ReadonlySet<string>>(new Set());
  const drawing = useMemo(() => toDrawing(items, SERIES_MAX), [items]);
  const units = useMemo(() => asked.map((one) => unitOf(one.expr)), [asked]);
  const { common, own } = useMemo(
    () => splitLabels(drawing.series.map((one) => one.labels)),
    [drawing.series],
  );
  const several = items.length > 1;
  // A line a service: then each has the service's own colour.
  const services = useMemo(
    () =>
      serviceOfEach(
        drawing.series.map((one) => one.labels),
        colouredServices(),
      ),
    [drawing.series],
  );
  const alone = (query: number) => drawing.series.filter((one) => one.query === query).length === 1;
  const entries: Entry[] = drawing.series.map((one, at) => {
    const text = labelsText(own[at] ?? {});
    const expr = asked[one.query]?.expr ?? "";
    return {
      key: `${one.query} ${labelsText(one.labels)}`,
      name: `${several ? `${letter(one.query)} ` : ""}${text === "{}" && alone(one.query) ? expr.replace(/\s+/g, " ") : text}`,
      color: services?.[at] ? serviceColor(services[at], theme) : colorOfSlot(at, theme),
      format: formatUnit(units[one.query] ?? "number"),
      expr,
      series: one,
    };
  });
  const known = entries.filter((entry) => only.has(entry.key));
  const shown = known.length > 0 ? known : entries;
  const shownUnits = new Set(shown.map((entry) => units[entry.series.query] ?? "number"));
  const format = shownUnits.size === 1 ? (shown[0]?.format ?? formatNumber) : formatNumber;
  const series: ChartSeries[] = shown.map(({ name, color, series: one }) => ({
    name,
    color,
    values: one.values,
  }));
  const shownExprs = shown.map((entry) => entry.expr);
  const odd = drawing.series.reduce((sum, one) => sum + one.odd, 0);
  const sent = sending.data?.data.services.map((one) => one.service) ?? [];
  const marks = thin(points, range);
  return (
    <div className="panel-body">
      <RangeActions
        range={selected ?? range}
        stepMs={stepMs}
        selected={selected !== null}
        entries={shown}
        services={sent}
        zoom={setRange}
        clear={() => setSelected(null)}
      />
      <TimeChart
        testId="metrics-graph"
        label={`${shown.length} series over time`}
        kind={style === "stacked" ? "stacked" : "lines"}
        baseline={style === "stacked" ? "zero" : "fit"}
        height={HEIGHT}
        range={range}
        times={drawing.times}
        series={series}
        format={format}
        onZoom={setSelected}
        onPick={(time) => setSelected(windowOf(shownExprs, time, stepMs))}
        overlay={(frame) => (
          <>
            {selected && <SelectionShade frame={frame} range={selected} />}
            <ExemplarMarks frame={frame} points={marks} format={format} />
          </>
        )}
      />
      {(drawing.left > 0 || odd > 0) && (
        <div className="row wrap" style={{ padding: "4px 0" }}>
          {drawing.left > 0 && (
            <span className="tag warn">
              the first {SERIES_MAX} of {SERIES_MAX + drawing.left} series are drawn: aggregate, or use topk()
            </span>
          )}
          {odd > 0 && (
            <span className="tag warn">
              {odd} {odd === 1 ? "point is" : "points are"} NaN or infinite, and not drawn
            </span>
          )}
        </div>
      )}
      <Legend
        entries={entries}
        common={common}
        only={only}
        setOnly={setOnly}
        services={sent}
        range={selected ?? range}
      />
      <ExemplarList points={points} selected={selected} />
    </div>
  );
}

function HeatView({
  asked,
  items,
  range,
  stepMs,
}: {
  asked: readonly Asked[];
  items: Items;
  range: Range;
  stepMs: number;
}) {
  const first = items[0];
  const heat = useMemo(() => (first ? toHeat(first.items) : null), [first]);
  const [cell, setCell] = useState<Cell | null>(null);
  const services = useServices();
  const { setRange } = useTimeRange();
  if (!heat || !first)
    return (
      <Empty title="There are no buckets in this answer">
        <p>A heatmap needs native histograms, or a sum by le.</p>
      </Empty>
    );
  const expr = asked[first.query]?.expr ?? "";
  const unit = unitOf(`histogram_quantile(0.5, ${expr})`);
  const entries = first.items.map((item) => ({ expr, series: { labels: item.metric } }));
  return (
    <div className="panel-body">
      <RangeActions
        range={cell ? windowOf([expr], cell.timeMs, stepMs) : range}
        stepMs={stepMs}
        selected={cell !== null}
        within={unit === "seconds" ? cell : null}
        drag={false}
        entries={entries}
        services={services.data?.data.services.map((one) => one.service) ?? []}
        zoom={setRange}
        clear={() => setCell(null)}
      />
      <HeatChart
        label={`Distribution over time in ${heat.rows.length} buckets`}
        heat={heat}
        stepMs={stepMs}
        range={range}
        height={HEIGHT}
        formatBound={formatUnit(unit)}
        formatCount={formatNumber}
        picked={cell}
        onPick={setCell}
      />
      {items.length > 1 && <p className="dim">Only the first visible query is drawn as a heatmap.</p>}
    </div>
  );
}

function Nothing({ asked, answers }: { asked: readonly Asked[]; answers: Answers }) {
  if (answers.some((answer) => answer.isLoading)) return <Skeleton rows={9} />;
  const failed = answers.find((answer) => answer.isError);
  if (failed?.error instanceof ApiError && failed.error.code === "bad_data")
    return <Failed what="There is a fault in the query" error={failed.error} />;
  if (failed)
    return (
      <Failed what="The query was not answered" error={failed.error} retry={() => void failed.refetch()} />
    );
  if (asked.length === 0)
    return (
      <Empty title="Nothing is asked yet">
        <p>Write an expression above, or choose a metric under Browse metrics.</p>
      </Empty>
    );
  if (asked.every((one) => one.hidden))
    return (
      <Empty title="All queries are hidden">
        <p>Show one by the eye beside it.</p>
      </Empty>
    );
  return (
    <Empty title="No data in this time">
      <p>
        The expression is right and no series matches it in this time. A longer time range or fewer matchers
        may.
      </p>
    </Empty>
  );
}
