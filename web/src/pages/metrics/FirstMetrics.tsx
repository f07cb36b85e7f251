/** Before the first metric: the ways in, each to be pasted as it stands. */

import { Snippets } from "../../components/Snippets";
import { useEndpoints } from "../../components/useEndpoints";
import { metricSnippets } from "../../lib/snippets";

export function FirstMetrics() {
  const endpoints = useEndpoints();
  return (
    <div className="first-metrics" data-testid="empty">
      <h2>No metrics yet</h2>
      <p className="dim">
        Let Prometheus or an agent write here, send OTLP, or name a <code>prometheus.yml</code> in the
        configuration and its targets are scraped. This page fills by itself.
      </p>
      <Snippets name="metric-snippet" label="How to send metrics" all={metricSnippets(endpoints)} />
    </div>
  );
}
