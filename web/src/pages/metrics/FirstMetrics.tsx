/** Before the first metric: the ways in, each to be pasted as it stands. */

import { useState } from "react";

import { useStatus } from "../../api/hooks";
import { CodeBlock } from "../../components/Copy";
import { Tabs } from "../../components/Tabs";
import { metricSnippets, reachable } from "../../lib/snippets";

export function FirstMetrics() {
  const status = useStatus();
  const [name, setName] = useState("Prometheus");
  const all = metricSnippets({
    http:
      reachable(status.data?.endpoints.otlp_http ?? null, window.location.hostname) ?? window.location.origin,
    main: window.location.origin,
    key: status.data?.auth_required ?? false,
  });
  const shown = all.find((snippet) => snippet.name === name) ?? all[0];
  return (
    <div className="first-metrics" data-testid="empty">
      <h2>No metrics yet</h2>
      <p className="dim">
        Let Prometheus or an agent write here, send OTLP, or name a <code>prometheus.yml</code> in the
        configuration and its targets are scraped. This page fills by itself.
      </p>
      <Tabs
        name="metric-snippet"
        label="How to send metrics"
        value={shown?.name ?? name}
        onChange={setName}
        tabs={all.map((snippet) => ({ value: snippet.name, label: snippet.name }))}
      />
      <div
        role="tabpanel"
        id="panel-metric-snippet"
        aria-labelledby={`tab-metric-snippet-${shown?.name ?? name}`}
      >
        {shown && (
          <>
            <p className="dim" style={{ margin: "8px 0" }}>
              {shown.about}
            </p>
            <CodeBlock code={shown.code} label={`${shown.name} snippet`} />
          </>
        )}
      </div>
    </div>
  );
}
