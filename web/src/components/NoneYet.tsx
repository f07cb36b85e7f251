/**
 * What a search says that found nothing: on a server without such data how to send it, without
 * filters where the newest is, and else to take a filter away.
 */

import { Button } from "@mantine/core";
import type { ReactNode } from "react";

import { useStatus } from "../api/hooks";
import { snippets } from "../lib/snippets";
import { formatAgo, timeMs } from "../lib/time";
import { Snippets } from "./Snippets";
import { Empty } from "./States";
import { useEndpoints } from "./useEndpoints";
import { useTimeRange } from "./useTimeRange";

type Table = "spans" | "logs";

const NAMES: Readonly<Record<Table, { many: string; newest: string }>> = {
  spans: { many: "traces", newest: "span" },
  logs: { many: "log lines", newest: "line" },
};

/** Around the newest row, as much as the page's usual range shows. */
const AROUND_MS = { before: 14 * 60_000, after: 60_000 };

/** Whether the server has none of it at all; false while that is not known. */
export function useNoneYet(table: Table): boolean {
  return useStatus().data?.tables.find((one) => one.name === table)?.rows === 0;
}

export function NothingFound({
  table,
  icon,
  filtered,
  children,
}: {
  table: Table;
  icon: ReactNode;
  filtered: boolean;
  /** What to do about the filters. */
  children: ReactNode;
}) {
  const none = useNoneYet(table);
  const { many } = NAMES[table];
  if (none) return <HowToSend table={table} icon={icon} />;
  if (!filtered) return <Newest table={table} icon={icon} />;
  return (
    <Empty title={`No ${many} match`} icon={icon}>
      {children}
    </Empty>
  );
}

function HowToSend({ table, icon }: { table: Table; icon: ReactNode }) {
  const endpoints = useEndpoints();
  return (
    <Empty title={`No ${NAMES[table].many} yet`} icon={icon}>
      <p>Point any OpenTelemetry SDK or Collector at this server. This page fills by itself.</p>
      <Snippets name={`send-${table}`} label="How to send" all={snippets(endpoints)} />
    </Empty>
  );
}

function Newest({ table, icon }: { table: Table; icon: ReactNode }) {
  const { setRange, setText } = useTimeRange();
  const last = useStatus().data?.tables.find((one) => one.name === table)?.last_time;
  const { many, newest } = NAMES[table];
  const at = last ? timeMs(last) : null;
  return (
    <Empty title={`No ${many} in this time`} icon={icon}>
      {at !== null && (
        <p>
          The newest {newest} is of {formatAgo(at, Date.now())}.
        </p>
      )}
      <div className="row">
        {at !== null && (
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => setRange({ start: at - AROUND_MS.before, end: at + AROUND_MS.after })}
          >
            Show the newest
          </Button>
        )}
        <Button size="compact-sm" variant="default" onClick={() => setText({ from: "now-24h", to: "now" })}>
          Last 24 hours
        </Button>
      </div>
    </Empty>
  );
}
