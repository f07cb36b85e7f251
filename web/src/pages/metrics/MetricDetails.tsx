import { IconPlayerPlay, IconPlus } from "@tabler/icons-react";
import { useMemo, useState } from "react";

import { SERIES_READ_MAX, useRangeQueries, useSeries } from "../../api/prometheus";
import { TimeChart } from "../../charts/TimeChart";
import { Copy } from "../../components/Copy";
import { Failed, Skeleton } from "../../components/States";
import { useTheme } from "../../components/useTheme";
import { useTimeRange } from "../../components/useTimeRange";
import { colorOfSlot } from "../../lib/colors";
import { fitting, unitOf, type Family } from "../../lib/promql";
import {
  countLabels,
  formatUnit,
  labelsText,
  splitLabels,
  toDrawing,
  type LabelCount,
} from "../../lib/series";
import { formatInteger } from "../../lib/units";
import { TypeTag } from "./Browser";

const PREVIEWED_MAX = 20;
const PREVIEW_POINTS = 120;
const VALUES_SHOWN = 8;

export function MetricDetails({
  family,
  use,
  hasQuery,
}: {
  family: Family;
  use: (expr: string, add: boolean) => void;
  hasQuery: boolean;
}) {
  const [matchers, setMatchers] = useState<Readonly<Record<string, string>>>({});
  const asked = Object.entries(matchers).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const expressions = fitting(family, asked);
  const preview = expressions[0]?.expr ?? family.name;
  return (
    <div className="metric-details" data-testid="metric-details">
      <div className="row wrap">
        <h2 className="mono" style={{ overflowWrap: "anywhere" }}>
          {family.name}
        </h2>
        <Copy text={family.name} label="Copy the name" />
        <TypeTag type={family.type} />
        {family.unit && <span className="tag">{family.unit}</span>}
      </div>
      {family.help && <p>{family.help}</p>}
      <div className="fitting" role="group" aria-label="Expressions that fit">
        {expressions.map(({ title, expr }, at) => (
          <div key={title} className="row fitting-row">
            <button
              type="button"
              className={`chip ${at === 0 ? "first" : ""}`}
              onClick={() => use(expr, false)}
              data-testid="use-metric"
              title="Ask this alone"
            >
              <IconPlayerPlay size={13} aria-hidden />
              {title}
            </button>
            {hasQuery && (
              <button
                type="button"
                className="icon-button"
                aria-label={`Add to the queries: ${title}`}
                title="Add to the queries"
                onClick={() => use(expr, true)}
              >
                <IconPlus size={14} aria-hidden />
              </button>
            )}
            <code className="ellipsis dim" title={expr}>
              {expr}
            </code>
          </div>
        ))}
      </div>
      <Preview expr={preview} />
      <MetricLabels family={family} matchers={matchers} setMatchers={setMatchers} />
    </div>
  );
}

function Preview({ expr }: { expr: string }) {
  const theme = useTheme();
  const { setRange } = useTimeRange();
  const [answer] = useRangeQueries([expr], null, { points: PREVIEW_POINTS });
  const data = answer?.data;
  const drawing = useMemo(
    () =>
      data?.data.resultType === "matrix"
        ? toDrawing([{ query: 0, stepMs: data.grid.stepMs, items: data.data.result }], PREVIEWED_MAX)
        : null,
    [data],
  );
  if (answer?.isError) return <p className="error-text">{answer.error.message}</p>;
  if (!data || !drawing) return <div className="skeleton" style={{ height: 130 }} />;
  const { own } = splitLabels(drawing.series.map((one) => one.labels));
  return (
    <div>
      <TimeChart
        label={`Preview: ${drawing.series.length} series`}
        testId="metric-preview"
        kind="lines"
        baseline="fit"
        height={130}
        range={{ start: data.grid.startMs, end: data.grid.endMs }}
        times={drawing.times}
        format={formatUnit(unitOf(expr))}
        onZoom={setRange}
        series={drawing.series.map((one, at) => ({
          name: own.length > 1 ? labelsText(own[at] ?? {}) : expr,
          color: colorOfSlot(at, theme),
          values: one.values,
        }))}
      />
      {drawing.series.length === 0 && (
        <p className="dim">Nothing to draw in this time: a rate needs two samples.</p>
      )}
      {drawing.left > 0 && (
        <p className="dim">
          {PREVIEWED_MAX} of {formatInteger(PREVIEWED_MAX + drawing.left)} series are drawn.
        </p>
      )}
    </div>
  );
}

function MetricLabels({
  family,
  matchers,
  setMatchers,
}: {
  family: Family;
  matchers: Readonly<Record<string, string>>;
  setMatchers: (matchers: Readonly<Record<string, string>>) => void;
}) {
  // Of a histogram one name has a series for each bucket, which would count every label's value many times.
  const name = family.names.find((one) => one.endsWith("_count")) ?? family.names[0] ?? family.name;
  const series = useSeries(name);
  const labels = useMemo(() => countLabels(series.data?.data ?? []), [series.data]);
  if (series.isPending) return <Skeleton rows={4} />;
  if (!series.data)
    return (
      <Failed what="Its series cannot be read" error={series.error} retry={() => void series.refetch()} />
    );
  const count = series.data.data.length;
  const toggle = (label: string, value: string) => {
    const { [label]: before, ...rest } = matchers;
    setMatchers(before === value ? rest : { ...rest, [label]: value });
  };
  return (
    <div>
      <h3 style={{ marginBottom: 4 }}>
        Labels{" "}
        <span className="dim" style={{ fontWeight: 400 }}>
          {count >= SERIES_READ_MAX
            ? `of the first ${formatInteger(count)} series`
            : `of ${formatInteger(count)} series`}
          {family.names.length > 1 ? ` of ${name}` : ""}
        </span>
      </h3>
      {labels.length === 0 && <p className="dim">It has no labels.</p>}
      <table className="attributes label-table" aria-label="Labels">
        <tbody>
          {labels.map((label) => (
            <LabelRow key={label.name} label={label} chosen={matchers[label.name]} toggle={toggle} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LabelRow({
  label,
  chosen,
  toggle,
}: {
  label: LabelCount;
  chosen: string | undefined;
  toggle: (label: string, value: string) => void;
}) {
  const [all, setAll] = useState(false);
  const shown = all ? label.values.slice(0, 200) : label.values.slice(0, VALUES_SHOWN);
  return (
    <tr>
      <th scope="row">
        {label.name}
        <div className="num">
          {formatInteger(label.values.length)} {label.values.length === 1 ? "value" : "values"}
        </div>
      </th>
      <td>
        <div className="row wrap tight">
          {shown.map(({ value, series }) => (
            <button
              key={value}
              type="button"
              className="chip value-chip"
              aria-pressed={chosen === value}
              title={`${label.name}="${value}": ${formatInteger(series)} series. Click to ask only for these.`}
              onClick={() => toggle(label.name, value)}
            >
              <span className="ellipsis">{value}</span>
              <span className="dim num">{formatInteger(series)}</span>
            </button>
          ))}
          {label.values.length > VALUES_SHOWN && (
            <button type="button" className="chip value-chip" onClick={() => setAll(!all)}>
              {all ? "Fewer" : `${formatInteger(label.values.length - VALUES_SHOWN)} more`}
            </button>
          )}
        </div>
      </td>
    </tr>
  );
}
