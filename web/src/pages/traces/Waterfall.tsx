/** The spans as a tree on a time axis. Only the rows in sight are in the page, so 10,000 scroll smoothly. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";

import type { Span } from "../../api/types";
import { serviceColor, useTheme } from "../../components/useTheme";
import { ancestors, ticks, visibleRows, type Section, type TraceNode, type TraceTree } from "../../lib/trace";
import { formatDuration, plural } from "../../lib/units";
import { Minimap } from "./Minimap";
import type { View } from "./zoom";

const ROW_PX = 24;
/** So many rows out of sight are a step, or a few before the page was drawn again. */
const NEAR_ROWS = 24;
/** Until it is dragged: beside the details, half of what is left when that is little. */
const NAMES_WIDTH = "max(40%, min(390px, 50%))";

/** Names need room: below some depth, a level moves them by less, and at last by nothing. */
const INDENTS: readonly { levels: number; px: number }[] = [
  { levels: 8, px: 13 },
  { levels: 16, px: 4 },
];

function indent(depth: number): number {
  let left = depth;
  let px = 6;
  for (const step of INDENTS) {
    px += Math.min(left, step.levels) * step.px;
    left = Math.max(0, left - step.levels);
  }
  return px;
}

export type SpansProps = {
  tree: TraceTree<Span>;
  selected: number | null;
  select: (index: number | null) => void;
  matches: readonly number[] | null;
  logsOfSpan: ReadonlyMap<string, number>;
  openLogs: () => void;
};

export function Waterfall({
  tree,
  selected,
  select,
  matches,
  logsOfSpan,
  openLogs,
  critical,
  close,
  zoomed,
  setZoomed,
}: SpansProps & {
  critical: ReadonlyMap<number, Section[]>;
  close: () => void;
  /** The part of the trace that is looked at; null for the whole. */
  zoomed: View | null;
  setZoomed: (view: View | null) => void;
}) {
  const theme = useTheme();
  const scroller = useRef<HTMLDivElement>(null);
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set());
  const [nameWidth, setNameWidth] = useState<number | null>(null);
  const whole = useMemo(() => ({ start: tree.start, end: Math.max(tree.end, tree.start + 1) }), [tree]);
  const view = zoomed ?? whole;
  const rows = useMemo(() => visibleRows(tree, collapsed), [tree, collapsed]);
  const rowOf = useMemo(() => new Map(rows.map((index, row) => [index, row])), [rows]);
  const matched = useMemo(() => (matches ? new Set(matches) : null), [matches]);
  const color = useCallback((node: TraceNode<Span>) => serviceColor(node.span.service, theme), [theme]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 16,
  });
  const toggle = useCallback(
    (index: number) =>
      setCollapsed((was) => {
        const next = new Set(was);
        if (!next.delete(index)) next.add(index);
        return next;
      }),
    [],
  );

  // The keys work as soon as the trace is there.
  useEffect(() => {
    const quietly: FocusOptions & { focusVisible: boolean } = { preventScroll: true, focusVisible: false };
    if (document.activeElement === document.body) scroller.current?.focus(quietly);
  }, []);

  // Spans that came late have other indexes.
  const count = tree.nodes.length;
  useEffect(() => setCollapsed(new Set()), [count]);

  // What is selected is in sight: its ancestors open, its row scrolled to.
  useEffect(() => {
    if (selected === null) return;
    setCollapsed((was) => {
      const hidden = ancestors(tree, selected).filter((index) => was.has(index));
      if (hidden.length === 0) return was;
      const next = new Set(was);
      for (const index of hidden) next.delete(index);
      return next;
    });
  }, [selected, tree]);
  const selectedRow = selected === null ? undefined : rowOf.get(selected);
  useEffect(() => {
    if (selectedRow === undefined) return;
    // Steps move the rows by as much; what was far out of sight comes with what is around it.
    const seen = virtual.range;
    const near =
      seen && selectedRow >= seen.startIndex - NEAR_ROWS && selectedRow <= seen.endIndex + NEAR_ROWS;
    virtual.scrollToIndex(selectedRow, { align: near ? "auto" : "center" });
  }, [selectedRow, virtual]);

  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = selectedRow ?? -1;
    const node = selected === null ? undefined : tree.nodes[selected];
    const actions: Record<string, () => void> = {
      ArrowDown: () => select(rows[Math.min(rows.length - 1, row + 1)] ?? null),
      ArrowUp: () => select(rows[Math.max(0, row - 1)] ?? null),
      PageDown: () => select(rows[Math.min(rows.length - 1, row + 20)] ?? null),
      PageUp: () => select(rows[Math.max(0, row - 20)] ?? null),
      Home: () => select(rows[0] ?? null),
      End: () => select(rows[rows.length - 1] ?? null),
      ArrowRight: () => {
        if (node && collapsed.has(node.index)) toggle(node.index);
        else if (node?.children[0] !== undefined) select(node.children[0]);
      },
      ArrowLeft: () => {
        if (node && node.children.length > 0 && !collapsed.has(node.index)) toggle(node.index);
        else if (node && node.parent >= 0) select(node.parent);
      },
      Enter: () => {
        if (selected === null) select(rows[0] ?? null);
      },
      "[": () =>
        setCollapsed(new Set(tree.nodes.filter((one) => one.children.length > 0).map((one) => one.index))),
      "]": () => setCollapsed(new Set()),
      n: () => jump(matches, 1),
      p: () => jump(matches, -1),
      e: () =>
        jump(
          rows.filter((index) => tree.nodes[index]?.span.status === "error"),
          1,
          true,
        ),
      l: openLogs,
      z: () => {
        if (node) setZoomed(around(node, whole));
      },
      0: () => setZoomed(null),
      Escape: () => {
        if (zoomed) setZoomed(null);
        else close();
      },
    };
    actions["j"] = actions["ArrowDown"] ?? (() => undefined);
    actions["k"] = actions["ArrowUp"] ?? (() => undefined);
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };
  const jump = (list: readonly number[] | null, by: number, inRows = false) => {
    if (!list || list.length === 0) return;
    const position = (index: number) => (inRows ? (rowOf.get(index) ?? -1) : (rowOf.get(index) ?? index));
    const ordered = [...list].sort((a, b) => position(a) - position(b));
    const here = selected === null ? -1 : position(selected);
    const next =
      by > 0
        ? (ordered.find((index) => position(index) > here) ?? ordered[0])
        : ([...ordered].reverse().find((index) => position(index) < here) ?? ordered[ordered.length - 1]);
    select(next ?? null);
  };

  return (
    <div
      className="waterfall"
      style={{ "--name-width": nameWidth === null ? NAMES_WIDTH : `${nameWidth}%` } as React.CSSProperties}
    >
      <Minimap tree={tree} view={view} whole={whole} onView={setZoomed} color={color} />
      <Axis view={view} zoomed={zoomed !== null} reset={() => setZoomed(null)} setNameWidth={setNameWidth} />
      <div
        ref={scroller}
        className="waterfall-rows"
        role="tree"
        tabIndex={0}
        aria-label={`Waterfall of ${tree.nodes.length} spans`}
        aria-activedescendant={
          selected !== null && selectedRow !== undefined ? `span-${selected}` : undefined
        }
        onKeyDown={onKeyDown}
        data-testid="waterfall"
      >
        <div style={{ height: virtual.getTotalSize(), position: "relative" }} role="presentation">
          {virtual.getVirtualItems().map((item) => {
            const node = tree.nodes[rows[item.index] ?? -1];
            if (!node) return null;
            return (
              <Row
                key={node.index}
                node={node}
                top={item.start}
                start={view.start}
                end={view.end}
                color={color(node)}
                selected={node.index === selected}
                collapsed={collapsed.has(node.index)}
                parentService={tree.nodes[node.parent]?.span.service ?? null}
                found={matched === null ? null : matched.has(node.index)}
                sections={critical.get(node.index) ?? null}
                logs={logsOfSpan.get(node.span.span_id) ?? 0}
                select={select}
                toggle={toggle}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function around(node: TraceNode, whole: View): View {
  const margin = Math.max(1, (node.end - node.start) * 0.1);
  return { start: Math.max(whole.start, node.start - margin), end: Math.min(whole.end, node.end + margin) };
}

function Axis({
  view,
  zoomed,
  reset,
  setNameWidth,
}: {
  view: View;
  zoomed: boolean;
  reset: () => void;
  setNameWidth: (percent: number) => void;
}) {
  const drag = (event: React.PointerEvent<HTMLElement>) => {
    const area = event.currentTarget.parentElement?.getBoundingClientRect();
    if (!area || event.buttons !== 1) return;
    setNameWidth(Math.min(70, Math.max(15, ((event.clientX - area.left) / area.width) * 100)));
  };
  return (
    <div className="waterfall-axis num">
      <span className="dim row spread" style={{ padding: "0 10px" }}>
        Service and operation
        {zoomed && (
          <button type="button" className="chip" style={{ height: 20 }} onClick={reset}>
            Whole trace
          </button>
        )}
      </span>
      <span
        className="waterfall-split"
        aria-hidden
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
      />
      <span className="ticks">
        {ticks(view.start, view.end, 6).map((at) => {
          const share = (at - view.start) / (view.end - view.start);
          return share > 0.94 ? null : (
            <span key={at} style={{ left: `${share * 100}%` }}>
              {formatDuration(at)}
            </span>
          );
        })}
      </span>
    </div>
  );
}

type RowProps = {
  node: TraceNode<Span>;
  top: number;
  start: number;
  end: number;
  color: string;
  selected: boolean;
  collapsed: boolean;
  parentService: string | null;
  /** Null when nothing is searched for. */
  found: boolean | null;
  sections: Section[] | null;
  logs: number;
  select: (index: number) => void;
  toggle: (index: number) => void;
};

/** Behind the bar where there is room, else before it, else inside. */
function labelPlace(left: number, width: number): { inside: boolean; style: React.CSSProperties } {
  if (left + width <= 84)
    return { inside: false, style: { left: `calc(${Math.max(0, left + width)}% + 6px)` } };
  if (left >= 14) return { inside: false, style: { right: `calc(${100 - left}% + 6px)` } };
  return { inside: true, style: { right: `max(6px, calc(${100 - left - width}% + 6px))` } };
}

const Row = memo(function Row({
  node,
  top,
  start,
  end,
  color,
  selected,
  collapsed,
  parentService,
  found,
  sections,
  logs,
  select,
  toggle,
}: RowProps) {
  const { span } = node;
  const scale = 100 / (end - start);
  const left = (node.start - start) * scale;
  const width = (node.end - node.start) * scale;
  const failed = span.status === "error";
  const hiddenError = collapsed && !failed && node.errorsBelow > 0;
  const label = labelPlace(left, width);
  return (
    <div
      id={`span-${node.index}`}
      role="treeitem"
      aria-level={node.depth + 1}
      aria-expanded={node.children.length > 0 ? !collapsed : undefined}
      aria-selected={selected}
      className={`span-row ${selected ? "selected" : ""} ${found === false ? "faded" : ""}`}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => select(node.index)}
      data-testid="span-row"
      data-span={span.span_id}
    >
      <div
        className="span-name"
        style={{ paddingLeft: indent(node.depth) }}
        title={`${span.service} ${span.name}`}
      >
        <span
          className="span-toggle"
          aria-hidden
          onClick={
            node.children.length > 0
              ? (event) => {
                  event.stopPropagation();
                  toggle(node.index);
                }
              : undefined
          }
        >
          {node.children.length > 0 ? (collapsed ? "▸" : "▾") : ""}
        </span>
        <span className="span-color" style={{ background: color }} />
        {span.service !== parentService && (
          <b className="ellipsis" style={{ color }}>
            {span.service}
          </b>
        )}
        <span className={`span-title ellipsis ${failed ? "error-text" : ""}`}>
          {found ? <mark>{span.name}</mark> : span.name}
        </span>
        {collapsed && <span className="tag num">{node.descendants}</span>}
        {node.orphan && (
          <span
            className="tag warn"
            title="Its parent is not in this trace: not sent yet, lost or sampled away"
          >
            no parent
          </span>
        )}
        {failed && (
          <span className="span-mark error-text" title={span.status_message ?? "error"}>
            <span aria-hidden>●</span>
            <span className="visually-hidden">error</span>
          </span>
        )}
        {hiddenError && (
          <span className="span-mark error-text" title="An error below">
            <span aria-hidden>○</span>
            <span className="visually-hidden">an error below</span>
          </span>
        )}
        {logs > 0 && (
          <span className="dim num" style={{ fontSize: 11 }} title={plural(logs, "log line")}>
            ≡{logs}
          </span>
        )}
      </div>
      <div className="span-time">
        <div
          className={`span-bar ${failed ? "failed" : ""}`}
          style={{ left: `min(${left}%, 100% - 2px)`, width: `max(2px, ${width}%)`, background: color }}
        />
        {sections?.map((section) => (
          <div
            key={section.start}
            className="span-critical"
            style={{
              left: `${(section.start - start) * scale}%`,
              width: `max(2px, ${(section.end - section.start) * scale}%)`,
            }}
          />
        ))}
        {span.events.length > 0 &&
          span.events
            .slice(0, 20)
            .map((event, at) => (
              <div
                key={at}
                className={`span-event ${event.name === "exception" ? "failed" : ""}`}
                style={{ left: `${(event.offset_ns + node.shiftNs - start) * scale}%` }}
                title={event.name}
              />
            ))}
        <span className={`span-duration num ${label.inside ? "inside" : ""}`} style={label.style}>
          {formatDuration(node.end - node.start)}
        </span>
      </div>
    </div>
  );
});
