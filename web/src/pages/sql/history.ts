/** The queries that were run here, newest first, in this browser only. */

const KEY = "trefoil.sql-history";
const KEPT = 50;

export type Run = { sql: string; at: number };
type Store = Pick<Storage, "getItem" | "setItem">;

export function readHistory(store: Store): Run[] {
  try {
    const kept: unknown = JSON.parse(store.getItem(KEY) ?? "[]");
    if (!Array.isArray(kept)) return [];
    return kept.filter(
      (run): run is Run =>
        typeof run === "object" &&
        run !== null &&
        "sql" in run &&
        typeof run.sql === "string" &&
        "at" in run &&
        typeof run.at === "number",
    );
  } catch {
    return [];
  }
}

/** The same query again moves to the front. */
export function remember(store: Store, sql: string, at: number): Run[] {
  const runs = [{ sql, at }, ...readHistory(store).filter((run) => run.sql !== sql)].slice(0, KEPT);
  try {
    store.setItem(KEY, JSON.stringify(runs));
  } catch {
    // A full storage loses the memory of a query, nothing else.
  }
  return runs;
}
