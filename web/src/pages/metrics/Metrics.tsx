import "./metrics.css";

import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";

import { useCatalogue, useInstantQueries, useRangeQueries } from "../../api/prometheus";
import { MetricsNav } from "../../components/MetricsNav";
import { Segmented } from "../../components/Segmented";
import { useTitle } from "../../components/useTitle";
import { families, parsePromDuration } from "../../lib/promql";
import { Browser } from "./Browser";
import { GraphView } from "./GraphView";
import { familyHelp } from "./help";
import { PinnedStrip } from "./PinnedStrip";
import { pin, readPinned, type Pinned } from "./pinned";
import { QueryRows } from "./QueryRows";
import {
  readQueries,
  readSelection,
  writeQueries,
  writeSelection,
  type Asked,
  type MetricsSearch,
  type Style,
  type View,
} from "./search";
import { TableView } from "./TableView";

const route = getRouteApi("/metrics");
const BLANK: Asked = { expr: "", hidden: false };

const VIEWS = [
  { value: "graph", label: "Graph" },
  { value: "table", label: "Table" },
  { value: "browse", label: "Browse metrics" },
] as const;

export function Metrics() {
  useTitle("Metrics");
  const search: MetricsSearch = route.useSearch();
  const navigate = useNavigate({ from: "/metrics" });
  const client = useQueryClient();
  const asked = useMemo(() => readQueries(search), [search]);
  const [rows, setRows] = useRows(asked);
  const [pinned, setPinned] = useState<Pinned[]>(() => readPinned(localStorage));
  const change = useCallback(
    (next: MetricsSearch, replace = false) =>
      void navigate({ replace, search: (previous) => ({ ...previous, ...next }) }),
    [navigate],
  );
  const view = viewOf(search, asked);
  const selected = useMemo(() => readSelection(search.sel), [search.sel]);
  const stepMs = parsePromDuration(search.step ?? "");
  const exprs = asked.map((one) => (one.hidden ? null : one.expr));
  const ranges = useRangeQueries(view === "graph" ? exprs : [], stepMs);
  const instants = useInstantQueries(view === "table" ? exprs : []);
  const answers = view === "table" ? instants : ranges;
  const catalogue = useCatalogue();
  const known = useMemo(
    () => (catalogue.data ? families(catalogue.data.names, catalogue.data.metadata) : []),
    [catalogue.data],
  );
  const run = (wanted: readonly Asked[] = rows) => {
    const next = writeQueries(wanted);
    const same = JSON.stringify(readQueries(next)) === JSON.stringify(asked);
    if (same && view !== "browse") void client.invalidateQueries({ queryKey: ["prometheus"] });
    else change({ ...next, ...(view === "browse" ? { view: undefined, metric: undefined } : {}) });
  };
  const use = (expr: string, add: boolean) => {
    const next = add ? [...asked, { expr, hidden: false }] : [{ expr, hidden: false }];
    change({ ...writeQueries(next), view: undefined, metric: undefined, find: undefined, style: undefined });
  };
  const tabs = (
    <Segmented
      label="Show as"
      value={view}
      options={VIEWS}
      onChange={(next) =>
        change({ view: next === "graph" && asked.length > 0 ? undefined : next, metric: undefined })
      }
    />
  );
  return (
    <div className="page">
      <h1 className="visually-hidden">Metrics</h1>
      <MetricsNav />
      <PinnedStrip pinned={pinned} setPinned={setPinned} />
      <QueryRows
        rows={rows}
        setRows={setRows}
        asked={asked}
        answers={view === "browse" ? [] : answers}
        metricHelp={(name) => familyHelp(known, name)}
        run={run}
        stop={() => void client.cancelQueries({ queryKey: ["prometheus"] })}
        step={search.step ?? ""}
        setStep={(step) => change({ step: step || undefined }, true)}
        stepUsed={ranges.find((answer) => answer.data)?.data?.grid.stepMs ?? null}
        onPin={(panel) => setPinned(pin(localStorage, { ...panel, ...styleKept(search.style) }))}
      />
      <section className="panel metrics-result" aria-label="Result">
        {view === "browse" ? (
          <Browser
            tabs={tabs}
            families={known}
            state={catalogue}
            find={search.find ?? ""}
            setFind={(find) => change({ find: find || undefined }, true)}
            chosen={search.metric ?? null}
            choose={(metric) => change({ view: "browse", metric })}
            use={use}
            hasQuery={asked.length > 0}
          />
        ) : view === "table" ? (
          <TableView tabs={tabs} asked={asked} answers={instants} />
        ) : (
          <GraphView
            tabs={tabs}
            asked={asked}
            answers={ranges}
            style={styleOf(search.style)}
            setStyle={(style) => change({ style: style === "lines" ? undefined : style }, true)}
            exemplars={search.exemplars !== "0"}
            setExemplars={(on) => change({ exemplars: on ? undefined : "0" }, true)}
            selected={selected}
            setSelected={(range) => change({ sel: writeSelection(range) }, true)}
          />
        )}
      </section>
    </div>
  );
}

function viewOf(search: MetricsSearch, asked: readonly Asked[]): View {
  if (search.view === "browse" || search.view === "table" || search.view === "graph") return search.view;
  return asked.length === 0 ? "browse" : "graph";
}

const styleOf = (text: string | undefined): Style =>
  text === "stacked" || text === "heatmap" ? text : "lines";

const styleKept = (style: string | undefined) => (style ? { style } : {});

/** What stands in the editors: the address's queries until they are edited, and again when it changes. */
function useRows(asked: readonly Asked[]): [Asked[], (rows: Asked[]) => void] {
  const [rows, setRows] = useState<Asked[]>(asked.length > 0 ? [...asked] : [BLANK]);
  const [shown, setShown] = useState(JSON.stringify(asked));
  const now = JSON.stringify(asked);
  if (shown !== now) {
    setShown(now);
    // An empty row that was just added stays while the others are run.
    if (JSON.stringify(readQueries(writeQueries(rows))) !== now)
      setRows(asked.length > 0 ? [...asked] : [BLANK]);
  }
  return [rows, setRows];
}
