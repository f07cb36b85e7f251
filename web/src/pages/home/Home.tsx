import { Link } from "@tanstack/react-router";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";

import { useServices, useStatus, type Ranged } from "../../api/hooks";
import { useAlerts, useTargets, useTsdbStatus, type Alert } from "../../api/prometheus";
import type { ServiceRow, Services, Status } from "../../api/types";
import { measured, type Measured } from "../../components/measured";
import { Panel, Stat } from "../../components/Panel";
import { useTitle } from "../../components/useTitle";
import { Empty, Failed, Skeleton } from "../../components/States";
import { useTimeRange } from "../../components/useTimeRange";
import { whole } from "../../lib/rates";
import { formatAgo, formatClock, rangeLabel, timeMs } from "../../lib/time";
import { formatBytes, formatCount, formatMs, formatPercent, formatRate, plural } from "../../lib/units";
import { RecentTraces } from "../traces/RecentTraces";
import { complaints, type Complaint } from "./badness";
import { FirstData } from "./FirstData";
import { ServicesTable } from "./ServicesTable";

export function Home() {
  useTitle("Services");
  const services = useServices();
  const status = useStatus();
  const found = services.data ? measured(services.data) : null;
  const rows = found?.rows ?? [];
  if (status.isError && !status.data)
    return (
      <Failed
        what="The server's status cannot be read"
        error={status.error}
        retry={() => void status.refetch()}
      />
    );
  if (status.data && status.data.tables.every((table) => table.rows === 0) && rows.length === 0) {
    return <FirstData status={status.data} />;
  }
  return (
    <div className="page centered">
      <h1 className="visually-hidden">Services</h1>
      {rows.length > 0 && <Wrong rows={rows} />}
      <ServicesPanel services={services} found={found} />
      {rows.length > 0 && (
        <div className="grid two">
          <RecentTraces what="errors" />
          <RecentTraces what="slow" />
        </div>
      )}
      {status.data && <Ingest status={status.data} />}
    </div>
  );
}

function ServicesPanel({
  services,
  found,
}: {
  services: ReturnType<typeof useServices>;
  found: Measured | null;
}) {
  const { text } = useTimeRange();
  const rows = found?.rows ?? [];
  const late = found && services.data && found.fromMs > services.data.range.start;
  const since = late ? `, data since ${formatClock(found.fromMs, true)}` : "";
  return (
    <Panel
      flush
      title="Services"
      aside={
        <span className="dim">
          {rows.length > 0 && `${rows.length} · ${rangeLabel(text, Date.now())}${since}`}
        </span>
      }
    >
      {services.isPending ? (
        <Skeleton rows={5} height={26} />
      ) : services.isError && !services.data ? (
        <Failed
          what="The services cannot be read"
          error={services.error}
          retry={() => void services.refetch()}
        />
      ) : rows.length === 0 ? (
        <Empty title="No service sent a span in this time">
          <p>
            Choose a longer time range above, or look at the <Link to="/status">status</Link> for when data
            came last.
          </p>
        </Empty>
      ) : (
        <ServicesTable rows={services.data && found ? lines(services.data, found) : []} />
      )}
    </Panel>
  );
}

/** Fewer points than this are no line. */
const POINTS_MIN = 8;

/** For small lines: from the first data on, without the bucket that is being filled, which would look like a fall. */
function lines({ data, range }: Ranged<Services>, { rows, fromMs }: Measured): ServiceRow[] {
  const start = timeMs(data.start);
  const empty = Math.max(0, Math.floor((fromMs - start) / data.step_ms) - 1);
  const cut = <T,>(values: readonly T[]) => {
    const kept = whole(values, start, data.step_ms, range);
    return kept.slice(Math.max(0, Math.min(empty, kept.length - POINTS_MIN)));
  };
  return rows.map((row) => ({
    ...row,
    series: {
      requests: cut(row.series.requests),
      errors: cut(row.series.errors),
      p95_ms: cut(row.series.p95_ms),
    },
  }));
}

function Wrong({ rows }: { rows: ServiceRow[] }) {
  const found = complaints(rows);
  const targets = useTargets().data?.activeTargets ?? [];
  const down = targets.filter((target) => target.health === "down").length;
  const firing = (useAlerts().data ?? []).filter((alert) => alert.state === "firing");
  if (found.length === 0 && down === 0 && firing.length === 0) {
    return (
      <div className="banner ok" data-testid="wrong">
        <IconCircleCheck size={18} className="ok-text" aria-hidden />
        <span>
          Nothing stands out: no service fails in 1 % of its requests or takes twice as long as before
          {targets.length > 0 && ", every target is scraped, no alert fires"}.
        </span>
      </div>
    );
  }
  const bad = down > 0 || firing.length > 0 || found.some((complaint) => complaint.tone === "error");
  const worst = bad ? "error" : "warn";
  return (
    <div className={`banner ${worst}`} data-testid="wrong">
      <IconAlertTriangle size={18} className={`${worst}-text`} aria-hidden />
      <div className="row wrap complaints">
        {firing.length > 0 && (
          <Link to="/rules" search={{ state: "firing" }} className="quiet">
            <b>{plural(firing.length, "alert")}</b>{" "}
            <span className="error-text">
              {firing.length === 1 ? "fires" : "fire"}: {alertNames(firing)}
            </span>
          </Link>
        )}
        {down > 0 && (
          <Link to="/targets" search={{ health: "down" }} className="quiet">
            <b>{plural(down, "target")}</b> <span className="error-text">cannot be scraped</span>
          </Link>
        )}
        {found.slice(0, 6).map((complaint) => (
          <ComplaintLink key={`${complaint.service} ${complaint.what}`} complaint={complaint} />
        ))}
        {found.length > 6 && <span className="dim">and {found.length - 6} more</span>}
      </div>
    </div>
  );
}

function alertNames(alerts: readonly Alert[]): string {
  const names = [...new Set(alerts.map((alert) => alert.labels["alertname"] ?? "unnamed"))];
  return names.length > 3 ? `${names.slice(0, 3).join(", ")} and more` : names.join(", ");
}

function ComplaintLink({ complaint: { service, what, value, tone } }: { complaint: Complaint }) {
  const said =
    what === "errors"
      ? `fails in ${formatPercent(value)} of requests`
      : what === "slow"
        ? `p99 is ${formatMs(value)}`
        : `is ${value.toFixed(1)}× slower than before`;
  return (
    <Link
      to="/traces"
      search={what === "errors" ? { service, status: "error" } : { service, sort: "slowest" }}
      className="quiet"
      style={{ color: "inherit" }}
    >
      <b>{service}</b> <span className={`${tone}-text`}>{said}</span>
    </Link>
  );
}

/** Of the series only their number is shown here. */
const SERIES_ONLY = 1;

function Ingest({ status }: { status: Status }) {
  const spans = status.tables.find((table) => table.name === "spans");
  const logs = status.tables.find((table) => table.name === "logs");
  const disk = status.tables.reduce((sum, table) => sum + table.bytes, 0);
  const rows = status.tables.reduce((sum, table) => sum + table.rows, 0);
  const series = useTsdbStatus(SERIES_ONLY).data?.headStats.numSeries;
  const last = (time: string | null | undefined) =>
    time ? `newest ${formatAgo(timeMs(time), Date.now())}` : "none yet";
  return (
    <Panel flush title="Ingest" aside={<Link to="/status">Status</Link>}>
      <div className="stat-strip" data-testid="ingest">
        <Stat value={formatRate(spans?.rows_per_s ?? 0)} label={`spans · ${last(spans?.last_time)}`} />
        <Stat value={formatRate(logs?.rows_per_s ?? 0)} label={`log lines · ${last(logs?.last_time)}`} />
        <Stat
          value={series === undefined ? "–" : formatCount(series)}
          label={<Link to={series ? "/cardinality" : "/metrics"}>metric series</Link>}
        />
        <Stat value={formatCount(rows)} label="spans and lines kept" />
        <Stat value={formatBytes(disk)} label="of them on disk" />
        <Stat
          value={formatBytes(status.memory.resident_bytes)}
          label={`memory of ${formatBytes(status.memory.limit_bytes)}`}
          tone={status.memory.resident_bytes > status.memory.limit_bytes * 0.9 ? "error" : undefined}
        />
      </div>
    </Panel>
  );
}
