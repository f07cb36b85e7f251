/** What series cost, from what the server tells: our own figures in bytes, or Prometheus's counts alone. */

import type { Cardinality, TsdbStatus } from "../../api/prometheus";

export type Costs = {
  /** Of the last day with our server, in memory with others. */
  series: number;
  headSeries: number | null;
  headBytes: number | null;
  blockBytes: number | null;
  pairsTotal: number | null;
  /** What the figures are not. */
  caveat: string | null;
  metrics: {
    name: string;
    series: number;
    bytes: number | null;
    blockBytes: number | null;
    samples: number | null;
  }[];
  labels: { name: string; values: number; bytes: number | null }[];
  pairs: { name: string; value: string; series: number }[];
};

export function toCosts(ours: Cardinality | undefined, tsdb: TsdbStatus | undefined): Costs | null {
  if (!ours && !tsdb) return null;
  const bytes = new Map(tsdb?.memoryInBytesByLabelName.map((one) => [one.name, one.value]));
  return {
    series: ours?.series ?? tsdb?.headStats.numSeries ?? 0,
    headSeries: ours?.head_series ?? null,
    headBytes: ours?.head_bytes ?? null,
    blockBytes: ours?.block_bytes ?? null,
    pairsTotal: ours?.label_pairs ?? tsdb?.headStats.numLabelPairs ?? null,
    caveat: caveatOf(ours),
    metrics:
      ours?.metrics.map((one) => ({
        name: one.metric,
        series: one.series,
        bytes: one.bytes,
        blockBytes: one.block_bytes ?? null,
        samples: one.samples ?? null,
      })) ??
      tsdb?.seriesCountByMetricName.map(({ name, value }) => ({
        name,
        series: value,
        bytes: null,
        blockBytes: null,
        samples: null,
      })) ??
      [],
    labels:
      ours?.labels.map((one) => ({ name: one.label, values: one.values, bytes: one.bytes })) ??
      tsdb?.labelValueCountByLabelName.map(({ name, value }) => ({
        name,
        values: value,
        bytes: bytes.get(name) ?? null,
      })) ??
      [],
    pairs:
      ours?.pairs?.map((one) => ({ name: one.label, value: one.value, series: one.series })) ??
      (tsdb?.seriesCountByLabelValuePair ?? []).map(({ name, value }) => {
        const at = name.indexOf("=");
        return { name: name.slice(0, at), value: name.slice(at + 1), series: value };
      }),
  };
}

function caveatOf(ours: Cardinality | undefined): string | null {
  const parts = [];
  if (ours?.one_in !== undefined && ours.one_in > 1)
    parts.push(`Estimated from one of ${ours.one_in} series.`);
  if (ours?.complete === false) parts.push("The oldest blocks are left out: counting took too long.");
  return parts.length > 0 ? parts.join(" ") : null;
}

/** What keeps a metric, or a label of all metrics, from being stored. */
export function dropRule(what: "metric" | "label", name: string): string {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return what === "metric"
    ? `metric_relabel_configs:\n  - source_labels: [__name__]\n    regex: ${escaped}\n    action: drop`
    : `metric_relabel_configs:\n  - regex: ${escaped}\n    action: labeldrop`;
}
