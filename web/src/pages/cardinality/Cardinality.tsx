import "./cardinality.css";

import { Link } from "@tanstack/react-router";
import { IconChartBar, IconScissors } from "@tabler/icons-react";

import { useCardinality, useTsdbStatus } from "../../api/prometheus";
import { Copy } from "../../components/Copy";
import { MetricsNav } from "../../components/MetricsNav";
import { Panel, Stat } from "../../components/Panel";
import { Empty, Failed, Skeleton } from "../../components/States";
import { useTitle } from "../../components/useTitle";
import { formatBytes, formatInteger, formatPercent } from "../../lib/units";
import { dropRule, toCosts, type Costs } from "./costs";

const LISTED = 50;

export function Cardinality() {
  useTitle("Cardinality");
  const ours = useCardinality(LISTED);
  const tsdb = useTsdbStatus(LISTED);
  const costs = toCosts(ours.data, tsdb.data);
  const waiting = ours.isPending || (tsdb.isPending && !ours.data);
  return (
    <div className="page">
      <h1 className="visually-hidden">Cardinality</h1>
      <MetricsNav />
      {waiting ? (
        <Skeleton rows={10} height={26} />
      ) : !costs ? (
        <Failed
          what="What series cost cannot be read"
          error={tsdb.error ?? ours.error}
          retry={() => void Promise.all([ours.refetch(), tsdb.refetch()])}
        />
      ) : costs.series === 0 ? (
        <section className="panel">
          <Empty title="No series yet" icon={<IconChartBar size={32} stroke={1.4} aria-hidden />}>
            <p>
              Once metrics come, this page says which names and labels cost most.{" "}
              <Link to="/metrics">How to send them</Link>
            </p>
          </Empty>
        </section>
      ) : (
        <Sections costs={costs} />
      )}
    </div>
  );
}

function Sections({ costs }: { costs: Costs }) {
  const { series: total, headSeries, blockBytes, pairsTotal, metrics, labels, pairs } = costs;
  const top = metrics[0];
  const told = metrics.filter((metric) => metric.bytes !== null);
  const sum = (of: (metric: Costs["metrics"][number]) => number) =>
    told.reduce((all, metric) => all + of(metric), 0);
  const each =
    headSeries !== null
      ? (costs.headBytes ?? 0) / Math.max(1, headSeries)
      : sum((metric) => metric.bytes ?? 0) /
        Math.max(
          1,
          sum((metric) => metric.series),
        );
  const names = labels.find((label) => label.name === "__name__")?.values;
  return (
    <>
      <section className="panel stat-strip" aria-label="Summary">
        <Stat
          value={formatInteger(total)}
          label={headSeries === null ? "series in memory" : "series in the last day"}
        />
        {headSeries !== null && <Stat value={formatInteger(headSeries)} label="of them in memory" />}
        {blockBytes !== null && <Stat value={formatBytes(blockBytes)} label="of the last day on disk" />}
        {names !== undefined && <Stat value={formatInteger(names)} label="metric names" />}
        {pairsTotal !== null && <Stat value={formatInteger(pairsTotal)} label="pairs of label and value" />}
        {each > 0 && <Stat value={formatBytes(each)} label="memory a series" />}
        {top && total > 0 && (
          <Stat
            value={formatPercent(top.series / total)}
            label={
              <>
                of the series are{" "}
                <Link to="/metrics" search={{ view: "browse", metric: top.name, find: top.name }}>
                  {top.name}
                </Link>
              </>
            }
          />
        )}
      </section>
      {costs.caveat !== null && <p role="note">{costs.caveat}</p>}
      <div className="grid two costs">
        <Panel flush title="Metrics">
          <CostTable
            label="Metrics that cost most"
            head={["Metric", "Series", "Memory", "On disk", "Samples on disk"]}
            rows={metrics.map((metric) => ({
              key: metric.name,
              name: (
                <Link to="/metrics" search={{ view: "browse", metric: metric.name, find: metric.name }}>
                  {metric.name}
                </Link>
              ),
              share: metric.series / (total || 1),
              cells: [
                formatInteger(metric.series),
                bytes(metric.bytes),
                bytes(metric.blockBytes),
                metric.samples === null ? "–" : formatInteger(metric.samples),
              ],
              copy: { text: dropRule("metric", metric.name), label: `Copy a rule that drops ${metric.name}` },
            }))}
          />
        </Panel>
        <Panel flush title="Labels">
          <CostTable
            label="Labels that cost most"
            head={["Label", "Values", "Their text"]}
            rows={labels.map((label) => ({
              key: label.name,
              name: (
                <Link to="/metrics" search={{ q: countBy(label.name), view: "table" }}>
                  {label.name}
                </Link>
              ),
              share: label.values / Math.max(1, labels[0]?.values ?? 1),
              cells: [formatInteger(label.values), bytes(label.bytes)],
              copy: {
                text: dropRule("label", label.name),
                label: `Copy a rule that drops the label ${label.name}`,
              },
            }))}
          />
        </Panel>
      </div>
      <Panel flush title="Values with most series">
        <CostTable
          label="Label values with most series"
          head={["Label and value", "Series"]}
          rows={pairs.map((pair) => ({
            key: `${pair.name}=${pair.value}`,
            name: (
              <Link to="/metrics" search={{ q: seriesBy(pair.name, pair.value), view: "table" }}>
                {pair.name}=&quot;{pair.value}&quot;
              </Link>
            ),
            share: pair.series / (total || 1),
            cells: [formatInteger(pair.series)],
          }))}
        />
      </Panel>
    </>
  );
}

const bytes = (value: number | null) => (value === null ? "–" : formatBytes(value));

/** Which metrics carry the label. */
const countBy = (label: string) =>
  label === "__name__"
    ? 'topk(20, count by (__name__) ({__name__!=""}))'
    : `topk(20, count by (__name__) ({${quoted(label)}!=""}))`;

const seriesBy = (label: string, value: string) =>
  `topk(20, count by (__name__) ({${quoted(label)}=${JSON.stringify(value)}}))`;

const quoted = (label: string) => (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : JSON.stringify(label));

type Row = {
  key: string;
  name: React.ReactNode;
  share: number;
  cells: string[];
  copy?: { text: string; label: string };
};

function CostTable({ label, head, rows: given }: { label: string; head: string[]; rows: readonly Row[] }) {
  // A column that says nothing of any row is left out: not every server tells bytes.
  const told = head.slice(1).map((_, at) => given.some((row) => row.cells[at] !== "–"));
  const heads = head.filter((_, at) => at === 0 || told[at - 1]);
  const rows = given.map((row) => ({ ...row, cells: row.cells.filter((_, at) => told[at]) }));
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={label}>
      <table className="list cost-table">
        <thead>
          <tr>
            {heads.map((name, at) => (
              <th key={name} scope="col" className={at > 0 ? "right" : ""}>
                {name}
              </th>
            ))}
            {rows.some((row) => row.copy) && (
              <th scope="col">
                <span className="visually-hidden">Rule that drops it</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key}>
              <td className="mono cost-name">
                <span
                  className="cost-bar"
                  aria-hidden
                  style={{ width: `${Math.min(100, row.share * 100)}%` }}
                />
                <span className="ellipsis">{row.name}</span>
              </td>
              {row.cells.map((cell, at) => (
                <td key={heads[at + 1]} className="right">
                  {cell}
                </td>
              ))}
              {row.copy && (
                <td style={{ width: 24 }}>
                  <Copy text={row.copy.text} label={row.copy.label} icon={IconScissors} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
