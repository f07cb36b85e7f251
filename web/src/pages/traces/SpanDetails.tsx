import { Link } from "@tanstack/react-router";
import { IconAlertTriangle, IconListDetails } from "@tabler/icons-react";

import type { Span, SpanEvent, Trace } from "../../api/types";
import { AttributeGroup, Attributes } from "../../components/Attributes";
import { CodeBlock } from "../../components/Copy";
import { ServiceName } from "../../components/Service";
import { formatDateTime, unixNsToMs } from "../../lib/time";
import { selfTime, type Section, type TraceNode, type TraceTree } from "../../lib/trace";
import { formatDuration, formatPercent, plural } from "../../lib/units";

/** Attributes of a kind stand together; the first words that name a kind. */
const GROUPS: readonly { title: string; prefixes: readonly string[] }[] = [
  { title: "HTTP", prefixes: ["http", "url", "client", "server", "user_agent", "network", "net"] },
  { title: "RPC and messages", prefixes: ["rpc", "messaging", "grpc"] },
  { title: "Database", prefixes: ["db", "redis"] },
  { title: "Model", prefixes: ["model", "ml", "gen_ai", "fraud", "feature", "features"] },
  { title: "Code", prefixes: ["code", "thread", "busy_ns", "idle_ns"] },
];

type Props = {
  tree: TraceTree<Span>;
  node: TraceNode<Span>;
  trace: Trace;
  logs: number;
  critical: ReadonlyMap<number, Section[]>;
  select: (index: number) => void;
  openLogs: () => void;
};

export function SpanDetails({ tree, node, trace, logs, critical, select, openLogs }: Props) {
  const { span } = node;
  const onPath = (critical.get(node.index) ?? []).reduce(
    (sum, section) => sum + section.end - section.start,
    0,
  );
  const length = tree.end - tree.start;
  const parent = tree.nodes[node.parent];
  const exceptions = span.events.filter((event) => event.name === "exception");
  const said = (event: SpanEvent) => event.attributes["exception.message"];
  const repeated = exceptions.some((event) => said(event) === span.status_message);
  const others = span.events.filter((event) => event.name !== "exception");
  return (
    <div className="span-details" data-testid="span-details">
      <h2 style={{ fontSize: 14, overflowWrap: "anywhere" }}>{span.name}</h2>
      <div className="row wrap" style={{ gap: "2px 14px" }}>
        <Link to="/services/$service" params={{ service: span.service }} className="quiet">
          <ServiceName service={span.service} />
        </Link>
        <span className="dim">{span.kind}</span>
        <span className={`tag ${span.status === "error" ? "error" : span.status === "ok" ? "ok" : ""}`}>
          {span.status}
        </span>
      </div>
      <dl className="facts num">
        <div>
          <dt>Duration</dt>
          <dd>{formatDuration(node.end - node.start)}</dd>
        </div>
        <div>
          <dt>Self</dt>
          <dd>{formatDuration(selfTime(tree, node.index))}</dd>
        </div>
        <div>
          <dt>Starts at</dt>
          <dd>{formatDuration(node.start - tree.start)}</dd>
        </div>
        <div>
          <dt>Critical path</dt>
          <dd>{onPath > 0 ? formatPercent(onPath / length) : "not on it"}</dd>
        </div>
      </dl>
      <div className="row wrap">
        <button type="button" className="chip" data-testid="span-logs" onClick={openLogs}>
          <IconListDetails size={14} aria-hidden />
          {plural(logs, "log line")}
        </button>
        {parent && (
          <button type="button" className="chip" onClick={() => select(parent.index)}>
            Parent
          </button>
        )}
        <Link className="chip" to="/traces" search={{ service: span.service, operation: span.name }}>
          Same operation
        </Link>
      </div>
      {span.status === "error" && span.status_message && !repeated && (
        <div className="banner error">
          <IconAlertTriangle size={16} aria-hidden className="error-text" />
          <span style={{ overflowWrap: "anywhere" }}>{span.status_message}</span>
        </div>
      )}
      {node.shiftNs !== 0 && (
        <div className="banner warn">
          Moved by {formatDuration(node.shiftNs)}: its clock differs from its parent's.
        </div>
      )}
      {exceptions.map((event, at) => (
        <Exception key={at} event={event} />
      ))}
      <AttributeSections span={span} />
      {others.length > 0 && (
        <AttributeGroup title="Events" count={others.length}>
          {others.map((event, at) => (
            <div key={at} style={{ padding: "2px 6px 6px" }}>
              <div className="row spread">
                <b style={{ fontWeight: 500 }}>{event.name}</b>
                <span className="dim num">{formatDuration(event.offset_ns - span.offset_ns)} in</span>
              </div>
              <Attributes
                label={`Attributes of event ${event.name}`}
                entries={Object.entries(event.attributes)}
              />
            </div>
          ))}
        </AttributeGroup>
      )}
      {span.links.length > 0 && (
        <AttributeGroup title="Links" count={span.links.length}>
          {span.links.map((link, at) => (
            <div key={at} style={{ padding: "2px 6px 6px" }}>
              <Link
                to="/traces/$traceId"
                params={{ traceId: link.trace_id }}
                search={{ span: link.span_id }}
                className="mono"
              >
                {link.trace_id === trace.trace_id ? "this trace" : link.trace_id} · {link.span_id}
              </Link>
              <Attributes label="Attributes of the link" entries={Object.entries(link.attributes)} />
            </div>
          ))}
        </AttributeGroup>
      )}
      <AttributeGroup title="Resource" count={Object.keys(span.resource).length} open={false}>
        <Attributes label="Resource" entries={Object.entries(span.resource)} searchTraces />
      </AttributeGroup>
      <AttributeGroup title="Ids and origin" open={false}>
        <Attributes label="Ids" entries={ids(span, trace)} />
      </AttributeGroup>
    </div>
  );
}

function AttributeSections({ span }: { span: Span }) {
  const entries = Object.entries(span.attributes).sort(([a], [b]) => a.localeCompare(b));
  if (entries.length === 0)
    return (
      <p className="dim" style={{ padding: 6 }}>
        It has no attributes.
      </p>
    );
  const group = (key: string) =>
    GROUPS.find(({ prefixes }) => prefixes.includes(key.split(/[._]/)[0] ?? "") || prefixes.includes(key))
      ?.title ?? "Attributes";
  const titles = ["Attributes", ...GROUPS.map(({ title }) => title)].filter((title) =>
    entries.some(([key]) => group(key) === title),
  );
  return titles.map((title) => {
    const own = entries.filter(([key]) => group(key) === title);
    return (
      <AttributeGroup key={title} title={title} count={own.length}>
        <Attributes label={title} entries={own} searchTraces />
      </AttributeGroup>
    );
  });
}

function Exception({ event }: { event: SpanEvent }) {
  const text = (key: string) => (typeof event.attributes[key] === "string" ? event.attributes[key] : null);
  const stack = text("exception.stacktrace");
  return (
    <section className="exception" aria-label="Exception">
      <div>
        <b className="error-text">{text("exception.type") ?? "Exception"}</b>
        {text("exception.message") && (
          <div style={{ overflowWrap: "anywhere" }}>{text("exception.message")}</div>
        )}
      </div>
      {stack && <CodeBlock code={stack} label="stack trace" />}
    </section>
  );
}

function ids(span: Span, trace: Trace): [string, unknown][] {
  const startMs = unixNsToMs(trace.start_unix_ns, span.offset_ns);
  const all: [string, unknown][] = [
    ["span_id", span.span_id],
    ["parent_span_id", span.parent_span_id],
    ["trace_id", trace.trace_id],
    ["start", formatDateTime(startMs)],
    ["request_id", span.request_id],
    ["user_id", span.user_id],
    ["model_version", span.model_version],
    ["scope", [span.scope.name, span.scope.version].filter(Boolean).join(" ") || null],
    ...Object.entries(span.scope.attributes ?? {}).map(([key, value]): [string, unknown] => [
      `scope ${key}`,
      value,
    ]),
    ["trace_state", span.trace_state],
    ["flags", span.flags],
    ["dropped attributes", span.dropped.attributes || null],
    ["dropped events", span.dropped.events || null],
    ["dropped links", span.dropped.links || null],
  ];
  return all.filter(([, value]) => value !== null && value !== undefined && value !== "");
}
