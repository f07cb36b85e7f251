/** Completion of columns and functions in SQL; keywords come with the language. */

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";

import type { Field } from "../../api/types";

export type Tables = Readonly<Record<"spans" | "logs", readonly Field[]>>;

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

/** Tables that the text names after FROM or JOIN, each with its aliases; both when it names none. */
export function tablesIn(sql: string): { table: "spans" | "logs"; alias: string }[] {
  const found: { table: "spans" | "logs"; alias: string }[] = [];
  for (const match of sql.matchAll(/\b(?:from|join)\s+(spans|logs)\b(?:\s+(?:as\s+)?(\w+))?/gi)) {
    const table = match[1]?.toLowerCase() === "logs" ? "logs" : "spans";
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
