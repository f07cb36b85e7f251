/** Lines, newest or oldest first; only those in sight are in the page. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";

import type { LogRow } from "../../api/types";
import { LogLine } from "./LogLine";
import type { LogFilter } from "./LogDetails";

const ROW_PX = 25;

export type LogListProps = {
  length: number;
  rowAt: (index: number) => LogRow | undefined;
  wrap: boolean;
  words: readonly string[];
  onFilter: LogFilter;
  /** Open and in sight at first. */
  initial: string | null;
  /** Follows the last line while it grows. */
  follow: boolean;
  onScrollUp?: () => void;
  onEnd?: () => void;
  /** A line is open, or the list is scrolled: it should not move by itself. */
  onReading?: (reading: boolean) => void;
  footer?: ReactNode;
  label: string;
};

export function LogList({
  length,
  rowAt,
  wrap,
  words,
  onFilter,
  initial,
  follow,
  onScrollUp,
  onEnd,
  onReading,
  footer,
  label,
}: LogListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [opened, setOpened] = useState<ReadonlySet<string>>(() => new Set(initial === null ? [] : [initial]));
  const [chosen, setChosen] = useState(-1);
  const [scrolled, setScrolled] = useState(false);
  const lastTop = useRef(0);
  // The same function while the rows are the same: a new one makes every row be measured again.
  const getItemKey = useCallback((index: number) => rowAt(index)?.id ?? index, [rowAt]);
  const virtual = useVirtualizer({
    count: length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 14,
    getItemKey,
  });
  const items = virtual.getVirtualItems();
  const last = items[items.length - 1]?.index ?? -1;

  useEffect(() => {
    if (last >= length - 20 && length > 0) onEnd?.();
  }, [last, length, onEnd]);
  useEffect(() => {
    if (follow && length > 0) virtual.scrollToIndex(length - 1, { align: "end" });
  }, [follow, length, virtual]);
  useEffect(() => {
    if (initial !== null) setOpened(new Set([initial]));
  }, [initial]);
  useEffect(() => onReading?.(opened.size > 0 || scrolled), [opened, scrolled, onReading]);

  const toggle = useCallback(
    (id: string) =>
      setOpened((was) => {
        const next = new Set(was);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    [],
  );
  const move = (to: number) => {
    const next = Math.max(0, Math.min(length - 1, to));
    setChosen(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  return (
    <div
      ref={scroller}
      className="log-list"
      tabIndex={0}
      role="region"
      aria-label={label}
      data-testid="log-list"
      onScroll={(event) => {
        const top = event.currentTarget.scrollTop;
        // Following only ever goes down: up was the reader, by wheel, bar, key or finger.
        if (follow && top < lastTop.current - 2) onScrollUp?.();
        lastTop.current = top;
        setScrolled(!follow && top > ROW_PX);
      }}
      onWheel={(event) => {
        if (event.deltaY < 0) onScrollUp?.();
      }}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey) return;
        if (event.key === "j" || event.key === "ArrowDown") {
          event.preventDefault();
          move(chosen + 1);
        }
        if (event.key === "k" || event.key === "ArrowUp") {
          event.preventDefault();
          onScrollUp?.();
          move(chosen - 1);
        }
        if (event.key === "PageUp" || event.key === "Home") onScrollUp?.();
        const row = rowAt(chosen);
        if (event.key === "Enter" && row) toggle(row.id);
      }}
    >
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {items.map((item) => {
          const row = rowAt(item.index);
          if (!row) return null;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              style={{ position: "absolute", inset: "0 0 auto", transform: `translateY(${item.start}px)` }}
            >
              <LogLine
                row={row}
                open={opened.has(row.id)}
                chosen={item.index === chosen}
                wrap={wrap}
                words={words}
                toggle={toggle}
                onFilter={onFilter}
              />
            </div>
          );
        })}
      </div>
      {footer}
    </div>
  );
}
