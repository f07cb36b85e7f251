/** What series cost, from what the server tells: our own figures in bytes, or Prometheus's counts alone. */

import type { Cardinality, TsdbStatus } from "../../api/prometheus";

export type Cost = { name: string; series: number; bytes: number | null; values?: number };
export type Costs = {
  total: { series: number; bytes: number | null };
  metrics: Cost[];
  labels: Cost[];
  pairs: { name: string; value: string; series: number; bytes: number | null }[];
};

export function toCosts(ours: Cardinality | undefined, tsdb: TsdbStatus | undefined): Costs | null {
  if (ours)
    return {
      total: ours.total,
      metrics: [...ours.metrics],
      labels: [...ours.labels],
      pairs: ours.pairs.map((pair) => ({ ...pair, bytes: pair.bytes ?? null })),
    };
  if (!tsdb) return null;
  const bytes = new Map(tsdb.memoryInBytesByLabelName.map((one) => [one.name, one.value]));
  return {
    total: { series: tsdb.headStats.numSeries, bytes: null },
    metrics: tsdb.seriesCountByMetricName.map(({ name, value }) => ({ name, series: value, bytes: null })),
    labels: tsdb.labelValueCountByLabelName.map(({ name, value }) => ({
      name,
      values: value,
      series: 0,
      bytes: bytes.get(name) ?? null,
    })),
    pairs: tsdb.seriesCountByLabelValuePair.map(({ name, value }) => {
      const at = name.indexOf("=");
      return { name: name.slice(0, at), value: name.slice(at + 1), series: value, bytes: null };
    }),
  };
}

/** What keeps a metric, or a label of all metrics, from being stored. */
export function dropRule(what: "metric" | "label", name: string): string {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return what === "metric"
    ? `metric_relabel_configs:\n  - source_labels: [__name__]\n    regex: ${escaped}\n    action: drop`
    : `metric_relabel_configs:\n  - regex: ${escaped}\n    action: labeldrop`;
}
