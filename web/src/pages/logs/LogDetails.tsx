import { Link } from "@tanstack/react-router";
import { IconArrowsVertical, IconLink, IconRoute } from "@tabler/icons-react";
import { useState } from "react";

import { useLogContext } from "../../api/hooks";
import type { LogRow } from "../../api/types";
import { serverId } from "../../api/wire";
import { AttributeGroup, Attributes } from "../../components/Attributes";
import { Copy, copyText } from "../../components/Copy";
import { LevelTag } from "../../components/LevelTag";
import { Failed, Skeleton } from "../../components/States";
import { parseJsonBody } from "../../lib/highlight";
import { formatClockMs, formatDateTime, timeMs } from "../../lib/time";
import { stringifySearch } from "../../lib/url";

export type LogFilter = (key: string, value: unknown, exclude: boolean) => void;

export function LogDetails({ row, onFilter }: { row: LogRow; onFilter: LogFilter }) {
  const [context, setContext] = useState(false);
  const [linked, setLinked] = useState(false);
  const json = row.body === null ? undefined : parseJsonBody(row.body);
  return (
    <div className="log-details" data-testid="log-details">
      <div className="row wrap">
        {row.trace_id && (
          <Link
            className="chip"
            to="/traces/$traceId"
            params={{ traceId: row.trace_id }}
            search={row.span_id ? { span: row.span_id } : {}}
            data-testid="open-trace"
          >
            <IconRoute size={14} aria-hidden />
            {row.span_id ? "Its span in the trace" : "Its trace"}
          </Link>
        )}
        <button type="button" className="chip" aria-pressed={context} onClick={() => setContext(!context)}>
          <IconArrowsVertical size={14} aria-hidden />
          Lines around it
        </button>
        <button
          type="button"
          className="chip"
          onClick={() => void copyText(window.location.origin + permalink(row)).then(() => setLinked(true))}
        >
          <IconLink size={14} aria-hidden />
          {linked ? "Link copied" : "Copy link to this line"}
        </button>
        <span className="row tight dim">
          Line as JSON
          <Copy text={JSON.stringify(row, null, 2)} label="Copy line as JSON" />
        </span>
      </div>
      {context && <Context row={row} />}
      <div className="log-full mono">
        <div className="actions">
          <Copy text={row.body ?? ""} label="Copy body" />
        </div>
        {json === undefined ? row.body : JSON.stringify(json, null, 2)}
      </div>
      <div className="log-columns">
        <div>
          <AttributeGroup title="Attributes" count={Object.keys(row.attributes).length}>
            <Attributes label="Attributes" entries={Object.entries(row.attributes)} onFilter={onFilter} />
          </AttributeGroup>
        </div>
        <div>
          <AttributeGroup title="Line">
            <Attributes label="Line" entries={fixed(row)} onFilter={onFilter} />
          </AttributeGroup>
          <AttributeGroup title="Resource" count={Object.keys(row.resource).length} open={false}>
            <Attributes label="Resource" entries={Object.entries(row.resource)} onFilter={onFilter} />
          </AttributeGroup>
        </div>
      </div>
    </div>
  );
}

function fixed(row: LogRow): [string, unknown][] {
  const all: [string, unknown][] = [
    ["service", row.service],
    ["level", row.level],
    ["severity_text", row.severity_text],
    ["environment", row.environment],
    ["release", row.release],
    ["trace_id", row.trace_id],
    ["span_id", row.span_id],
    ["request_id", row.request_id],
    ["event_name", row.event_name],
    ["scope_name", row.scope?.name],
  ];
  return [
    ["time", formatDateTime(timeMs(row.time))],
    ...all.filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ];
}

function Context({ row }: { row: LogRow }) {
  const context = useLogContext(row.service, row.time_unix_ns, true);
  if (context.isPending) return <Skeleton rows={4} height={16} />;
  if (!context.data)
    return (
      <Failed
        what="The lines around it cannot be read"
        error={context.error}
        retry={() => void context.refetch()}
      />
    );
  const lines = [...context.data.before, ...context.data.after];
  return (
    <div className="log-context" role="region" aria-label="Lines around it" data-testid="log-context">
      {lines.map((line, at) => (
        <div key={at} className={`row ${line.id === serverId(row.id) ? "here" : ""}`}>
          <span className="mono num dim nowrap">{formatClockMs(timeMs(line.time))}</span>
          <LevelTag level={line.level} />
          <span className="mono ellipsis grow" title={line.body ?? ""}>
            {line.body}
          </span>
        </div>
      ))}
    </div>
  );
}

/** Time enough before the line to see what led to it; it stands first, being the newest. */
const PERMALINK_BEFORE_MS = 900_000;

export function permalink(row: LogRow): string {
  const ms = timeMs(row.time);
  return `/logs${stringifySearch({ service: row.service, line: `${row.time_unix_ns}.${serverId(row.id)}`, from: Math.floor(ms - PERMALINK_BEFORE_MS), to: Math.floor(ms) + 1 })}`;
}

export function isLine(row: LogRow, line: string): boolean {
  const dot = line.indexOf(".");
  return serverId(row.id) === line.slice(dot + 1) || (dot > 0 && row.time_unix_ns === line.slice(0, dot));
}
