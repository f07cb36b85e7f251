import "./sql.css";

import { Button, Menu } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import {
  IconBook,
  IconDownload,
  IconHistory,
  IconPlayerPlay,
  IconPlayerStop,
  IconTable,
} from "@tabler/icons-react";
import { useMemo, useState } from "react";

import { ApiError, postJson } from "../../api/client";
import { useFields } from "../../api/hooks";
import type { Field, SqlAnswer } from "../../api/types";
import { Segmented } from "../../components/Segmented";
import { useTitle } from "../../components/useTitle";
import { Empty, Failed, Skeleton } from "../../components/States";
import { csvRow } from "../../lib/csv";
import { formatAgo } from "../../lib/time";
import { formatBytes, formatCount, formatMs, plural } from "../../lib/units";
import { saveAs } from "../logs/download";
import { Columns } from "./Columns";
import { METRIC_FIELDS, type Tables } from "./complete";
import { Editor } from "./Editor";
import { EXAMPLES } from "./examples";
import { readHistory, remember, type Run } from "./history";
import { ResultChart } from "./ResultChart";
import { ResultTable } from "./ResultTable";

const route = getRouteApi("/sql");

type ResultView = "table" | "chart" | "columns";

export function Sql() {
  useTitle("SQL");
  const search: { q?: string; view?: string } = route.useSearch();
  const navigate = useNavigate({ from: "/sql" });
  const client = useQueryClient();
  const asked = search.q ?? "";
  const [text, setText] = useState(asked || (EXAMPLES[0]?.sql ?? ""));
  const [shownAsked, setShownAsked] = useState(asked);
  const [runs, setRuns] = useState<Run[]>(() => readHistory(localStorage));
  if (shownAsked !== asked) {
    setShownAsked(asked);
    if (asked) setText(asked);
  }
  const answer = useQuery({
    queryKey: ["sql", asked],
    queryFn: ({ signal }) => postJson<SqlAnswer>("/api/v1/sql", { sql: asked }, signal),
    enabled: asked !== "",
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
  });
  const run = (sql: string) => {
    const wanted = sql.trim();
    if (wanted === "") return;
    setText(sql);
    setRuns(remember(localStorage, wanted, Date.now()));
    if (wanted === asked) void answer.refetch();
    else void navigate({ search: (previous) => ({ ...previous, q: wanted }) });
  };
  /** A query about a column stands in the place of the columns. */
  const show = (sql: string) => {
    setText(sql);
    setRuns(remember(localStorage, sql, Date.now()));
    void navigate({ search: (previous) => ({ ...previous, q: sql, view: undefined }) });
  };
  const tables = useTables();
  const error = answer.error instanceof ApiError && text.trim() === asked ? answer.error : null;
  const problem = useMemo(
    () => (error?.line ? { line: error.line, column: error.column ?? 1, message: error.message } : null),
    [error],
  );
  const view = search.view === "chart" || search.view === "columns" ? search.view : "table";
  const asking = answer.isFetching && !answer.data;
  return (
    <div className="page fill">
      <h1 className="visually-hidden">SQL</h1>
      <section className="panel sql-ask" aria-label="Query">
        <Editor value={text} tables={tables} problem={problem} onChange={setText} onRun={run} />
        <div className="row sql-tools">
          {answer.isFetching ? (
            <Button
              size="xs"
              h={30}
              variant="default"
              leftSection={<IconPlayerStop size={15} aria-hidden />}
              onClick={() => void client.cancelQueries({ queryKey: ["sql"] })}
            >
              Stop
            </Button>
          ) : (
            <Button
              size="xs"
              h={30}
              leftSection={<IconPlayerPlay size={15} aria-hidden />}
              onClick={() => run(text)}
              data-testid="sql-run"
            >
              Run
            </Button>
          )}
          <span className="dim row tight" aria-hidden>
            <kbd>Ctrl</kbd>
            <kbd>Enter</kbd>
          </span>
          <div className="grow" />
          <Pick
            label="Examples"
            icon={<IconBook size={15} aria-hidden />}
            items={EXAMPLES.map((example) => ({
              key: example.title,
              title: example.title,
              detail: "",
              sql: example.sql,
            }))}
            choose={run}
          />
          <Pick
            label="History"
            icon={<IconHistory size={15} aria-hidden />}
            items={runs.map((one) => ({
              key: `${one.at}`,
              title: one.sql.replace(/\s+/g, " "),
              detail: formatAgo(one.at, Date.now()),
              sql: one.sql,
            }))}
            choose={run}
          />
        </div>
      </section>
      <section className="panel fill-panel" aria-label="Result">
        {asked !== "" && (
          <Tools
            answer={answer.isError ? null : (answer.data ?? null)}
            view={view}
            setView={(next) =>
              void navigate({
                replace: true,
                search: (previous) => ({ ...previous, view: next === "table" ? undefined : next }),
              })
            }
          />
        )}
        {asked === "" || view === "columns" ? (
          <Columns tables={tables} ask={show} />
        ) : asking ? (
          <Skeleton rows={8} height={18} />
        ) : answer.isError ? (
          <Failed
            what={
              error?.line
                ? `There is a fault at line ${error.line}, column ${error.column ?? 1}`
                : "The query failed"
            }
            error={answer.error}
          />
        ) : !answer.data ? (
          <Empty title="The query was stopped" icon={<IconTable size={32} stroke={1.4} aria-hidden />}>
            <p>Run it again, or make its time shorter by a WHERE on time.</p>
          </Empty>
        ) : answer.data.rows.length === 0 ? (
          <Empty title="No rows">
            <p>The query is right and found nothing. Its WHERE may be too narrow.</p>
          </Empty>
        ) : view === "chart" ? (
          <div style={{ overflow: "auto", flex: 1 }}>
            <ResultChart answer={answer.data} />
          </div>
        ) : (
          <ResultTable answer={answer.data} />
        )}
      </section>
    </div>
  );
}

function Tools({
  answer,
  view,
  setView,
}: {
  /** Null while there is none. */
  answer: SqlAnswer | null;
  view: ResultView;
  setView: (view: ResultView) => void;
}) {
  return (
    <div className="row panel-tools">
      <Segmented
        label="Show as"
        value={view}
        options={[
          { value: "table", label: "Table" },
          { value: "chart", label: "Chart" },
          { value: "columns", label: "Columns" },
        ]}
        onChange={setView}
      />
      {answer && view !== "columns" && <Facts answer={answer} />}
    </div>
  );
}

function Facts({ answer }: { answer: SqlAnswer }) {
  const { stats, rows, columns, truncated } = answer;
  const parts = [
    plural(rows.length, "row"),
    stats.elapsed_ms !== undefined ? formatMs(stats.elapsed_ms) : null,
    stats.rows_scanned !== undefined ? `${formatCount(stats.rows_scanned)} rows read` : null,
    stats.bytes_scanned !== undefined ? formatBytes(stats.bytes_scanned) : null,
    stats.files_total !== undefined ? `${stats.files_scanned ?? 0} of ${stats.files_total} files` : null,
  ].filter(Boolean);
  return (
    <>
      <span className="dim num ellipsis" data-testid="sql-stats">
        {parts.join(" · ")}
      </span>
      {truncated && <span className="tag warn">cut at the limit of rows</span>}
      <div className="grow" />
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconDownload size={14} aria-hidden />}
        onClick={() =>
          saveAs(
            "result.csv",
            "text/csv",
            [columns.map((column) => column.name), ...rows].map(csvRow).join("\r\n") + "\r\n",
          )
        }
      >
        CSV
      </Button>
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconDownload size={14} aria-hidden />}
        onClick={() =>
          saveAs(
            "result.json",
            "application/json",
            JSON.stringify(
              rows.map((row) => Object.fromEntries(columns.map((column, at) => [column.name, row[at]]))),
              null,
              1,
            ),
          )
        }
      >
        JSON
      </Button>
    </>
  );
}

type Item = { key: string; title: string; detail: string; sql: string };

function Pick({
  label,
  icon,
  items,
  choose,
}: {
  label: string;
  icon: React.ReactNode;
  items: Item[];
  choose: (sql: string) => void;
}) {
  return (
    <Menu position="bottom-end" width={440} withinPortal>
      <Menu.Target>
        <Button size="xs" h={30} variant="default" leftSection={icon}>
          {label}
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah={380} style={{ overflowY: "auto" }}>
        {items.length === 0 && <Menu.Label>Nothing yet</Menu.Label>}
        {items.map((item) => (
          <Menu.Item key={item.key} onClick={() => choose(item.sql)} title={item.sql}>
            <div className="row">
              <span className="ellipsis grow">{item.title}</span>
              <span className="dim nowrap">{item.detail}</span>
            </div>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

const NO_FIELDS: Field[] = [];

function useTables(): Tables {
  const spans = useFields("spans").data ?? NO_FIELDS;
  const logs = useFields("logs").data ?? NO_FIELDS;
  return useMemo(() => ({ spans, logs, metrics: METRIC_FIELDS }), [spans, logs]);
}
