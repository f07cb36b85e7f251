import type { Ranged } from "../api/hooks";
import type { ServiceRow, Services } from "../api/types";
import { dataStart, rateSince } from "../lib/rates";
import { timeMs } from "../lib/time";

export type Measured = { rows: ServiceRow[]; fromMs: number };

/** The services, their rates over the time from the first data in the range on. */
export function measured({ data, range }: Ranged<Services>): Measured {
  const counts = data.services.map((row) => row.series.requests);
  const fromMs = dataStart(counts, timeMs(data.start), data.step_ms, range);
  return {
    fromMs,
    rows: data.services.map((row) => ({ ...row, rate: rateSince(row.requests, fromMs, range) })),
  };
}
