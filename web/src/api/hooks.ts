/** Every question the pages ask, as a Query hook. Relative ranges are resolved when they are asked. */

import { keepPreviousData, useInfiniteQuery, useQuery, type UseQueryResult } from "@tanstack/react-query";

import { useTimeRange } from "../components/useTimeRange";
import { resolveRange, type Range } from "../lib/time";
import { apiQuery } from "../lib/url";
import { getJson } from "./client";
import type {
  Field,
  FieldValue,
  LogContext,
  LogHistogram,
  LogPage,
  Operation,
  Services,
  Status,
  Trace,
  TraceHistogram,
  TraceList,
} from "./types";
import { traceFromWire, type WireTrace } from "./wire";

/** An answer with the range that it was asked for. */
export type Ranged<T> = { data: T; range: Range };

type Filters = Record<string, string | number | undefined>;

function useRanged<T>(
  name: string,
  path: string,
  filters: Filters,
  options: { enabled?: boolean; live?: boolean } = {},
): UseQueryResult<Ranged<T>> {
  const { text, refreshMs } = useTimeRange();
  return useQuery({
    queryKey: [name, path, text.from, text.to, filters],
    queryFn: async ({ signal }) => {
      const range = resolveRange(text, Date.now());
      const data = await getJson<T>(
        path + apiQuery({ ...filters, start: Math.floor(range.start), end: Math.ceil(range.end) }),
        signal,
      );
      return { data, range };
    },
    enabled: options.enabled ?? true,
    placeholderData: keepPreviousData,
    refetchInterval: options.live === false ? false : refreshMs,
  });
}

export function useStatus(refetchMs: number | false = 5_000): UseQueryResult<Status> {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => getJson<Status>("/api/v1/status", signal),
    refetchInterval: refetchMs,
  });
}

export const useServices = () => useRanged<Services>("services", "/api/v1/services", {});

export const useOperations = (service: string) =>
  useRanged<{ operations: Operation[] }>(
    "operations",
    `/api/v1/services/${encodeURIComponent(service)}/operations`,
    {},
    { enabled: service !== "" },
  );

export type TraceFilters = {
  service?: string;
  operation?: string;
  status?: string;
  min_duration_ms?: number;
  max_duration_ms?: number;
  q?: string;
};

export const useTraces = (filters: TraceFilters & { sort?: string; limit?: number }, live = true) =>
  useRanged<TraceList>("traces", "/api/v1/traces", filters, { live });

export const useTraceHistogram = (filters: TraceFilters, enabled = true) =>
  useRanged<TraceHistogram>("trace-histogram", "/api/v1/traces/histogram", filters, { enabled });

export function useTrace(id: string): UseQueryResult<Trace> {
  return useQuery({
    queryKey: ["trace", id],
    queryFn: async ({ signal }) =>
      traceFromWire(await getJson<WireTrace>(`/api/v1/traces/${encodeURIComponent(id)}`, signal)),
    // The last spans of a young trace may be on their way.
    refetchInterval: (query) => {
      const trace = query.state.data;
      return trace && Date.now() - new Date(trace.start).getTime() < 30_000 && trace.spans.length < 5_000
        ? 3_000
        : false;
    },
  });
}

export function useTraceLogs(trace: Trace | undefined, traceId: string): UseQueryResult<LogPage> {
  const start = trace ? new Date(trace.start).getTime() : 0;
  return useQuery({
    queryKey: ["trace-logs", traceId],
    queryFn: ({ signal }) => {
      // A line may be written before the first span is begun, or after the last has ended.
      const query = {
        trace_id: traceId,
        start: Math.floor(start - 600_000),
        end: Math.ceil(start + (trace?.duration_ns ?? 0) / 1e6 + 600_000),
        limit: 5_000,
        direction: "oldest",
      };
      return getJson<LogPage>(`/api/v1/logs${apiQuery(query)}`, signal);
    },
    enabled: trace !== undefined,
  });
}

export type LogFilters = {
  q?: string;
  service?: string;
  level?: string;
  trace_id?: string;
  span_id?: string;
};

export const useLogHistogram = (filters: LogFilters) =>
  useRanged<LogHistogram>("log-histogram", "/api/v1/logs/histogram", filters);

export function useLogs(
  filters: LogFilters,
  options: { live: boolean; enabled: boolean; direction?: "newest" | "oldest"; limit?: number },
) {
  const { text, refreshMs } = useTimeRange();
  return useInfiniteQuery({
    queryKey: ["logs", text.from, text.to, filters, options.direction ?? "newest", options.limit ?? 200],
    queryFn: async ({ pageParam, signal }) => {
      const range = pageParam.range ?? resolveRange(text, Date.now());
      const page = await getJson<LogPage>(
        `/api/v1/logs${apiQuery({
          ...filters,
          start: Math.floor(range.start),
          end: Math.ceil(range.end),
          limit: options.limit ?? 200,
          direction: options.direction ?? "newest",
          cursor: pageParam.cursor,
        })}`,
        signal,
      );
      return { page, range };
    },
    initialPageParam: {} as { cursor?: string; range?: Range },
    // Later pages keep the first page's range: "now" must not move between them.
    getNextPageParam: ({ page, range }) => (page.next ? { cursor: page.next, range } : undefined),
    placeholderData: keepPreviousData,
    enabled: options.enabled,
    refetchInterval: options.live ? refreshMs : false,
  });
}

export function useLogContext(
  service: string | null,
  timeUnixNs: string,
  enabled: boolean,
): UseQueryResult<LogContext> {
  return useQuery({
    queryKey: ["log-context", service, timeUnixNs],
    queryFn: ({ signal }) =>
      getJson<LogContext>(
        `/api/v1/logs/context${apiQuery({ service, time_unix_ns: timeUnixNs, before: 10, after: 11 })}`,
        signal,
      ),
    enabled,
  });
}

export function useFields(table: "spans" | "logs"): UseQueryResult<Field[]> {
  return useQuery({
    queryKey: ["fields", table],
    queryFn: async ({ signal }) =>
      (await getJson<{ fields: Field[] }>(`/api/v1/fields?table=${table}`, signal)).fields,
    staleTime: 30_000,
  });
}

export function useFieldValues(
  table: "spans" | "logs",
  field: string | null,
  prefix: string,
): UseQueryResult<FieldValue[]> {
  const { text } = useTimeRange();
  return useQuery({
    queryKey: ["field-values", table, field, prefix, text.from, text.to],
    queryFn: async ({ signal }) => {
      const range = resolveRange(text, Date.now());
      const query = {
        table,
        field,
        prefix,
        start: Math.floor(range.start),
        end: Math.ceil(range.end),
        limit: 20,
      };
      return (await getJson<{ values: FieldValue[] }>(`/api/v1/fields/values${apiQuery(query)}`, signal))
        .values;
    },
    enabled: field !== null,
    staleTime: 15_000,
    placeholderData: keepPreviousData,
  });
}
