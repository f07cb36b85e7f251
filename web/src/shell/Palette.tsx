/** Ctrl-K: go to a page, a service, or the trace whose id was pasted. */

import { Modal } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import {
  IconArrowRight,
  IconChartLine,
  IconHome,
  IconListDetails,
  IconRoute,
  IconSearch,
  IconServer,
  IconSql,
  IconActivityHeartbeat,
  IconKeyboard,
} from "@tabler/icons-react";
import { useState } from "react";

import { useServices } from "../api/hooks";
import type { Overlay } from "./Shell";

type Action = { id: string; label: string; detail: string; icon: React.ReactNode; run: () => void };

const icon = (Icon: typeof IconHome) => <Icon size={16} stroke={1.7} aria-hidden />;

export default function Palette({ close, open }: { close: () => void; open: (overlay: Overlay) => void }) {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const services = useServices();
  const typed = text.trim();
  const trace = traceIdIn(typed);
  const actions: Action[] = [];
  if (trace)
    actions.push({
      id: "trace",
      label: `Open trace ${trace}`,
      detail: "trace",
      icon: icon(IconRoute),
      run: () => void navigate({ to: "/traces/$traceId", params: { traceId: trace } }),
    });
  const pages: Action[] = [
    {
      id: "home",
      label: "Home",
      detail: "services at a glance",
      icon: icon(IconHome),
      run: () => void navigate({ to: "/" }),
    },
    {
      id: "traces",
      label: "Traces",
      detail: "search",
      icon: icon(IconRoute),
      run: () => void navigate({ to: "/traces" }),
    },
    {
      id: "errors",
      label: "Traces with errors",
      detail: "search",
      icon: icon(IconRoute),
      run: () => void navigate({ to: "/traces", search: { status: "error" } }),
    },
    {
      id: "logs",
      label: "Logs",
      detail: "search",
      icon: icon(IconListDetails),
      run: () => void navigate({ to: "/logs" }),
    },
    {
      id: "tail",
      label: "Live tail",
      detail: "logs as they come",
      icon: icon(IconListDetails),
      run: () => void navigate({ to: "/logs", search: { live: "1" } }),
    },
    {
      id: "metrics",
      label: "Metrics",
      detail: "PromQL",
      icon: icon(IconChartLine),
      run: () => void navigate({ to: "/metrics" }),
    },
    {
      id: "browse-metrics",
      label: "Browse metrics",
      detail: "what is there",
      icon: icon(IconChartLine),
      run: () => void navigate({ to: "/metrics", search: { view: "browse" } }),
    },
    {
      id: "targets",
      label: "Targets",
      detail: "what is scraped",
      icon: icon(IconChartLine),
      run: () => void navigate({ to: "/targets" }),
    },
    {
      id: "rules",
      label: "Rules and alerts",
      detail: "what is evaluated, what fires",
      icon: icon(IconChartLine),
      run: () => void navigate({ to: "/rules" }),
    },
    {
      id: "cardinality",
      label: "Cardinality",
      detail: "what series cost",
      icon: icon(IconChartLine),
      run: () => void navigate({ to: "/cardinality" }),
    },
    {
      id: "sql",
      label: "SQL",
      detail: "ask spans, logs and metrics",
      icon: icon(IconSql),
      run: () => void navigate({ to: "/sql" }),
    },
    {
      id: "status",
      label: "Status",
      detail: "tables, memory, endpoints",
      icon: icon(IconActivityHeartbeat),
      run: () => void navigate({ to: "/status" }),
    },
    {
      id: "keys",
      label: "Keyboard shortcuts",
      detail: "help",
      icon: icon(IconKeyboard),
      run: () => open("help"),
    },
  ];
  for (const row of services.data?.data.services ?? []) {
    pages.push({
      id: `service-${row.service}`,
      label: row.service,
      detail: "service",
      icon: icon(IconServer),
      run: () => void navigate({ to: "/services/$service", params: { service: row.service } }),
    });
  }
  const words = typed.toLowerCase().split(/\s+/);
  actions.push(
    ...pages.filter((page) =>
      words.every((word) => `${page.label} ${page.detail}`.toLowerCase().includes(word)),
    ),
  );
  if (typed && !trace) {
    actions.push({
      id: "search-metrics",
      label: `Find metrics like “${typed}”`,
      detail: "metrics",
      icon: icon(IconSearch),
      run: () => void navigate({ to: "/metrics", search: { view: "browse", find: typed } }),
    });
    actions.push({
      id: "search-logs",
      label: `Search logs for “${typed}”`,
      detail: "logs",
      icon: icon(IconSearch),
      run: () => void navigate({ to: "/logs", search: { q: typed } }),
    });
    actions.push({
      id: "search-traces",
      label: `Search traces for “${typed}”`,
      detail: "traces",
      icon: icon(IconSearch),
      run: () => void navigate({ to: "/traces", search: { q: typed } }),
    });
  }
  const chosen = Math.min(at, actions.length - 1);
  const run = (action: Action | undefined) => {
    close();
    action?.run();
  };
  return (
    <Modal
      opened
      onClose={close}
      withCloseButton={false}
      size={560}
      padding={0}
      yOffset="14vh"
      transitionProps={{ duration: 80 }}
      aria-label="Search or go to"
    >
      <div className="row" style={{ padding: "0 14px", borderBottom: "1px solid var(--border)" }}>
        <IconSearch size={16} aria-hidden className="dim" />
        <input
          data-autofocus
          className="palette-input"
          role="combobox"
          aria-expanded
          aria-controls="palette-list"
          aria-label="Search or go to"
          aria-activedescendant={actions[chosen] ? `palette-${actions[chosen].id}` : undefined}
          placeholder="A page, a service, a trace id, or words to search for"
          value={text}
          spellCheck={false}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={(event) => {
            if (event.key === "ArrowDown") {
              event.preventDefault();
              setAt((chosen + 1) % actions.length);
            }
            if (event.key === "ArrowUp") {
              event.preventDefault();
              setAt((chosen + actions.length - 1) % actions.length);
            }
            if (event.key === "Enter") {
              event.preventDefault();
              run(actions[chosen]);
            }
          }}
        />
      </div>
      <div role="listbox" id="palette-list" aria-label="Results" className="palette-list">
        {actions.map((action, index) => (
          <div
            key={action.id}
            id={`palette-${action.id}`}
            role="option"
            aria-selected={index === chosen}
            className="palette-item"
            onMouseMove={() => setAt(index)}
            onClick={() => run(action)}
          >
            {action.icon}
            <span className="ellipsis grow">{action.label}</span>
            <span className="dim">{action.detail}</span>
            {index === chosen && <IconArrowRight size={14} aria-hidden />}
          </div>
        ))}
      </div>
    </Modal>
  );
}

/** A trace id alone or inside what was pasted: a `traceparent`, a log line, an address. */
export function traceIdIn(text: string): string | null {
  return /(?:^|[^0-9a-f])([0-9a-f]{32})(?:$|[^0-9a-f])/i.exec(text)?.[1]?.toLowerCase() ?? null;
}
