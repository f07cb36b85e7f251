import { IconCircle, IconCircleCheckFilled } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { useCatalogue } from "../../api/prometheus";
import type { Status } from "../../api/types";
import { CodeBlock, Copy } from "../../components/Copy";
import { Panel } from "../../components/Panel";
import { Tabs } from "../../components/Tabs";
import { reachable, snippets } from "../../lib/snippets";
import { formatInteger } from "../../lib/units";

/** Home before the first data: where to send it, what to paste, and a list that ticks itself. */
export function FirstData({ status }: { status: Status }) {
  const [name, setName] = useState("curl");
  const host = window.location.hostname;
  const http = reachable(status.endpoints.otlp_http, host) ?? window.location.origin;
  const grpc = reachable(status.endpoints.otlp_grpc, host);
  const all = snippets({ http, grpc, key: status.auth_required });
  const shown = all.find((snippet) => snippet.name === name) ?? all[0];
  const addresses = [
    { name: "OTLP over HTTP", address: http },
    ...(grpc ? [{ name: "OTLP over gRPC", address: grpc }] : []),
    { name: "OTLP over HTTP, this port", address: window.location.origin },
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
      <div className="grid two">
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
      <Panel flush>
        <div style={{ padding: "4px 12px 0" }}>
          <Tabs
            name="snippet"
            label="How to send"
            value={name}
            onChange={setName}
            tabs={all.map((snippet) => ({ value: snippet.name, label: snippet.name }))}
          />
        </div>
        <div
          className="panel-body"
          role="tabpanel"
          id="panel-snippet"
          aria-labelledby={`tab-snippet-${name}`}
        >
          {shown && (
            <>
              <p className="dim" style={{ margin: "4px 0 10px" }}>
                {shown.about}
              </p>
              <CodeBlock code={shown.code} label={`${shown.name} snippet`} />
            </>
          )}
        </div>
      </Panel>
      <p className="dim">
        Metrics have <Link to="/metrics">their own ways in</Link>: Prometheus's remote write, scraping, OTLP.
        No service at hand? <code>trefoil demo</code> starts two with traffic.
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
      detail: rows("spans") > 0 ? `${formatInteger(rows("spans"))} spans` : "waiting",
    },
    {
      label: "First log line",
      done: rows("logs") > 0,
      detail: rows("logs") > 0 ? `${formatInteger(rows("logs"))} lines` : "waiting",
    },
    {
      label: "First metric",
      done: metrics > 0,
      detail: metrics > 0 ? `${formatInteger(metrics)} names` : "waiting",
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
