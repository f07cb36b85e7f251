import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";

import type { ServiceRow } from "../../api/types";
import { ServiceName } from "../../components/Service";
import { Sparkline } from "../../components/Sparkline";
import { serviceColor, useTheme } from "../../components/useTheme";
import { formatMs, formatPercent, formatRate } from "../../lib/units";
import { badness, ERROR_SHARE_BAD, ERROR_SHARE_LOOK, P99_LOOK_MS } from "./badness";

const route = getRouteApi("/");

type Key = "badness" | "service" | "rate" | "error_share" | "p50_ms" | "p95_ms" | "p99_ms";

const KEYS: readonly Key[] = ["badness", "service", "rate", "error_share", "p50_ms", "p95_ms", "p99_ms"];

const HEADS: readonly { key: Key | null; label: string; right?: boolean; roomy?: boolean }[] = [
  { key: "service", label: "Service" },
  { key: "rate", label: "Requests", right: true },
  { key: null, label: "" },
  { key: "error_share", label: "Errors", right: true },
  { key: null, label: "", roomy: true },
  { key: "p50_ms", label: "p50", right: true },
  { key: "p95_ms", label: "p95", right: true },
  { key: "p99_ms", label: "p99", right: true },
  { key: null, label: "p95 over time", roomy: true },
];

export function ServicesTable({ rows }: { rows: ServiceRow[] }) {
  const search: { sort?: string; order?: string } = route.useSearch();
  const navigate = useNavigate({ from: "/" });
  const sort = { key: KEYS.find((key) => key === search.sort) ?? "badness", up: search.order === "up" };
  const setSort = (next: { key: Key; up: boolean }) =>
    void navigate({
      replace: true,
      search: (previous) => ({ ...previous, sort: next.key, order: next.up ? "up" : undefined }),
    });
  const sorted = [...rows].sort((a, b) => {
    const order =
      sort.key === "service" ? a.service.localeCompare(b.service) : value(a, sort.key) - value(b, sort.key);
    return sort.up ? order : -order;
  });
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label="Services">
      <table className="list" data-testid="services">
        <thead>
          <tr>
            {HEADS.map((head, at) => (
              <th
                key={`${head.label}${at}`}
                scope="col"
                className={`${head.right ? "right" : ""} ${head.roomy ? "roomy" : ""}`}
                aria-sort={head.key === sort.key ? (sort.up ? "ascending" : "descending") : undefined}
              >
                {head.key === null ? (
                  head.label || <span className="visually-hidden">over time</span>
                ) : (
                  <button
                    type="button"
                    className="sort"
                    onClick={() =>
                      head.key &&
                      setSort({
                        key: head.key,
                        up: sort.key === head.key ? !sort.up : head.key === "service",
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
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => (
            <Row key={row.service} row={row} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function value(row: ServiceRow, key: Exclude<Key, "service">): number {
  return key === "badness" ? badness(row) : (row[key] ?? 0);
}

function Row({ row }: { row: ServiceRow }) {
  const theme = useTheme();
  const { service } = row;
  const error = theme === "light" ? "#c42b23" : "#ff8a80";
  const errorTone =
    row.error_share >= ERROR_SHARE_BAD
      ? "error-text"
      : row.error_share >= ERROR_SHARE_LOOK
        ? "warn-text"
        : "";
  const failed = row.series.errors.reduce((sum, count) => sum + count, 0);
  return (
    <tr data-testid={`service-${service}`}>
      <td>
        <Link to="/services/$service" params={{ service }}>
          <ServiceName service={service} />
        </Link>
        {row.environment && (
          <span className="tag roomy" style={{ marginLeft: 8 }}>
            {row.environment}
          </span>
        )}
      </td>
      <td className="right">
        <Link to="/traces" search={{ service }}>
          {formatRate(row.rate)}
        </Link>
      </td>
      <td>
        <Sparkline
          values={row.series.requests}
          color={serviceColor(service, theme)}
          label={`Requests to ${service} over time`}
        />
      </td>
      <td className="right">
        <Link to="/traces" search={{ service, status: "error" }} className={errorTone}>
          {formatPercent(row.error_share)}
        </Link>
      </td>
      <td className="roomy">
        {failed > 0 ? (
          <Sparkline
            values={row.series.errors}
            color={error}
            label={`Errors of ${service} over time`}
            width={80}
          />
        ) : (
          <span className="dim">–</span>
        )}
      </td>
      <SlowestLink service={service} ms={row.p50_ms} />
      <SlowestLink service={service} ms={row.p95_ms} />
      <SlowestLink service={service} ms={row.p99_ms} warn={(row.p99_ms ?? 0) >= P99_LOOK_MS} />
      <td className="roomy">
        <Sparkline
          values={row.series.p95_ms}
          color={theme === "light" ? "#57626b" : "#9aa6ae"}
          label={`p95 of ${service} over time`}
          area={false}
          width={100}
        />
      </td>
    </tr>
  );
}

/** A duration that leads to the service's traces that took at least as long. */
function SlowestLink({ service, ms, warn = false }: { service: string; ms: number | null; warn?: boolean }) {
  const min = ms ? `${ms.toPrecision(3)}ms` : undefined;
  return (
    <td className="right">
      <Link to="/traces" search={{ service, sort: "slowest", min }} className={warn ? "warn-text" : ""}>
        {formatMs(ms)}
      </Link>
    </td>
  );
}
