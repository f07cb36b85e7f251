import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { IconDownload } from "@tabler/icons-react";
import { useMemo, useState } from "react";

import type { Answer, QueryData, VectorItem } from "../../api/prometheus";
import { Empty, Failed, Skeleton } from "../../components/States";
import { csvRow } from "../../lib/csv";
import { unitOf } from "../../lib/promql";
import { formatUnit, labelsText, parseValue, splitLabels } from "../../lib/series";
import { formatDateTime } from "../../lib/time";
import { formatInteger } from "../../lib/units";
import { saveAs } from "../logs/download";
import { letter, type Asked } from "./search";

type Answers = readonly UseQueryResult<Answer<QueryData> & { atMs: number }>[];

const ROWS_MAX = 1_000;
/** With more labels than this of their own, rows say them as one text. */
const COLUMNS_MAX = 8;

/** Each query's answer at one moment: the end of the page's time. */
export function TableView({
  tabs,
  asked,
  answers,
}: {
  tabs: React.ReactNode;
  asked: readonly Asked[];
  answers: Answers;
}) {
  const at = answers.find((answer) => answer.data)?.data?.atMs;
  const shown = asked.flatMap((one, query) => (one.hidden ? [] : [{ one, query, answer: answers[query] }]));
  return (
    <>
      <div className="row wrap panel-tools">
        {tabs}
        {at !== undefined && <span className="dim num">at {formatDateTime(at).slice(0, 19)}</span>}
        <div className="grow" />
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconDownload size={14} aria-hidden />}
          disabled={!answers.some((answer) => answer.data)}
          onClick={() => saveAs("metrics.csv", "text/csv", toCsv(asked, answers))}
        >
          CSV
        </Button>
      </div>
      {shown.length === 0 && (
        <Empty title="Nothing is asked yet">
          <p>Write an expression above, or choose a metric under Browse metrics.</p>
        </Empty>
      )}
      {shown.map(({ one, query, answer }) => (
        <section key={query} aria-label={`Answer of ${one.expr}`}>
          {shown.length > 1 && (
            <h2 className="answer-title mono ellipsis">
              {letter(query)} <span className="dim">{one.expr}</span>
            </h2>
          )}
          {answer?.data && !answer.isError ? (
            <OneAnswer expr={one.expr} data={answer.data.data} />
          ) : answer?.isError ? (
            <Failed
              what="The query was not answered"
              error={answer.error}
              retry={() => void answer.refetch()}
            />
          ) : (
            <Skeleton rows={5} />
          )}
        </section>
      ))}
    </>
  );
}

function OneAnswer({ expr, data }: { expr: string; data: QueryData }) {
  if (data.resultType === "scalar" || data.resultType === "string")
    return (
      <p className="single-value num" data-testid="scalar">
        {data.resultType === "string" ? data.result[1] : formatUnit(unitOf(expr))(parseValue(data.result[1]))}
      </p>
    );
  if (data.resultType === "matrix") return <Ranges items={data.result} />;
  if (data.result.length === 0)
    return (
      <Empty title="No series">
        <p>The expression is right and nothing matches it at this moment.</p>
      </Empty>
    );
  return <Vector expr={expr} items={data.result} />;
}

function Vector({ expr, items }: { expr: string; items: readonly VectorItem[] }) {
  const [order, setOrder] = useState<"asked" | "largest" | "smallest">("asked");
  const { common, own } = useMemo(() => splitLabels(items.map((item) => item.metric)), [items]);
  const columns = useMemo(() => [...new Set(own.flatMap((labels) => Object.keys(labels)))].sort(), [own]);
  const format = formatUnit(unitOf(expr));
  const rows = items.map((item, at) => ({ item, own: own[at] ?? {}, number: numberOf(item) }));
  if (order !== "asked")
    rows.sort((a, b) => (order === "largest" ? b.number - a.number : a.number - b.number) || 0);
  const plain = columns.length > COLUMNS_MAX || columns.length === 0;
  const next = order === "asked" ? "largest" : order === "largest" ? "smallest" : "asked";
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={`Series of ${expr}`}>
      {Object.keys(common).some((key) => key !== "__name__" || common[key] !== expr) && (
        <p className="dim mono common-labels" title="Labels that all series have">
          {Object.entries(common).map(([key, value]) => (
            <span key={key} className="label-chip">
              {key === "__name__" ? value : `${key}="${value}"`}
            </span>
          ))}
        </p>
      )}
      <table className="list" data-testid="metrics-table">
        <thead>
          <tr>
            {plain ? (
              <th scope="col">Series</th>
            ) : (
              columns.map((name) => (
                <th key={name} scope="col">
                  {name === "__name__" ? "metric" : name}
                </th>
              ))
            )}
            <th scope="col" className="right" aria-sort={SORTS[order]}>
              <button type="button" className="sort" onClick={() => setOrder(next)}>
                Value{order === "largest" ? " ↓" : order === "smallest" ? " ↑" : ""}
              </button>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_MAX).map(({ item, own: labels }) => (
            <tr key={labelsText(item.metric)}>
              {plain ? (
                <td className="mono">{labelsText(labels)}</td>
              ) : (
                columns.map((name) => <td key={name}>{labels[name] ?? <span className="dim">–</span>}</td>)
              )}
              <td className="right" title={item.value?.[1]}>
                {item.histogram ? <HistogramText item={item} /> : format(numberOf(item))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > ROWS_MAX && (
        <p className="dim" style={{ padding: "6px 12px" }}>
          The first {formatInteger(ROWS_MAX)} of {formatInteger(rows.length)}.
        </p>
      )}
    </div>
  );
}

const SORTS = { asked: "none", largest: "descending", smallest: "ascending" } as const;

/** Series with several points each: a range selector was asked. */
function Ranges({ items }: { items: Extract<QueryData, { resultType: "matrix" }>["result"] }) {
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label="Samples">
      <table className="list" data-testid="metrics-table">
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th scope="col">Samples</th>
          </tr>
        </thead>
        <tbody>
          {items.slice(0, 100).map((item) => (
            <tr key={labelsText(item.metric)}>
              <td className="mono" style={{ verticalAlign: "top" }}>
                {labelsText(item.metric)}
              </td>
              <td className="mono" style={{ whiteSpace: "pre" }}>
                {(item.values ?? [])
                  .slice(0, 200)
                  .map(([seconds, value]) => `${value} @${seconds}`)
                  .join("\n")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function HistogramText({ item }: { item: VectorItem }) {
  const histogram = item.histogram?.[1];
  if (!histogram) return null;
  const [count, sum] = [parseValue(histogram.count), parseValue(histogram.sum)];
  return (
    <span
      title={(histogram.buckets ?? []).map(([, lower, upper, n]) => `${lower} – ${upper}: ${n}`).join("\n")}
    >
      {formatUnit("number")(count)} values, mean {formatUnit("number")(sum / count)}
    </span>
  );
}

function numberOf(item: VectorItem): number {
  return parseValue(item.value?.[1] ?? item.histogram?.[1].count ?? "NaN");
}

function toCsv(asked: readonly Asked[], answers: Answers): string {
  const rows: unknown[][] = [["query", "series", "time", "value"]];
  answers.forEach((answer, query) => {
    const data = answer.data?.data;
    const expr = asked[query]?.expr ?? "";
    if (data?.resultType === "vector")
      for (const { metric, value, histogram } of data.result)
        rows.push([
          expr,
          labelsText(metric),
          value?.[0] ?? histogram?.[0],
          value?.[1] ?? histogram?.[1].count,
        ]);
    else if (data?.resultType === "scalar" || data?.resultType === "string")
      rows.push([expr, "", data.result[0], data.result[1]]);
  });
  return rows.map(csvRow).join("\r\n") + "\r\n";
}
