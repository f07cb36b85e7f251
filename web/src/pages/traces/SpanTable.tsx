import { useVirtualizer } from "@tanstack/react-virtual";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useMemo, useRef, useState } from "react";

import type { Span } from "../../api/types";
import { ServiceName } from "../../components/Service";
import { selfTime, type TraceNode } from "../../lib/trace";
import { formatDuration } from "../../lib/units";
import type { SpansProps } from "./Waterfall";

type Key = "service" | "name" | "start" | "duration" | "self";
type Line = { node: TraceNode<Span>; self: number };

const HEADS: readonly { key: Key | null; label: string }[] = [
  { key: "service", label: "Service" },
  { key: "name", label: "Operation" },
  { key: null, label: "Kind" },
  { key: null, label: "Status" },
  { key: "start", label: "Start" },
  { key: "duration", label: "Duration" },
  { key: "self", label: "Self" },
];

/** The spans as a flat table; with words to find, only those that match. */
export function SpanTable({ tree, selected, select, matches }: SpansProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [sort, setSort] = useState<{ key: Key; up: boolean }>({ key: "self", up: false });
  const lines = useMemo(() => {
    const nodes = matches ? matches.flatMap((index) => tree.nodes[index] ?? []) : tree.nodes;
    const out: Line[] = nodes.map((node) => ({ node, self: selfTime(tree, node.index) }));
    const order = compare(sort.key);
    return out.sort((a, b) => (sort.up ? order(a, b) : order(b, a)));
  }, [tree, matches, sort]);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 28,
    overscan: 12,
  });
  return (
    <div
      ref={scroller}
      className="span-table"
      role="table"
      aria-label="Spans"
      aria-rowcount={lines.length + 1}
      tabIndex={0}
      data-testid="span-table"
    >
      <div role="rowgroup" className="span-table-head">
        <div role="row" className="span-table-row">
          {HEADS.map((head) => (
            <span
              key={head.label}
              role="columnheader"
              aria-sort={head.key === sort.key ? (sort.up ? "ascending" : "descending") : undefined}
            >
              {head.key === null ? (
                head.label
              ) : (
                <button
                  type="button"
                  className="sort"
                  onClick={() =>
                    setSort({
                      key: head.key ?? "start",
                      up:
                        sort.key === head.key
                          ? !sort.up
                          : head.key === "service" || head.key === "name" || head.key === "start",
                    })
                  }
                >
                  {head.label}
                  {head.key === sort.key &&
                    (sort.up ? (
                      <IconArrowUp size={12} aria-hidden />
                    ) : (
                      <IconArrowDown size={12} aria-hidden />
                    ))}
                </button>
              )}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index];
          if (!line) return null;
          const { node } = line;
          return (
            <div
              key={node.index}
              role="row"
              aria-rowindex={item.index + 2}
              aria-selected={node.index === selected}
              className={`span-table-row body ${node.index === selected ? "selected" : ""}`}
              style={{ transform: `translateY(${item.start}px)` }}
              onClick={() => select(node.index)}
            >
              <span role="cell" className="ellipsis">
                <ServiceName service={node.span.service} />
              </span>
              <span role="cell" className="ellipsis">
                <button type="button" className="plain" onClick={() => select(node.index)}>
                  {node.span.name}
                </button>
              </span>
              <span role="cell" className="dim">
                {node.span.kind}
              </span>
              <span role="cell" className={node.span.status === "error" ? "error-text" : "dim"}>
                {node.span.status}
              </span>
              <span role="cell" className="num">
                {formatDuration(node.start)}
              </span>
              <span role="cell" className="num">
                {formatDuration(node.end - node.start)}
              </span>
              <span role="cell" className="num">
                {formatDuration(line.self)}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function compare(key: Key): (a: Line, b: Line) => number {
  switch (key) {
    case "service":
      return (a, b) => a.node.span.service.localeCompare(b.node.span.service);
    case "name":
      return (a, b) => a.node.span.name.localeCompare(b.node.span.name);
    case "start":
      return (a, b) => a.node.start - b.node.start;
    case "duration":
      return (a, b) => a.node.end - a.node.start - (b.node.end - b.node.start);
    case "self":
      return (a, b) => a.self - b.self;
  }
}
