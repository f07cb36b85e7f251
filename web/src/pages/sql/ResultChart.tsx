import { useMemo } from "react";

import type { SqlAnswer } from "../../api/types";
import { TimeChart } from "../../charts/TimeChart";
import { Empty } from "../../components/States";
import { useTheme } from "../../components/useTheme";
import { colorOfSlot } from "../../lib/colors";
import { planChart } from "../../lib/table";
import { formatCount } from "../../lib/units";

export function ResultChart({ answer }: { answer: SqlAnswer }) {
  const theme = useTheme();
  const plan = useMemo(() => planChart(answer.columns, answer.rows), [answer]);
  if (plan.kind === "none")
    return (
      <Empty title="Nothing to draw">
        <p>{plan.reason}</p>
      </Empty>
    );
  if (plan.kind === "lines") {
    const [first = 0, last = 1] = [plan.times[0], plan.times[plan.times.length - 1]];
    return (
      <div style={{ padding: 12 }}>
        <TimeChart
          testId="sql-chart"
          label={`Lines of ${plan.series.map((one) => one.name).join(", ")}`}
          kind="lines"
          height={280}
          legend
          range={{ start: first, end: last }}
          format={formatCount}
          times={plan.times}
          series={plan.series.map((one, at) => ({ ...one, color: colorOfSlot(at, theme) }))}
        />
      </div>
    );
  }
  const max = Math.max(...plan.bars.map((bar) => Math.abs(bar.value)), 1e-9);
  return (
    <div
      className="bars num"
      role="img"
      aria-label={`${plan.value} by ${plan.label}`}
      data-testid="sql-chart"
    >
      {plan.bars.map((bar, at) => (
        <div key={at} className="bar-row">
          <span className="ellipsis" title={bar.name}>
            {bar.name}
          </span>
          <span className="bar-track">
            <span
              style={{ width: `${(Math.abs(bar.value) / max) * 100}%`, background: colorOfSlot(10, theme) }}
            />
          </span>
          <span className="right">{formatCount(bar.value)}</span>
        </div>
      ))}
    </div>
  );
}
