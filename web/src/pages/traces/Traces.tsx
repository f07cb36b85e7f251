import { Button } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { IconRoute } from "@tabler/icons-react";
import { useState } from "react";

import {
  useFieldValues,
  useOperations,
  useTraceHistogram,
  useTraces,
  type TraceFilters,
} from "../../api/hooks";
import { TimeChart } from "../../charts/TimeChart";
import { Panel } from "../../components/Panel";
import { SearchBox } from "../../components/SearchBox";
import { Segmented } from "../../components/Segmented";
import { useTitle } from "../../components/useTitle";
import { NothingFound, useNoneYet } from "../../components/NoneYet";
import { SearchFailed, Skeleton } from "../../components/States";
import { useHold } from "../../components/useHold";
import { useTheme } from "../../components/useTheme";
import { useTimeRange } from "../../components/useTimeRange";
import { valueText } from "../../lib/search";
import { formatCount, parseDurationMs, plural } from "../../lib/units";
import { inOrder, TraceRow } from "./TraceRow";

const route = getRouteApi("/traces");
type Search = {
  service?: string;
  operation?: string;
  status?: string;
  min?: string;
  max?: string;
  q?: string;
  sort?: string;
};

const LIMIT_STEP = 50;
const LIMIT_MAX = 500;

export function Traces() {
  useTitle("Traces");
  const search: Search = route.useSearch();
  const navigate = useNavigate({ from: "/traces" });
  const change = (next: Search) => void navigate({ search: (previous) => ({ ...previous, ...next }) });
  return (
    <div className="page centered">
      <h1 className="visually-hidden">Traces</h1>
      <Filters search={search} change={change} />
      <Found key={JSON.stringify(search)} search={search} change={change} />
    </div>
  );
}

function toFilters(search: Search): TraceFilters {
  const filters: TraceFilters = {};
  if (search.service) filters.service = search.service;
  if (search.operation) filters.operation = search.operation;
  if (search.status) filters.status = search.status;
  if (search.q) filters.q = search.q;
  const min = search.min ? parseDurationMs(search.min) : null;
  const max = search.max ? parseDurationMs(search.max) : null;
  if (min !== null) filters.min_duration_ms = min;
  if (max !== null) filters.max_duration_ms = max;
  return filters;
}

function Filters({ search, change }: { search: Search; change: (next: Search) => void }) {
  const services = useFieldValues("spans", "service", "");
  const operations = useOperations(search.service ?? "");
  const names = services.data?.map((one) => valueText(one.value)) ?? [];
  if (search.service && !names.includes(search.service)) names.unshift(search.service);
  return (
    <Panel>
      <div className="filters">
        <div className="field" style={{ width: 190 }}>
          <label className="field-label" htmlFor="service">
            Service
          </label>
          <select
            id="service"
            className="select"
            value={search.service ?? ""}
            onChange={(event) =>
              change({ service: event.currentTarget.value || undefined, operation: undefined })
            }
          >
            <option value="">All services</option>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
        <div className="field" style={{ width: 190 }}>
          <label className="field-label" htmlFor="operation">
            Operation
          </label>
          <CommitInput
            id="operation"
            value={search.operation ?? ""}
            placeholder="Any"
            list="operations"
            commit={(operation) => change({ operation })}
          />
          <datalist id="operations">
            {operations.data?.data.operations.map((one) => (
              <option key={`${one.name} ${one.kind}`} value={one.name} />
            ))}
          </datalist>
        </div>
        <div className="field" style={{ width: 104 }}>
          <label className="field-label" htmlFor="status">
            Status
          </label>
          <select
            id="status"
            className="select"
            value={search.status ?? ""}
            onChange={(event) => change({ status: event.currentTarget.value || undefined })}
          >
            <option value="">Any</option>
            <option value="error">Error</option>
            <option value="ok">Ok</option>
            <option value="unset">Unset</option>
          </select>
        </div>
        <DurationInput
          id="min"
          label="Longer than"
          value={search.min}
          commit={(min) => change({ min })}
          placeholder="e.g. 500ms"
        />
        <DurationInput
          id="max"
          label="Shorter than"
          value={search.max}
          commit={(max) => change({ max })}
          placeholder="e.g. 1.5s"
        />
        <div className="field grow" style={{ minWidth: 260 }}>
          <span className="field-label" aria-hidden>
            Span name and attributes
          </span>
          <SearchBox
            table="spans"
            label="Span name and attributes"
            value={search.q ?? ""}
            placeholder="http.response.status_code>=500 -health"
            onSubmit={(q) => change({ q: q || undefined })}
          />
        </div>
      </div>
    </Panel>
  );
}

function DurationInput({
  id,
  label,
  value,
  commit,
  placeholder,
}: {
  id: string;
  label: string;
  value: string | undefined;
  commit: (value: string | undefined) => void;
  placeholder: string;
}) {
  const wrong = value !== undefined && parseDurationMs(value) === null;
  return (
    <div className="field" style={{ width: 104 }}>
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      <CommitInput id={id} value={value ?? ""} placeholder={placeholder} commit={commit} invalid={wrong} />
      {wrong && (
        <span className="error-text" style={{ fontSize: 11 }} role="alert">
          write 500ms or 1.5s
        </span>
      )}
    </div>
  );
}

/** A field whose value counts on Enter or when it is left. */
function CommitInput({
  id,
  value,
  placeholder,
  list,
  commit,
  invalid,
}: {
  id: string;
  value: string;
  placeholder: string;
  list?: string;
  commit: (value: string | undefined) => void;
  invalid?: boolean;
}) {
  const done = (text: string) => {
    if (text.trim() !== value) commit(text.trim() || undefined);
  };
  return (
    <input
      key={value}
      id={id}
      className="input"
      defaultValue={value}
      placeholder={placeholder}
      list={list}
      spellCheck={false}
      autoComplete="off"
      aria-invalid={invalid}
      onBlur={(event) => done(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") done(event.currentTarget.value);
      }}
    />
  );
}

function Found({ search, change }: { search: Search; change: (next: Search) => void }) {
  const { setRange } = useTimeRange();
  const theme = useTheme();
  const [limit, setLimit] = useState(LIMIT_STEP);
  const filters = toFilters(search);
  const sort = search.sort === "slowest" ? "slowest" : "newest";
  const { held, ...hold } = useHold();
  const traces = useTraces({ ...filters, sort, limit }, !held);
  const histogram = useTraceHistogram(filters);
  const buckets = histogram.data?.data.buckets ?? [];
  const found = inOrder(traces.data?.data.traces ?? [], sort);
  const maxMs = Math.max(0, ...found.map((trace) => trace.duration_ms));
  const failed = buckets.reduce((sum, bucket) => sum + bucket.errors, 0);
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const none = useNoneYet("spans");
  return (
    <>
      {!none && (
        <Panel
          title="Traces over time"
          aside={
            <span className="dim num">
              {histogram.data ? `${formatCount(total)} in this time, ${formatCount(failed)} with errors` : ""}
            </span>
          }
        >
          {histogram.data ? (
            <TimeChart
              testId="trace-histogram"
              label={`Traces over time, ${total} in all`}
              kind="bars"
              height={120}
              range={histogram.data.range}
              format={formatCount}
              onZoom={setRange}
              legend
              times={buckets.map((bucket) => bucket.time_ms)}
              series={[
                {
                  name: "with errors",
                  color: theme === "light" ? "#c42b23" : "#e5675c",
                  values: buckets.map((bucket) => bucket.errors),
                },
                {
                  name: "without",
                  color: theme === "light" ? "#8fbfae" : "#3f7a68",
                  values: buckets.map((bucket) => bucket.count - bucket.errors),
                },
              ]}
            />
          ) : histogram.isError ? (
            <p className="dim">Not counted: {histogram.error.message}</p>
          ) : (
            <div className="skeleton" style={{ height: 138 }} />
          )}
        </Panel>
      )}
      <Panel
        flush
        title={
          found.length > 0
            ? traces.data?.data.truncated
              ? `The ${sort} ${found.length} traces`
              : plural(found.length, "trace")
            : "Traces"
        }
        aside={
          <Segmented
            label="Order"
            value={sort}
            options={[
              { value: "newest", label: "Newest" },
              { value: "slowest", label: "Slowest" },
            ]}
            onChange={(next) => change({ sort: next === "newest" ? undefined : next })}
          />
        }
      >
        {traces.isPending ? (
          <Skeleton rows={8} height={24} />
        ) : !traces.data ? (
          <SearchFailed error={traces.error} retry={() => void traces.refetch()} />
        ) : found.length === 0 ? (
          <NothingFound
            table="spans"
            filtered={Object.keys(filters).length > 0}
            icon={<IconRoute size={32} stroke={1.4} aria-hidden />}
          >
            <p>
              Take a filter away, or choose a longer time range. A trace is found when one of its spans
              matches all filters.
            </p>
            <Button
              size="compact-sm"
              variant="default"
              onClick={() =>
                change({
                  service: undefined,
                  operation: undefined,
                  status: undefined,
                  min: undefined,
                  max: undefined,
                  q: undefined,
                })
              }
            >
              Take all filters away
            </Button>
          </NothingFound>
        ) : (
          <div style={{ marginTop: 8, borderTop: "1px solid var(--border)" }} data-testid="traces" {...hold}>
            {found.map((trace) => (
              <TraceRow key={trace.trace_id} trace={trace} maxMs={maxMs} />
            ))}
            {traces.data.data.truncated && limit < LIMIT_MAX && (
              <div style={{ padding: 10, textAlign: "center" }}>
                <Button
                  size="compact-sm"
                  variant="default"
                  loading={traces.isFetching}
                  onClick={() => setLimit((was) => Math.min(LIMIT_MAX, was * 2))}
                >
                  Show more
                </Button>
              </div>
            )}
          </div>
        )}
      </Panel>
    </>
  );
}
