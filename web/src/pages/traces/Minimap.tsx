/** The whole trace in a strip; drag over it to look at a part, click it twice for the whole. */

import { useEffect, useMemo, useRef, useState } from "react";

import type { Span } from "../../api/types";
import { visibleRows, type TraceNode, type TraceTree } from "../../lib/trace";
import type { View } from "./zoom";

const HEIGHT_PX = 52;
const EXPANDED: ReadonlySet<number> = new Set();

export function Minimap({
  tree,
  view,
  whole,
  onView,
  color,
}: {
  tree: TraceTree<Span>;
  view: View;
  whole: View;
  onView: (view: View | null) => void;
  color: (node: TraceNode<Span>) => string;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const rows = useMemo(() => visibleRows(tree, EXPANDED), [tree]);
  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || width === 0) return;
    const ratio = window.devicePixelRatio;
    element.width = width * ratio;
    element.height = HEIGHT_PX * ratio;
    context.scale(ratio, ratio);
    context.clearRect(0, 0, width, HEIGHT_PX);
    const length = whole.end - whole.start;
    const step = HEIGHT_PX / Math.max(rows.length, 12);
    const thick = Math.max(0.75, Math.min(3, step * 0.8));
    rows.forEach((index, row) => {
      const node = tree.nodes[index];
      if (!node) return;
      context.fillStyle = color(node);
      context.fillRect(
        ((node.start - whole.start) / length) * width,
        row * step,
        Math.max(0.75, ((node.end - node.start) / length) * width),
        thick,
      );
    });
  }, [tree, rows, whole, width, color]);

  const share = (event: React.PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const at = (part: number) => whole.start + part * (whole.end - whole.start);
  const shown = drag
    ? { start: at(Math.min(drag.from, drag.to)), end: at(Math.max(drag.from, drag.to)) }
    : view;
  const percent = (ns: number) => ((ns - whole.start) / (whole.end - whole.start)) * 100;
  return (
    <div
      className="minimap"
      aria-hidden
      style={{ height: HEIGHT_PX }}
      onDoubleClick={() => onView(null)}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: share(event), to: share(event) });
      }}
      onPointerMove={(event) => {
        if (drag) setDrag({ ...drag, to: share(event) });
      }}
      onPointerUp={() => {
        if (drag && Math.abs(drag.to - drag.from) > 0.004) onView(shown);
        setDrag(null);
      }}
    >
      <canvas ref={canvas} style={{ width: "100%", height: HEIGHT_PX, display: "block" }} />
      <div className="minimap-out" style={{ left: 0, width: `${percent(shown.start)}%` }} />
      <div className="minimap-out" style={{ right: 0, width: `${100 - percent(shown.end)}%` }} />
    </div>
  );
}
