import { IconCircle, IconCircleCheckFilled } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";

import { useCatalogue } from "../../api/prometheus";
import type { Status } from "../../api/types";
import { Copy } from "../../components/Copy";
import { Panel } from "../../components/Panel";
import { Snippets } from "../../components/Snippets";
import { useEndpoints } from "../../components/useEndpoints";
import { snippets } from "../../lib/snippets";
import { plural } from "../../lib/units";

/** Home before the first data: where to send it, what to paste, and a list that ticks itself. */
export function FirstData({ status }: { status: Status }) {
  const endpoints = useEndpoints();
  const { http, grpc, main } = endpoints;
  const addresses = [
    { name: "OTLP over HTTP", address: http },
    ...(grpc ? [{ name: "OTLP over gRPC", address: grpc }] : []),
    { name: "OTLP over HTTP, this port", address: main },
    { name: "Prometheus remote write", address: `${main}/prometheus/api/v1/write` },
  ];
  return (
    <div className="page centered" style={{ maxWidth: 960 }} data-testid="first-data">
      <div style={{ padding: "20px 0 8px" }}>
        <h1 style={{ fontSize: 22 }}>Ready, and waiting for the first data</h1>
        <p className="dim" style={{ fontSize: 14, marginTop: 4 }}>
          Point any OpenTelemetry SDK or Collector at this server. This page turns into your services by
          itself.
        </p>
      </div>
      <div className="grid uneven">
        <Panel title="Send to">
          <table className="attributes" aria-label="Addresses">
            <tbody>
              {addresses.map(({ name: label, address }) => (
                <tr key={label}>
                  <th scope="row" style={{ fontFamily: "var(--font)" }}>
                    {label}
                  </th>
                  <td>
                    <div className="row spread">
                      <code data-testid="endpoint">{address}</code>
                      <Copy text={address} label={`Copy ${label}`} />
                    </div>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Panel>
        <Panel title="So far">
          <Checklist status={status} />
        </Panel>
      </div>
      <Panel>
        <Snippets name="snippet" label="How to send" all={snippets(endpoints)} />
      </Panel>
      <p className="dim">
        Metrics have <Link to="/metrics">their own ways in</Link>: Prometheus's remote write, scraping, OTLP.
        No service at hand? <code>trefoil demo</code> starts five with traffic.
      </p>
    </div>
  );
}

function Checklist({ status }: { status: Status }) {
  const metrics = useCatalogue().data?.names.length ?? 0;
  const rows = (name: string) => status.tables.find((table) => table.name === name)?.rows ?? 0;
  const steps = [
    { label: "The server runs", done: true, detail: status.version },
    {
      label: "First trace",
      done: rows("spans") > 0,
      detail: rows("spans") > 0 ? plural(rows("spans"), "span") : "waiting",
    },
    {
      label: "First log line",
      done: rows("logs") > 0,
      detail: rows("logs") > 0 ? plural(rows("logs"), "line") : "waiting",
    },
    {
      label: "First metric",
      done: metrics > 0,
      detail: metrics > 0 ? plural(metrics, "name") : "waiting",
    },
  ];
  return (
    <ul style={{ listStyle: "none", margin: 0, padding: 0, display: "grid", gap: 8 }} aria-live="polite">
      {steps.map((step) => (
        <li key={step.label} className="row" data-done={step.done}>
          {step.done ? (
            <IconCircleCheckFilled size={18} className="ok-text" aria-label="done" />
          ) : (
            <IconCircle size={18} className="dim" aria-label="not yet" />
          )}
          <span className="grow">{step.label}</span>
          <span className="dim num">{step.detail}</span>
        </li>
      ))}
    </ul>
  );
}
