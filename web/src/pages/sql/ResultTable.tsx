import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";

import type { SqlAnswer } from "../../api/types";
import { cellText, isNumberType, isTimeType } from "../../lib/table";
import { formatDuration } from "../../lib/units";

const ROW_PX = 26;
const SAMPLED_ROWS = 100;
const [WIDTH_MIN, WIDTH_MAX] = [7, 64];

export function ResultTable({ answer }: { answer: SqlAnswer }) {
  const { columns, rows } = answer;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 14,
  });
  const template = useMemo(
    () => columns.map((column, at) => `calc(${widthOf(column, rows, at)}ch + 26px)`).join(" "),
    [columns, rows],
  );
  return (
    <div
      ref={scroller}
      className="result"
      role="table"
      aria-label="Result"
      aria-rowcount={rows.length + 1}
      tabIndex={0}
      data-testid="sql-result"
    >
      <div role="rowgroup" className="result-head">
        <div role="row" className="result-row" style={{ gridTemplateColumns: template }}>
          {columns.map((column, at) => (
            <span
              key={at}
              role="columnheader"
              className={isNumberType(column.type) ? "right" : ""}
              title={`${column.name}: ${column.type}`}
            >
              <b>{column.name}</b> <i>{shortType(column.type)}</i>
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <div
              key={item.key}
              role="row"
              aria-rowindex={item.index + 2}
              className="result-row body"
              style={{ gridTemplateColumns: template, transform: `translateY(${item.start}px)` }}
            >
              {columns.map((column, at) => (
                <Cell key={at} name={column.name} type={column.type} value={row[at]} />
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Cell({ name, type, value }: { name: string; type: string; value: unknown }) {
  if (value === null || value === undefined)
    return (
      <span role="cell" className="dim">
        null
      </span>
    );
  const text = cellText(value);
  if (/(^|\.)trace_id$/.test(name) && /^[0-9a-f]{32}$/.test(text))
    return (
      <span role="cell">
        <Link to="/traces/$traceId" params={{ traceId: text }}>
          {text}
        </Link>
      </span>
    );
  return (
    <span role="cell" className={isNumberType(type) ? "right" : ""} title={titleOf(name, value, text)}>
      {isTimeType(type) ? text.replace("T", " ").replace(/(\.\d{3})\d*Z?$/, "$1") : text}
    </span>
  );
}

/** A long text in full; nanoseconds as people read them. */
function titleOf(name: string, value: unknown, text: string): string | undefined {
  if (/_ns$/.test(name) && name !== "time_ns" && typeof value === "number") return formatDuration(value);
  return text.length > 20 ? text : undefined;
}

function widthOf(
  { name, type }: { name: string; type: string },
  rows: readonly unknown[][],
  at: number,
): number {
  let widest = name.length + 1 + shortType(type).length;
  for (const row of rows.slice(0, SAMPLED_ROWS)) widest = Math.max(widest, cellText(row[at]).length);
  return Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, widest));
}

function shortType(type: string): string {
  return type
    .replace(/^Utf8View$|^LargeUtf8$|^Utf8$/, "text")
    .replace(/^Timestamp.*/i, "time")
    .replace(/^Int64$/, "int")
    .replace(/^Float64$/, "double")
    .replace(/^Boolean$/, "bool")
    .toLowerCase();
}
