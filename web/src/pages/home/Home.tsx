import { Link } from "@tanstack/react-router";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";

import { useServices, useStatus, type Ranged } from "../../api/hooks";
import type { ServiceRow, Services, Status } from "../../api/types";
import { Panel, Stat } from "../../components/Panel";
import { useTitle } from "../../components/useTitle";
import { Empty, Failed, Skeleton } from "../../components/States";
import { useTimeRange } from "../../components/useTimeRange";
import { whole } from "../../lib/rates";
import { formatAgo, rangeLabel, timeMs } from "../../lib/time";
import { formatBytes, formatCount, formatMs, formatPercent, formatRate } from "../../lib/units";
import { complaints, type Complaint } from "./badness";
import { FirstData } from "./FirstData";
import { ServicesTable } from "./ServicesTable";

export function Home() {
  useTitle("Services");
  const services = useServices();
  const status = useStatus();
  const rows = services.data?.data.services ?? [];
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
      <ServicesPanel services={services} rows={rows} />
      {status.data && <Ingest status={status.data} />}
    </div>
  );
}

function ServicesPanel({ services, rows }: { services: ReturnType<typeof useServices>; rows: ServiceRow[] }) {
  const { text } = useTimeRange();
  return (
    <Panel
      flush
      title="Services"
      aside={
        <span className="dim">
          {rows.length > 0 && `${rows.length} · worst first · ${rangeLabel(text, Date.now())}`}
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
        <ServicesTable rows={wholeBuckets(services.data)} />
      )}
    </Panel>
  );
}

/** The bucket that is being filled would look like a fall. */
function wholeBuckets({ data, range }: Ranged<Services>): ServiceRow[] {
  const cut = <T,>(values: readonly T[]) => whole(values, timeMs(data.start), data.step_ms, range);
  return data.services.map((row) => ({
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
  if (found.length === 0) {
    return (
      <div className="banner ok" data-testid="wrong">
        <IconCircleCheck size={18} className="ok-text" aria-hidden />
        <span>
          Nothing stands out: no service fails in 1 % of its requests or takes twice as long as before.
        </span>
      </div>
    );
  }
  const worst = found.some((complaint) => complaint.tone === "error") ? "error" : "warn";
  return (
    <div className={`banner ${worst}`} data-testid="wrong">
      <IconAlertTriangle size={18} className={`${worst}-text`} aria-hidden />
      <div className="row wrap wide">
        {found.slice(0, 6).map((complaint) => (
          <ComplaintLink key={`${complaint.service} ${complaint.what}`} complaint={complaint} />
        ))}
        {found.length > 6 && <span className="dim">and {found.length - 6} more</span>}
      </div>
    </div>
  );
}

function ComplaintLink({ complaint: { service, what, value, tone } }: { complaint: Complaint }) {
  const said =
    what === "errors"
      ? `fails in ${formatPercent(value)}`
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

function Ingest({ status }: { status: Status }) {
  const spans = status.tables.find((table) => table.name === "spans");
  const logs = status.tables.find((table) => table.name === "logs");
  const disk = status.tables.reduce((sum, table) => sum + table.bytes, 0);
  const rows = status.tables.reduce((sum, table) => sum + table.rows, 0);
  const last = (time: string | null | undefined) =>
    time ? `last ${formatAgo(timeMs(time), Date.now())}` : "none yet";
  return (
    <Panel flush title="Ingest" aside={<Link to="/status">Status</Link>}>
      <div className="stat-strip" data-testid="ingest">
        <Stat value={formatRate(spans?.rows_per_s ?? 0)} label={`spans · ${last(spans?.last_time)}`} />
        <Stat value={formatRate(logs?.rows_per_s ?? 0)} label={`log lines · ${last(logs?.last_time)}`} />
        <Stat value={formatCount(rows)} label="rows kept" />
        <Stat value={formatBytes(disk)} label="on disk" />
        <Stat
          value={formatBytes(status.memory.resident_bytes)}
          label={`memory of ${formatBytes(status.memory.limit_bytes)}`}
          tone={status.memory.resident_bytes > status.memory.limit_bytes * 0.9 ? "error" : undefined}
        />
      </div>
    </Panel>
  );
}
