/** The series of the graph with their figures; a click shows one alone, another brings the rest back. */

import { Link } from "@tanstack/react-router";
import { IconRoute } from "@tabler/icons-react";
import { useMemo, useState } from "react";

import { tracesBehind } from "../../lib/behind";
import { matchersIn, servicesOf, summary, type Drawn, type Labels } from "../../lib/series";
import { rangeText, type Range } from "../../lib/time";

export type Entry = {
  key: string;
  name: string;
  color: string;
  format: (value: number) => string;
  expr: string;
  series: Drawn;
};

/** Longer legends open by a button. */
const SHOWN = 24;

export function Legend({
  entries,
  common,
  only,
  setOnly,
  services,
  range,
}: {
  entries: readonly Entry[];
  common: Labels;
  only: ReadonlySet<string>;
  setOnly: (only: ReadonlySet<string>) => void;
  services: readonly string[];
  range: Range;
}) {
  const [all, setAll] = useState(false);
  const shown = all ? entries : entries.slice(0, SHOWN);
  const isolating = entries.some((entry) => only.has(entry.key));
  const toggle = (key: string, more: boolean) => {
    if (!more) {
      setOnly(only.size === 1 && only.has(key) ? new Set() : new Set([key]));
      return;
    }
    const next = new Set(only);
    if (!next.delete(key)) next.add(key);
    setOnly(next);
  };
  return (
    <div className="metric-legend" data-testid="legend">
      {Object.keys(common).length > 0 && (
        <p className="dim mono common-labels" title="Labels that all series have">
          {Object.entries(common).map(([key, value]) => (
            <span key={key} className="label-chip">
              {key === "__name__" ? value : `${key}="${value}"`}
            </span>
          ))}
        </p>
      )}
      <div className="table-scroll" tabIndex={0} role="region" aria-label="Series">
        <table className="list legend-table">
          <thead>
            <tr>
              <th scope="col">Series</th>
              {["Last", "Min", "Mean", "Max"].map((head) => (
                <th key={head} scope="col" className="right">
                  {head}
                </th>
              ))}
              <th scope="col">
                <span className="visually-hidden">Traces</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((entry) => (
              <LegendRow
                key={entry.key}
                entry={entry}
                off={isolating && !only.has(entry.key)}
                alone={only.has(entry.key)}
                toggle={toggle}
                services={services}
                range={range}
              />
            ))}
          </tbody>
        </table>
      </div>
      {entries.length > SHOWN && (
        <button type="button" className="chip" onClick={() => setAll(!all)}>
          {all ? "Fewer" : `All ${entries.length} series`}
        </button>
      )}
    </div>
  );
}

function LegendRow({
  entry,
  off,
  alone,
  toggle,
  services,
  range,
}: {
  entry: Entry;
  off: boolean;
  alone: boolean;
  toggle: (key: string, more: boolean) => void;
  services: readonly string[];
  range: Range;
}) {
  const { last, min, mean, max } = useMemo(() => summary(entry.series.values), [entry.series.values]);
  const write = (value: number | null) => (value === null ? "–" : entry.format(value));
  const [service] = servicesOf([{ ...matchersIn(entry.expr), ...entry.series.labels }], services);
  return (
    <tr className={off ? "legend-off" : ""}>
      <td>
        <button
          type="button"
          className="plain legend-name mono"
          aria-pressed={alone}
          title="Click: only this one. Ctrl-click: one more."
          onClick={(event) => toggle(entry.key, event.ctrlKey || event.metaKey || event.shiftKey)}
        >
          <span className="swatch" aria-hidden style={{ background: entry.color }} />
          <span>{entry.name}</span>
        </button>
      </td>
      <td className="right">{write(last)}</td>
      <td className="right">{write(min)}</td>
      <td className="right">{write(mean)}</td>
      <td className="right">{write(max)}</td>
      <td>
        {service && (
          <Link
            className="icon-button"
            to="/traces"
            search={{
              ...rangeText(range),
              ...tracesBehind([{ expr: entry.expr, labels: entry.series.labels }]),
              service,
            }}
            aria-label={`Traces of ${service} in this time`}
            title={`Traces of ${service} in this time`}
          >
            <IconRoute size={14} aria-hidden />
          </Link>
        )}
      </td>
    </tr>
  );
}
