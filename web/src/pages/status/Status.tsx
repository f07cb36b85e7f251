import { Link } from "@tanstack/react-router";

import { useStatus } from "../../api/hooks";
import { useCatalogue, useTargets, useTsdbStatus } from "../../api/prometheus";
import type { Status as StatusAnswer } from "../../api/types";
import { Copy } from "../../components/Copy";
import { useTitle } from "../../components/useTitle";
import { Panel, Stat } from "../../components/Panel";
import { Failed, Skeleton } from "../../components/States";
import { reachable } from "../../lib/snippets";
import { formatAgo, formatDateTime, timeMs } from "../../lib/time";
import { formatBytes, formatDuration, formatInteger, formatRate } from "../../lib/units";

export function Status() {
  useTitle("Status");
  const status = useStatus(2_000);
  return (
    <div className="page centered">
      <h1>Status</h1>
      {status.isPending ? (
        <Skeleton />
      ) : !status.data ? (
        <Failed
          what="The server's status cannot be read"
          error={status.error}
          retry={() => void status.refetch()}
        />
      ) : (
        <Sections status={status.data} />
      )}
    </div>
  );
}

function Sections({ status }: { status: StatusAnswer }) {
  const { resident_bytes: resident, limit_bytes: limit } = status.memory;
  const share = limit > 0 ? resident / limit : 0;
  return (
    <>
      <section className="panel stat-strip" aria-label="Summary">
        <Stat value={status.version} label="version" />
        <Stat
          value={formatDuration(status.uptime_s * 1e9)}
          label={`up since ${formatDateTime(timeMs(status.started_at)).slice(0, 19)}`}
        />
        <Stat
          value={formatBytes(resident)}
          label={`memory, ${(share * 100).toFixed(0)} % of ${formatBytes(limit)}`}
          tone={share > 0.9 ? "error" : undefined}
        />
        <Stat value={status.tenant} label="tenant" />
        <Stat value={status.auth_required ? "on" : "off"} label="API keys" />
      </section>
      <Panel flush title="Tables">
        <Tables status={status} />
      </Panel>
      <Metrics />
      <div className="grid two">
        <Panel title="Endpoints">
          <Endpoints status={status} />
        </Panel>
        <Panel title="Kept at">
          <div className="row spread">
            <code style={{ overflowWrap: "anywhere" }}>{status.data_dir ?? status.store ?? "unknown"}</code>
            <Copy text={status.data_dir ?? status.store ?? ""} label="Copy the place" />
          </div>
          <p className="dim" style={{ marginTop: 8 }}>
            Plain Delta tables of Parquet: DuckDB, Polars and Spark read them as they are. Own metrics:{" "}
            <code>curl {window.location.origin}/metrics</code> · API:{" "}
            <a href="/api/v1/openapi.json">openapi.json</a>
          </p>
        </Panel>
      </div>
    </>
  );
}

function Metrics() {
  const tsdb = useTsdbStatus(1).data?.headStats;
  const names = useCatalogue().data?.names.length;
  const targets = useTargets().data?.activeTargets;
  const up = targets?.filter((target) => target.health === "up").length ?? 0;
  if (!tsdb) return null;
  const oldest = tsdb.minTime ?? 0;
  return (
    <Panel flush title="Metrics" aside={<Link to="/cardinality">What they cost</Link>}>
      <div className="stat-strip" data-testid="metrics-status">
        <Stat value={formatInteger(tsdb.numSeries)} label="series in memory" />
        <Stat value={names === undefined ? "–" : formatInteger(names)} label="metric names" />
        <Stat
          value={tsdb.numSeries > 0 && oldest > 0 ? formatAgo(oldest, Date.now()) : "–"}
          label="oldest sample in memory"
        />
        <Stat
          value={targets && targets.length > 0 ? `${up} of ${targets.length}` : "none"}
          label={<Link to="/targets">targets that answer</Link>}
          tone={targets && up < targets.length ? "error" : undefined}
        />
      </div>
    </Panel>
  );
}

function Tables({ status }: { status: StatusAnswer }) {
  const now = Date.now();
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label="Tables">
      <table className="list" data-testid="tables">
        <thead>
          <tr>
            <th scope="col">Table</th>
            {[
              "Rows",
              "Per second",
              "Received",
              "Files",
              "On disk",
              "Bytes a row",
              "In memory",
              "Columns",
              "Newest",
            ].map((head) => (
              <th key={head} scope="col" className="right">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {status.tables.map((table) => {
            const stored = table.rows - table.buffered_rows;
            return (
              <tr key={table.name}>
                <td>
                  <b>{table.name}</b>
                </td>
                <td className="right">{formatInteger(table.rows)}</td>
                <td className="right">{formatRate(table.rows_per_s)}</td>
                <td className="right">{formatInteger(table.rows_received)}</td>
                <td className="right">{formatInteger(table.files)}</td>
                <td className="right">{formatBytes(table.bytes)}</td>
                <td className="right">
                  {stored > 0 && table.bytes > 0 ? (table.bytes / stored).toFixed(1) : "–"}
                </td>
                <td className="right" title={formatBytes(table.buffered_bytes)}>
                  {formatInteger(table.buffered_rows)} rows
                </td>
                <td className="right">{table.columns}</td>
                <td className="right">{table.last_time ? formatAgo(timeMs(table.last_time), now) : "–"}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Endpoints({ status }: { status: StatusAnswer }) {
  const host = window.location.hostname;
  const rows = [
    ["Pages, API, OTLP over HTTP", reachable(status.endpoints.main, host)],
    ["OTLP over gRPC", reachable(status.endpoints.otlp_grpc, host)],
    ["OTLP over HTTP", reachable(status.endpoints.otlp_http, host)],
    ["Prometheus", reachable(status.endpoints.prometheus, host)],
  ] as const;
  return (
    <table className="attributes" aria-label="Endpoints">
      <tbody>
        {rows.map(([label, address]) => (
          <tr key={label}>
            <th scope="row" style={{ fontFamily: "var(--font)", width: "44%" }}>
              {label}
            </th>
            <td>
              {address ? (
                <div className="row spread">
                  <code>{address}</code>
                  <Copy text={address} label={`Copy ${label}`} />
                </div>
              ) : (
                <span className="dim">off</span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
