/** What series cost, from what the server tells: our own figures in bytes, or Prometheus's counts alone. */

import type { Cardinality, TsdbStatus } from "../../api/prometheus";

export type Costs = {
  series: number;
  pairsTotal: number | null;
  metrics: { name: string; series: number; bytes: number | null }[];
  labels: { name: string; values: number; bytes: number | null }[];
  pairs: { name: string; value: string; series: number }[];
};

export function toCosts(ours: Cardinality | undefined, tsdb: TsdbStatus | undefined): Costs | null {
  if (!ours && !tsdb) return null;
  const bytes = new Map(tsdb?.memoryInBytesByLabelName.map((one) => [one.name, one.value]));
  return {
    series: ours?.series ?? tsdb?.headStats.numSeries ?? 0,
    pairsTotal: ours?.label_pairs ?? tsdb?.headStats.numLabelPairs ?? null,
    metrics:
      ours?.metrics.map((one) => ({ name: one.metric, series: one.series, bytes: one.bytes })) ??
      tsdb?.seriesCountByMetricName.map(({ name, value }) => ({ name, series: value, bytes: null })) ??
      [],
    labels:
      ours?.labels.map((one) => ({ name: one.label, values: one.values, bytes: one.bytes })) ??
      tsdb?.labelValueCountByLabelName.map(({ name, value }) => ({
        name,
        values: value,
        bytes: bytes.get(name) ?? null,
      })) ??
      [],
    pairs: (tsdb?.seriesCountByLabelValuePair ?? []).map(({ name, value }) => {
      const at = name.indexOf("=");
      return { name: name.slice(0, at), value: name.slice(at + 1), series: value };
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
