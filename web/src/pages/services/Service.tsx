import { Link, getRouteApi } from "@tanstack/react-router";
import { IconChartLine, IconListDetails, IconRoute } from "@tabler/icons-react";

import { useLogs, useOperations, useServices } from "../../api/hooks";
import { useCatalogue } from "../../api/prometheus";
import type { ServiceRow } from "../../api/types";
import { TimeChart } from "../../charts/TimeChart";
import { measured } from "../../components/measured";
import { Panel, Stat } from "../../components/Panel";
import { ServiceName } from "../../components/Service";
import { useTitle } from "../../components/useTitle";
import { Empty, Failed, Skeleton } from "../../components/States";
import { serviceColor, useTheme } from "../../components/useTheme";
import { useTimeRange } from "../../components/useTimeRange";
import { perSecond, rateSince } from "../../lib/rates";
import { formatClockMs, timeMs, type Range } from "../../lib/time";
import { formatCount, formatMs, formatPercent, formatRate } from "../../lib/units";
import { LevelTag } from "../../components/LevelTag";
import { RecentTraces } from "../traces/RecentTraces";

const route = getRouteApi("/services/$service");

export function Service() {
  const { service } = route.useParams();
  useTitle(service);
  const services = useServices();
  const operations = useOperations(service);
  const found = services.data ? measured(services.data) : null;
  const row = found?.rows.find((one) => one.service === service);
  if (found && !row && operations.data?.data.operations.length === 0)
    return (
      <div className="page centered">
        <Head service={service} />
        <Panel>
          <Empty title="No spans of this service in this time">
            <p>
              {service} sent none, or has another name. A longer time range may show more;{" "}
              <Link to="/logs" search={{ service }}>
                its log lines
              </Link>{" "}
              may be there, or choose among <Link to="/">all services</Link>.
            </p>
          </Empty>
        </Panel>
      </div>
    );
  return (
    <div className="page centered">
      <Head service={service} />
      {services.isPending ? (
        <Skeleton rows={3} height={60} />
      ) : !services.data ? (
        <Failed
          what="The service cannot be read"
          error={services.error}
          retry={() => void services.refetch()}
        />
      ) : row ? (
        <Red
          row={row}
          stepMs={services.data.data.step_ms}
          start={timeMs(services.data.data.start)}
          range={services.data.range}
        />
      ) : (
        <Panel>
          <Empty title="No requests in this time">
            <p>
              {service} handled no request as a server or consumer. Its other spans are below; a longer time
              range may show more.
            </p>
          </Empty>
        </Panel>
      )}
      <Operations service={service} operations={operations} fromMs={found?.fromMs ?? null} />
      <div className="grid two">
        <RecentTraces service={service} what="errors" />
        <RecentTraces service={service} what="slow" />
      </div>
      <ErrorLogs service={service} />
    </div>
  );
}

function Head({ service }: { service: string }) {
  const catalogue = useCatalogue().data?.names;
  const measures = catalogue?.includes(`${SERVER_DURATION}_bucket`) === true;
  return (
    <div className="row spread wrap">
      <h1>
        <ServiceName service={service} />
      </h1>
      <div className="row tight">
        <Link className="chip" to="/traces" search={{ service }}>
          <IconRoute size={14} aria-hidden />
          Traces
        </Link>
        <Link className="chip" to="/logs" search={{ service }}>
          <IconListDetails size={14} aria-hidden />
          Logs
        </Link>
        {measures && (
          <Link className="chip" to="/metrics" search={{ q: durationsOf(service) }}>
            <IconChartLine size={14} aria-hidden />
            Metrics
          </Link>
        )}
      </div>
    </div>
  );
}

/** What OpenTelemetry's conventions call the durations of requests, and the job that sends them. */
const SERVER_DURATION = "http_server_request_duration_seconds";
const durationsOf = (service: string) =>
  `histogram_quantile(0.95, sum by (le, http_route) (rate(${SERVER_DURATION}_bucket{job=${JSON.stringify(service)}}[1m])))`;

function Red({
  row,
  stepMs,
  start,
  range,
}: {
  row: ServiceRow;
  stepMs: number;
  start: number;
  range: Range;
}) {
  const theme = useTheme();
  const { setRange } = useTimeRange();
  const times = row.series.requests.map((_, at) => start + at * stepMs);
  const color = serviceColor(row.service, theme);
  const red = theme === "light" ? "#c42b23" : "#ff8a80";
  const chart = { range, onZoom: setRange, height: 150 } as const;
  const share = row.series.errors.map((errors, at) =>
    (row.series.requests[at] ?? 0) > 0 ? errors / (row.series.requests[at] ?? 1) : null,
  );
  return (
    <>
      <section className="panel stat-strip" aria-label="Requests, errors, durations">
        <Stat value={formatRate(row.rate)} label={`${formatCount(row.requests)} requests`} />
        <Stat
          value={formatPercent(row.error_share)}
          label="errors"
          tone={row.error_share >= 0.05 ? "error" : row.error_share >= 0.01 ? "warn" : undefined}
        />
        <Stat value={formatMs(row.p50_ms)} label="p50" />
        <Stat value={formatMs(row.p95_ms)} label="p95" />
        <Stat value={formatMs(row.p99_ms)} label="p99" />
      </section>
      <div className="grid three">
        <Panel title="Requests" aside={<span className="dim">per second</span>}>
          <TimeChart
            {...chart}
            label="Requests per second over time"
            kind="area"
            times={times}
            format={formatRate}
            series={[
              { name: "requests", color, values: perSecond(row.series.requests, start, stepMs, range) },
            ]}
            testId="chart-requests"
          />
        </Panel>
        <Panel title="Errors" aside={<span className="dim">share of requests</span>}>
          <TimeChart
            {...chart}
            label="Share of failed requests over time"
            kind="area"
            times={times}
            format={formatPercent}
            series={[{ name: "errors", color: red, values: share }]}
            testId="chart-errors"
          />
        </Panel>
        <Panel title="Durations" aside={<span className="dim">p95</span>}>
          <TimeChart
            {...chart}
            label="p95 of durations over time"
            kind="lines"
            times={times}
            format={formatMs}
            testId="chart-durations"
            series={[{ name: "p95", color, values: row.series.p95_ms }]}
          />
        </Panel>
      </div>
    </>
  );
}

function Operations({
  service,
  operations,
  fromMs,
}: {
  service: string;
  operations: ReturnType<typeof useOperations>;
  /** Since when there is data, for rates. */
  fromMs: number | null;
}) {
  const range = operations.data?.range;
  const rows = [...(operations.data?.data.operations ?? [])].sort((a, b) => b.requests - a.requests);
  return (
    <Panel flush title="Operations">
      {operations.isPending ? (
        <Skeleton rows={4} />
      ) : !operations.data ? (
        <Failed
          what="The operations cannot be read"
          error={operations.error}
          retry={() => void operations.refetch()}
        />
      ) : rows.length === 0 ? (
        <Empty title="No spans of this service in this time" />
      ) : (
        <div className="table-scroll" tabIndex={0} role="region" aria-label="Operations">
          <table className="list" data-testid="operations">
            <thead>
              <tr>
                <th scope="col">Operation</th>
                <th scope="col">Kind</th>
                {["Rate", "Spans", "Errors", "p50", "p95", "p99"].map((head) => (
                  <th key={head} scope="col" className="right">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={`${row.name} ${row.kind}`}>
                  <td>
                    <Link to="/traces" search={{ service, operation: row.name }}>
                      <b style={{ fontWeight: 500 }}>{row.name}</b>
                    </Link>
                  </td>
                  <td className="dim">{row.kind}</td>
                  <td className="right">
                    {formatRate(range && fromMs !== null ? rateSince(row.requests, fromMs, range) : row.rate)}
                  </td>
                  <td className="right">{formatCount(row.requests)}</td>
                  <td className="right">
                    <Link
                      to="/traces"
                      search={{ service, operation: row.name, status: "error" }}
                      className={
                        row.error_share >= 0.05 ? "error-text" : row.error_share >= 0.01 ? "warn-text" : ""
                      }
                    >
                      {formatPercent(row.error_share)}
                    </Link>
                  </td>
                  <td className="right">{formatMs(row.p50_ms)}</td>
                  <td className="right">{formatMs(row.p95_ms)}</td>
                  <td className="right">
                    <Link to="/traces" search={{ service, operation: row.name, sort: "slowest" }}>
                      {formatMs(row.p99_ms)}
                    </Link>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function ErrorLogs({ service }: { service: string }) {
  const logs = useLogs({ service, level: "error,fatal,warn" }, { live: true, enabled: true, limit: 10 });
  const rows = logs.data?.pages[0]?.page.rows ?? [];
  return (
    <Panel
      flush
      title="Warnings and errors in its logs"
      aside={
        <Link to="/logs" search={{ service, level: "error,fatal,warn" }}>
          All
        </Link>
      }
    >
      {logs.isPending ? (
        <Skeleton rows={4} />
      ) : logs.isError && !logs.data ? (
        <Failed what="The logs cannot be read" error={logs.error} />
      ) : rows.length === 0 ? (
        <Empty title="No warning and no error in this time" />
      ) : (
        <div style={{ padding: "6px 0" }}>
          {rows.map((row, at) => (
            <div key={at} className="row" style={{ padding: "3px 12px" }}>
              <span className="num dim nowrap mono">{formatClockMs(timeMs(row.time))}</span>
              <LevelTag level={row.level} />
              <span className="mono ellipsis grow" title={row.body ?? ""}>
                {row.body}
              </span>
              {row.trace_id && (
                <Link
                  to="/traces/$traceId"
                  params={{ traceId: row.trace_id }}
                  search={row.span_id ? { span: row.span_id } : {}}
                >
                  trace
                </Link>
              )}
            </div>
          ))}
        </div>
      )}
    </Panel>
  );
}
