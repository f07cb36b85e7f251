/** Queries kept as small panels on the page, in this browser only. */

import { QUERIES_MAX } from "./search";

const KEY = "trefoil.metric-panels";
export const PINNED_MAX = 12;

export type Pinned = { title: string; exprs: string[]; style?: string };
type Store = Pick<Storage, "getItem" | "setItem">;

function isPinned(one: unknown): one is Pinned {
  if (typeof one !== "object" || one === null || !("title" in one) || !("exprs" in one)) return false;
  const { title, exprs } = one;
  return (
    typeof title === "string" &&
    Array.isArray(exprs) &&
    exprs.length > 0 &&
    exprs.length <= QUERIES_MAX &&
    exprs.every((expr) => typeof expr === "string")
  );
}

export function readPinned(store: Store): Pinned[] {
  try {
    const kept: unknown = JSON.parse(store.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isPinned).slice(0, PINNED_MAX) : [];
  } catch {
    return [];
  }
}

export function writePinned(store: Store, pinned: readonly Pinned[]): Pinned[] {
  const kept = pinned.slice(0, PINNED_MAX);
  try {
    store.setItem(KEY, JSON.stringify(kept));
  } catch {
    // A full storage loses the panels after a reload, nothing else.
  }
  return kept;
}

/** The same queries are one panel. */
export function pin(store: Store, panel: Pinned): Pinned[] {
  const same = JSON.stringify(panel.exprs);
  const others = readPinned(store).filter((one) => JSON.stringify(one.exprs) !== same);
  return writePinned(store, [...others, panel]);
}

export function unpin(store: Store, panel: Pinned): Pinned[] {
  const same = JSON.stringify(panel.exprs);
  return writePinned(
    store,
    readPinned(store).filter((one) => JSON.stringify(one.exprs) !== same),
  );
}
