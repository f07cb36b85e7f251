/** Completion of columns and functions in SQL; keywords come with the language. */

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";

import type { Field } from "../../api/types";

export const TABLES = ["spans", "logs", "metrics"] as const;
export type Table = (typeof TABLES)[number];
export type Tables = Readonly<Record<Table, readonly Field[]>>;

const metricField = (name: string, type: string, doc: string): Field => ({
  name,
  key: name,
  scope: "column",
  type,
  doc,
});

/** The columns of `metrics`, which are always these. */
export const METRIC_FIELDS: readonly Field[] = [
  metricField("time", "timestamp", "Of the sample, UTC, milliseconds."),
  metricField("name", "string", "The metric's name."),
  metricField("labels", "map", "All other labels: labels['job']."),
  metricField("value", "double", "Of a float; NULL for native histograms."),
  metricField("count", "double", "Observations of a native histogram; NULL for floats."),
  metricField("sum", "double", "Sum of a native histogram's observations; NULL for floats."),
];

/** What to ask to get to know a column: its most frequent values, or between what it lies. */
export function valuesQuery(table: Table, field: Field): string {
  if (table === "metrics") return field.name === "name" ? METRIC_NAMES : METRIC_SAMPLES;
  const column = columnName(field);
  const recent = `FROM ${table}\nWHERE time > now() - INTERVAL '1 hour'`;
  if (field.type === "timestamp")
    return `SELECT min(${column}) AS first, max(${column}) AS last, count(${column}) AS rows\n${recent}`;
  return `SELECT ${column} AS value, count(*) AS rows\n${recent} AND ${column} IS NOT NULL\nGROUP BY value\nORDER BY rows DESC\nLIMIT 100`;
}

const METRIC_NAMES = `SELECT name, count(*) AS samples
FROM metrics
WHERE time > now() - INTERVAL '5 minutes'
GROUP BY name
ORDER BY samples DESC`;
const METRIC_SAMPLES = `SELECT time, labels['job'] AS job, labels['instance'] AS instance, value
FROM metrics
WHERE name = 'up' AND time > now() - INTERVAL '15 minutes'
ORDER BY time DESC
LIMIT 200`;

const FUNCTIONS: readonly (readonly [string, string])[] = [
  ["count(*)", "rows"],
  ["sum()", "of numbers"],
  ["avg()", "of numbers"],
  ["min()", "smallest"],
  ["max()", "largest"],
  ["approx_percentile_cont(, 0.95)", "percentile, estimated"],
  ["approx_distinct()", "different values, estimated"],
  ["date_bin(INTERVAL '1 minute', time)", "start of the bucket"],
  ["date_trunc('hour', time)", "start of the unit"],
  ["now()", "the time"],
  ["coalesce()", "the first that is not null"],
  ["regexp_like(, '')", "matches"],
];

/** Tables that the text names after FROM or JOIN, each with its aliases; those of events when it names none. */
export function tablesIn(sql: string): { table: Table; alias: string }[] {
  const found: { table: Table; alias: string }[] = [];
  for (const match of sql.matchAll(/\b(?:from|join)\s+(spans|logs|metrics)\b(?:\s+(?:as\s+)?(\w+))?/gi)) {
    const table = TABLES.find((name) => name === match[1]?.toLowerCase()) ?? "spans";
    const alias = match[2] ?? table;
    found.push({ table, alias: KEYWORDS_BEHIND.has(alias.toLowerCase()) ? table : alias });
  }
  if (found.length > 0) return found;
  return [
    { table: "spans", alias: "spans" },
    { table: "logs", alias: "logs" },
  ];
}

/** What may stand behind a table's name and is no alias. */
const KEYWORDS_BEHIND = new Set(
  "where join left right inner full cross on group order limit union having as".split(" "),
);

export function columnName(field: Field): string {
  return field.scope === "column" ? field.name : `${field.scope}['${field.key.replaceAll("'", "''")}']`;
}

export function columnsFor(sql: string, alias: string | null, tables: Tables): Completion[] {
  const wanted = tablesIn(sql).filter(
    (one) => alias === null || one.alias.toLowerCase() === alias.toLowerCase(),
  );
  const seen = new Map<string, Completion>();
  for (const { table } of wanted) {
    for (const field of tables[table]) {
      const label = columnName(field);
      if (seen.has(label)) continue;
      const fixed = field.scope === "column";
      const completion = { label, type: "property", detail: field.type, boost: fixed ? 20 : 10 };
      seen.set(label, field.doc ? { ...completion, info: field.doc } : completion);
    }
  }
  return [...seen.values()];
}

export function columnSource(tables: () => Tables): (context: CompletionContext) => CompletionResult | null {
  return (context) => {
    const typed = context.matchBefore(/(?:\w+\.)?\w*/);
    if (!typed || (typed.from === typed.to && !context.explicit)) return null;
    const dot = typed.text.indexOf(".");
    const alias = dot < 0 ? null : typed.text.slice(0, dot);
    const options = columnsFor(context.state.doc.toString(), alias, tables());
    if (alias === null) {
      for (const [label, detail] of FUNCTIONS) options.push({ label, detail, type: "function", boost: 5 });
    }
    return { from: typed.from + dot + 1, options, validFor: /^\w*$/ };
  };
}
