import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";

import { DEFAULT_RANGE, isRelative, rangeText, type Range, type RangeText } from "../lib/time";

/** How often the page asks again, as written in the address. `10s` when nothing is said. */
export const REFRESHES = ["off", "5s", "10s", "30s"] as const;
export type Refresh = (typeof REFRESHES)[number];
const DEFAULT_REFRESH: Refresh = "10s";

export type TimeRange = {
  text: RangeText;
  refresh: Refresh;
  refreshMs: number | false;
  setText: (text: RangeText) => void;
  setRange: (range: Range) => void;
  setRefresh: (refresh: Refresh) => void;
};

/** The range in the page's address; every page has the same three parameters. */
export function useTimeRange(): TimeRange {
  const search: { from?: string; to?: string; refresh?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const from = search.from ?? DEFAULT_RANGE.from;
  const to = search.to ?? DEFAULT_RANGE.to;
  const refresh = REFRESHES.find((known) => known === search.refresh) ?? DEFAULT_REFRESH;
  const setText = useCallback(
    (text: RangeText) => {
      const plain = text.from === DEFAULT_RANGE.from && text.to === DEFAULT_RANGE.to;
      void navigate({
        to: ".",
        search: (previous) => ({
          ...previous,
          from: plain ? undefined : text.from,
          to: plain ? undefined : text.to,
        }),
      });
    },
    [navigate],
  );
  const setRange = useCallback((range: Range) => setText(rangeText(range)), [setText]);
  const setRefresh = useCallback(
    (next: Refresh) =>
      void navigate({
        to: ".",
        replace: true,
        search: (previous) => ({ ...previous, refresh: next === DEFAULT_REFRESH ? undefined : next }),
      }),
    [navigate],
  );
  return useMemo(() => {
    const text = { from, to };
    const refreshMs = refresh === "off" || !isRelative(text) ? false : Number.parseInt(refresh, 10) * 1_000;
    return { text, refresh, refreshMs, setText, setRange, setRefresh };
  }, [from, to, refresh, setText, setRange, setRefresh]);
}
