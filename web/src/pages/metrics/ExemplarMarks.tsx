import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import type { Frame } from "../../charts/TimeChart";
import { labelsText } from "../../lib/series";
import { formatClockMs, formatDateTime, type Range } from "../../lib/time";
import { listed, type Point } from "./exemplars";

/** Half of a mark's size, so that it stays inside the plot. */
const HALF = 5;

/** The points over the plot. The list below them has the same links for keyboards. */
export function ExemplarMarks({
  frame,
  points,
  format,
}: {
  frame: Frame;
  points: readonly Point[];
  format: (value: number) => string;
}) {
  const navigate = useNavigate();
  const [at, setAt] = useState<Point | null>(null);
  const place = (point: Point) => ({
    left: frame.left + frame.x(point.timeMs),
    top:
      frame.top +
      (point.onAxis
        ? Math.min(frame.height - HALF, Math.max(HALF, frame.y(point.value)))
        : frame.height - HALF),
  });
  const told = at ? place(at) : null;
  return (
    <div aria-hidden data-testid="exemplar-marks">
      {points.map((point) => (
        <button
          key={point.key}
          type="button"
          tabIndex={-1}
          className={`exemplar-mark ${point.onAxis && frame.y(point.value) < 0 ? "beyond" : ""}`}
          style={place(point)}
          onMouseEnter={() => setAt(point)}
          onMouseLeave={() => setAt(null)}
          onClick={() => void navigate({ to: "/traces/$traceId", params: { traceId: point.traceId } })}
        />
      ))}
      {at && told && (
        <div
          className="chart-tip exemplar-tip"
          style={{
            top: Math.max(0, told.top - 90),
            ...(told.left > frame.left + frame.width / 2
              ? { right: frame.left + frame.width - told.left + 16 }
              : { left: told.left + 12 }),
          }}
        >
          <div className="dim">{formatDateTime(at.timeMs)}</div>
          <div className="tip-row">
            <span>Exemplar</span>
            <span>{at.onAxis ? format(at.value) : String(Number(at.value.toPrecision(4)))}</span>
          </div>
          {at.onAxis && frame.y(at.value) < 0 && <div className="dim">larger than the graph is high</div>}
          <div className="mono ellipsis">{labelsText(at.labels)}</div>
          <div className="mono dim">trace {at.traceId}</div>
        </div>
      )}
    </div>
  );
}

/** The largest exemplars of the chosen time, each the way to its trace. */
export function ExemplarList({ points, selected }: { points: readonly Point[]; selected: Range | null }) {
  const within = selected
    ? points.filter((point) => point.timeMs >= selected.start && point.timeMs <= selected.end)
    : points;
  if (points.length === 0) return null;
  return (
    <details className="exemplar-list" data-testid="exemplar-list">
      <summary>
        Exemplars <span className="dim num">{within.length} with a trace, the largest first</span>
      </summary>
      <div className="table-scroll" tabIndex={0} role="region" aria-label="Exemplars">
        <table className="list">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col" className="right">
                Value
              </th>
              <th scope="col">Trace</th>
              <th scope="col">Series</th>
            </tr>
          </thead>
          <tbody>
            {listed(within).map((point) => (
              <tr key={point.key}>
                <td>{formatClockMs(point.timeMs)}</td>
                <td className="right">{String(Number(point.value.toPrecision(4)))}</td>
                <td className="mono">
                  <Link to="/traces/$traceId" params={{ traceId: point.traceId }}>
                    {point.traceId.slice(0, 16)}…
                  </Link>
                </td>
                <td className="mono ellipsis" style={{ maxWidth: 520 }} title={labelsText(point.labels)}>
                  {labelsText(point.labels)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
