import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";

import type { Overlay } from "./Shell";

export const SHORTCUTS: readonly { group: string; keys: readonly { keys: string; does: string }[] }[] = [
  {
    group: "Anywhere",
    keys: [
      { keys: "Ctrl K", does: "Search pages, services, traces" },
      { keys: "g h", does: "Home" },
      { keys: "g t", does: "Traces" },
      { keys: "g l", does: "Logs" },
      { keys: "g m", does: "Metrics" },
      { keys: "g s", does: "SQL" },
      { keys: "g a", does: "Targets" },
      { keys: "g r", does: "Rules and alerts" },
      { keys: "g c", does: "Cardinality" },
      { keys: "g i", does: "Status" },
      { keys: "/", does: "Into the search field" },
      { keys: "?", does: "This help" },
    ],
  },
  {
    group: "In a trace",
    keys: [
      { keys: "j  k", does: "Next, previous span" },
      { keys: "←  →", does: "Close, open a span" },
      { keys: "[  ]", does: "Close all, open all" },
      { keys: "n  p", does: "Next, previous match" },
      { keys: "e", does: "Next error" },
      { keys: "Enter", does: "Details of the span" },
      { keys: "l", does: "Its log lines" },
      { keys: "z  0", does: "Zoom to the span, back to the whole" },
      { keys: "Esc", does: "Back to the whole width" },
    ],
  },
  {
    group: "In logs, metrics and SQL",
    keys: [
      { keys: "j  k", does: "Next, previous line" },
      { keys: "Enter", does: "Open or close the line; run the metrics query" },
      { keys: "Ctrl Enter", does: "Run the query" },
      { keys: "Esc Tab", does: "Out of the editor" },
    ],
  },
];

const PAGES: Readonly<
  Record<
    string,
    "/" | "/traces" | "/logs" | "/metrics" | "/targets" | "/rules" | "/cardinality" | "/sql" | "/status"
  >
> = {
  h: "/",
  t: "/traces",
  l: "/logs",
  m: "/metrics",
  a: "/targets",
  r: "/rules",
  c: "/cardinality",
  s: "/sql",
  i: "/status",
};

/** The second key must follow within this time. */
const CHORD_MS = 1_200;

export function useKeys(setOverlay: (overlay: Overlay) => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let goneAt = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setOverlay("palette");
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const page = PAGES[event.key];
      if (page && Date.now() - goneAt < CHORD_MS) {
        event.preventDefault();
        event.stopPropagation();
        goneAt = 0;
        void navigate({ to: page });
        return;
      }
      goneAt = event.key === "g" ? Date.now() : 0;
      if (event.key === "?") setOverlay("help");
      if (event.key === "/") {
        const field = document.querySelector<HTMLElement>("[data-search-field]");
        if (field) {
          event.preventDefault();
          field.focus();
        }
      }
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, [navigate, setOverlay]);
}

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
