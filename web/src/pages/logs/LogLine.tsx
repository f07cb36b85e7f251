/** A log line, closed or open. */

import { Link } from "@tanstack/react-router";
import { IconChevronDown, IconChevronRight, IconRoute } from "@tabler/icons-react";
import { memo } from "react";

import type { LogRow } from "../../api/types";
import { LevelTag } from "../../components/LevelTag";
import { serviceColor, useTheme } from "../../components/useTheme";
import { levelColor } from "../../lib/colors";
import { highlight } from "../../lib/highlight";
import { formatClockMs, formatDateTime, formatDay, timeMs } from "../../lib/time";
import { LogDetails, type LogFilter } from "./LogDetails";

export type LogLineProps = {
  row: LogRow;
  open: boolean;
  chosen: boolean;
  wrap: boolean;
  words: readonly string[];
  toggle: (id: string) => void;
  onFilter: LogFilter;
};

export const LogLine = memo(function LogLine({
  row,
  open,
  chosen,
  wrap,
  words,
  toggle,
  onFilter,
}: LogLineProps) {
  const theme = useTheme();
  const ms = timeMs(row.time);
  const today = formatDay(ms) === formatDay(Date.now());
  return (
    <div
      className={`log-line ${open ? "open" : ""} ${chosen ? "chosen" : ""}`}
      data-testid="log-line"
      data-id={row.id}
      style={{ "--level": levelColor(row.level, theme) } as React.CSSProperties}
    >
      <div
        className="log-head"
        onClick={(event) => {
          if (
            window.getSelection()?.isCollapsed !== false &&
            !(event.target as HTMLElement).closest("a,button")
          )
            toggle(row.id);
        }}
      >
        <button
          type="button"
          className="icon-button log-toggle"
          aria-expanded={open}
          aria-label={`${open ? "Close" : "Open"} line of ${formatClockMs(ms)}`}
          onClick={() => toggle(row.id)}
        >
          {open ? <IconChevronDown size={13} aria-hidden /> : <IconChevronRight size={13} aria-hidden />}
        </button>
        <span className="mono num dim nowrap" title={formatDateTime(ms)}>
          {today ? formatClockMs(ms) : formatDateTime(ms).slice(5)}
        </span>
        <LevelTag level={row.level} />
        <span className="log-service ellipsis" title={row.service ?? ""}>
          {row.service && (
            <>
              <span className="dot" aria-hidden style={{ background: serviceColor(row.service, theme) }} />{" "}
              {row.service}
            </>
          )}
        </span>
        <span className={`mono log-body ${wrap ? "wrap" : ""}`}>
          {highlight(bodyOf(row), words).map((piece, at) =>
            piece.found ? <mark key={at}>{piece.text}</mark> : piece.text,
          )}
        </span>
        {row.trace_id && (
          <Link
            to="/traces/$traceId"
            params={{ traceId: row.trace_id }}
            search={row.span_id ? { span: row.span_id } : {}}
            className="log-trace"
            aria-label={`Trace of line of ${formatClockMs(ms)}`}
            title="Open its trace"
          >
            <IconRoute size={14} aria-hidden />
          </Link>
        )}
      </div>
      {open && <LogDetails row={row} onFilter={onFilter} />}
    </div>
  );
});

/** A closed row shows this many characters; the rest would only cost time. */
const CLOSED_MAX = 1_000;

function bodyOf(row: LogRow): string {
  const text = row.body ?? row.event_name ?? "";
  return text.length > CLOSED_MAX ? `${text.slice(0, CLOSED_MAX)}…` : text;
}
