/** The HTTP API of metrics as Prometheus defines it: its envelope, its samples as text, its hooks. */

import { keepPreviousData, useQueries, useQuery, type UseQueryResult } from "@tanstack/react-query";

import { useTimeRange } from "../components/useTimeRange";
import { stepGrid, type Grid } from "../lib/promql";
import { resolveRange } from "../lib/time";
import { ApiError, request } from "./client";

export const PROMETHEUS = "/prometheus/api/v1";

export type Labels = Readonly<Record<string, string>>;
/** Seconds since 1970 and the value as text, since JSON has neither NaN nor infinities. */
export type Sample = readonly [number, string];
/** Boundary rule, lower, upper, count. */
export type WireBucket = readonly [number, string, string, string];
export type WireHistogram = { count: string; sum: string; buckets?: readonly WireBucket[] };
export type VectorItem = { metric: Labels; value?: Sample; histogram?: readonly [number, WireHistogram] };
export type MatrixItem = {
  metric: Labels;
  values?: readonly Sample[];
  histograms?: readonly (readonly [number, WireHistogram])[];
};
export type Result =
  | { resultType: "vector"; result: readonly VectorItem[] }
  | { resultType: "matrix"; result: readonly MatrixItem[] }
  | { resultType: "scalar"; result: Sample }
  | { resultType: "string"; result: Sample };
export type QueryStats = {
  timings?: { evalTotalTime?: number; execTotalTime?: number };
  samples?: { totalQueryableSamples?: number; peakSamples?: number };
};
export type QueryData = Result & { stats?: QueryStats };
export type Answer<T> = { data: T; warnings: string[]; infos: string[]; elapsedMs: number };
export type RangeAnswer = Answer<QueryData> & { grid: Grid };

export type Metadata = { type: string; help: string; unit: string };
export type Exemplar = { labels: Labels; value: string; timestamp: number };
export type ExemplarSeries = { seriesLabels: Labels; exemplars: readonly Exemplar[] };

export type Target = {
  discoveredLabels: Labels;
  labels: Labels;
  scrapePool: string;
  scrapeUrl: string;
  globalUrl?: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: "up" | "down" | "unknown";
  scrapeInterval?: string;
  scrapeTimeout?: string;
};
export type Targets = {
  activeTargets: readonly Target[];
  droppedTargets?: readonly { discoveredLabels: Labels; scrapePool?: string }[];
  droppedTargetCounts?: Readonly<Record<string, number>>;
};

type Named = { name: string; value: number };
export type TsdbStatus = {
  headStats: { numSeries: number; numLabelPairs?: number; chunkCount?: number; minTime?: number };
  seriesCountByMetricName: readonly Named[];
  labelValueCountByLabelName: readonly Named[];
  memoryInBytesByLabelName: readonly Named[];
  seriesCountByLabelValuePair: readonly Named[];
};

type Params = Readonly<Record<string, string | number | readonly string[] | undefined>>;

function form(params: Params): URLSearchParams {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) out.append(key, String(one));
  }
  return out;
}

type Envelope<T> = { status: string; data: T; warnings?: string[]; infos?: string[] };

/** Asks; a `POST` keeps long expressions out of addresses. */
export async function ask<T>(
  path: string,
  params: Params,
  signal?: AbortSignal,
  method: "GET" | "POST" = "GET",
): Promise<Answer<T>> {
  const started = performance.now();
  const fields = form(params);
  const response =
    method === "GET"
      ? await request(`${PROMETHEUS}${path}?${fields.toString()}`, signal ? { signal } : {})
      : await request(PROMETHEUS + path, { method, body: fields, ...(signal ? { signal } : {}) });
  const said = (await response.json()) as Envelope<T>;
  return {
    data: said.data,
    warnings: said.warnings ?? [],
    infos: said.infos ?? [],
    elapsedMs: performance.now() - started,
  };
}

const askRange = async (expr: string, grid: Grid, signal: AbortSignal): Promise<RangeAnswer> => {
  const { startMs, endMs, stepMs } = grid;
  const params = { query: expr, start: startMs / 1e3, end: endMs / 1e3, step: stepMs / 1e3, stats: "all" };
  return { ...(await ask<QueryData>("/query_range", params, signal, "POST")), grid };
};

/** A faulty query is not asked again by itself; one that the server could not serve is. */
const retry = (count: number, error: Error) =>
  count < 2 && error instanceof ApiError && (error.status === 0 || error.status === 503);

/** Several expressions over the page's time, each its own answer. `null` is one that is not asked. */
export function useRangeQueries(
  exprs: readonly (string | null)[],
  stepMs: number | null,
  options: { points?: number; live?: boolean } = {},
): UseQueryResult<RangeAnswer>[] {
  const { text, refreshMs } = useTimeRange();
  return useQueries({
    queries: exprs.map((expr) => ({
      queryKey: ["prometheus", "range", expr, text.from, text.to, stepMs, options.points],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        askRange(expr ?? "", stepGrid(resolveRange(text, Date.now()), stepMs, options.points), signal),
      enabled: expr !== null && expr !== "",
      placeholderData: keepPreviousData,
      refetchInterval: (query: { state: { error: unknown } }) =>
        options.live === false || query.state.error ? (false as const) : refreshMs,
      retry,
    })),
  });
}

/** Several expressions at the end of the page's time. */
export function useInstantQueries(
  exprs: readonly (string | null)[],
): UseQueryResult<Answer<QueryData> & { atMs: number }>[] {
  const { text, refreshMs } = useTimeRange();
  return useQueries({
    queries: exprs.map((expr) => ({
      queryKey: ["prometheus", "instant", expr, text.from, text.to],
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const atMs = resolveRange(text, Date.now()).end;
        const params = { query: expr ?? "", time: atMs / 1e3, stats: "all" };
        return { ...(await ask<QueryData>("/query", params, signal, "POST")), atMs };
      },
      enabled: expr !== null && expr !== "",
      placeholderData: keepPreviousData,
      refetchInterval: (query: { state: { error: unknown } }) =>
        query.state.error ? (false as const) : refreshMs,
      retry,
    })),
  });
}

/** Exemplars of several expressions over the page's time; an expression that has none costs little. */
export function useExemplars(exprs: readonly string[], enabled: boolean) {
  const { text, refreshMs } = useTimeRange();
  return useQueries({
    queries: exprs.map((expr) => ({
      queryKey: ["prometheus", "exemplars", expr, text.from, text.to],
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const { start, end } = resolveRange(text, Date.now());
        const params = { query: expr, start: start / 1e3, end: end / 1e3 };
        return (await ask<readonly ExemplarSeries[] | null>("/query_exemplars", params, signal)).data ?? [];
      },
      enabled,
      placeholderData: keepPreviousData,
      refetchInterval: refreshMs,
      retry: false,
    })),
  });
}

export type Catalogue = { names: readonly string[]; metadata: Readonly<Record<string, readonly Metadata[]>> };

/** Every metric's name, and what is known about it. */
export function useCatalogue(enabled = true): UseQueryResult<Catalogue> {
  const { text } = useTimeRange();
  return useQuery({
    queryKey: ["prometheus", "catalogue", text.from, text.to],
    queryFn: async ({ signal }) => {
      const { start, end } = resolveRange(text, Date.now());
      const during = { start: start / 1e3, end: end / 1e3 };
      const [names, metadata] = await Promise.all([
        ask<string[]>("/label/__name__/values", during, signal),
        ask<Record<string, Metadata[]>>("/metadata", {}, signal),
      ]);
      return { names: names.data, metadata: metadata.data };
    },
    staleTime: 15_000,
    refetchInterval: 30_000,
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** The label sets of a metric, at most this many. */
export const SERIES_READ_MAX = 10_000;

export function useSeries(name: string | null): UseQueryResult<Answer<Labels[]>> {
  const { text } = useTimeRange();
  return useQuery({
    queryKey: ["prometheus", "series", name, text.from, text.to],
    queryFn: ({ signal }) => {
      const { start, end } = resolveRange(text, Date.now());
      const params = {
        "match[]": `{__name__=${JSON.stringify(name)}}`,
        start: start / 1e3,
        end: end / 1e3,
        limit: SERIES_READ_MAX,
      };
      return ask<Labels[]>("/series", params, signal);
    },
    enabled: name !== null,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}

export const useTargets = (): UseQueryResult<Targets> =>
  useQuery({
    queryKey: ["prometheus", "targets"],
    queryFn: async ({ signal }) => (await ask<Targets>("/targets", {}, signal)).data,
    refetchInterval: 5_000,
  });

export type AlertState = "firing" | "pending" | "inactive";
export type Alert = {
  labels: Labels;
  annotations: Labels;
  state: AlertState;
  activeAt: string;
  value: string;
  keepFiringSince?: string;
};
type Evaluated = {
  name: string;
  query: string;
  labels?: Labels;
  health: "ok" | "err" | "unknown";
  lastError?: string;
  lastEvaluation: string;
  evaluationTime: number;
};
export type AlertingRule = Evaluated & {
  type: "alerting";
  state: AlertState;
  duration: number;
  keepFiringFor: number;
  annotations?: Labels;
  alerts: readonly Alert[];
};
export type RecordingRule = Evaluated & { type: "recording" };
export type Rule = AlertingRule | RecordingRule;
export type RuleGroup = {
  name: string;
  file: string;
  interval: number;
  lastEvaluation: string;
  evaluationTime: number;
  rules: readonly Rule[];
};

export const useRules = (): UseQueryResult<readonly RuleGroup[]> =>
  useQuery({
    queryKey: ["prometheus", "rules"],
    queryFn: async ({ signal }) => (await ask<{ groups: RuleGroup[] }>("/rules", {}, signal)).data.groups,
    refetchInterval: 5_000,
  });

export const useAlerts = (): UseQueryResult<readonly Alert[]> =>
  useQuery({
    queryKey: ["prometheus", "alerts"],
    queryFn: async ({ signal }) => (await ask<{ alerts: Alert[] }>("/alerts", {}, signal)).data.alerts,
    refetchInterval: 10_000,
  });

export const useTsdbStatus = (limit: number): UseQueryResult<TsdbStatus> =>
  useQuery({
    queryKey: ["prometheus", "tsdb", limit],
    queryFn: async ({ signal }) => (await ask<TsdbStatus>("/status/tsdb", { limit }, signal)).data,
    refetchInterval: 30_000,
  });

export type Cardinality = {
  series: number;
  label_pairs: number;
  head_series?: number;
  head_bytes?: number;
  block_bytes?: number;
  one_in?: number;
  complete?: boolean;
  metrics: readonly {
    metric: string;
    series: number;
    bytes: number;
    samples?: number;
    block_bytes?: number;
  }[];
  labels: readonly { label: string; values: number; bytes: number }[];
  pairs?: readonly { label: string; value: string; series: number }[];
};

/** What the series of the last day cost: an endpoint that only our server has, beside Prometheus's counts. */
export const useCardinality = (limit: number): UseQueryResult<Cardinality> =>
  useQuery({
    queryKey: ["prometheus", "cardinality", limit],
    queryFn: async ({ signal }) => (await ask<Cardinality>("/metrics/cardinality", { limit }, signal)).data,
    refetchInterval: 30_000,
    retry: false,
  });
