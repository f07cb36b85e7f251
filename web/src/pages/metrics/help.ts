/** What is said of a word in an expression. */

import {
  aggregateOpModifierTerms,
  aggregateOpTerms,
  atModifierTerms,
  binOpModifierTerms,
  functionIdentifierTerms,
} from "@prometheus-io/codemirror-promql/dist/esm/complete/promql.terms";

import type { Family } from "../../lib/promql";

export type Help = { title: string; detail: string; text: string };

type Term = { label: string; detail?: string; info: string };

const TERMS: ReadonlyMap<string, Term> = new Map(
  [
    ...functionIdentifierTerms,
    ...aggregateOpTerms,
    ...aggregateOpModifierTerms,
    ...binOpModifierTerms,
    ...atModifierTerms,
  ].map((term: Term) => [term.label, term]),
);

/** A function, an aggregation or a modifier of the language. */
export function termHelp(word: string): Help | null {
  const term = TERMS.get(word);
  return term ? { title: term.label, detail: term.detail ?? "", text: term.info } : null;
}

/** A metric, by its own name or by that of one of its series. */
export function familyHelp(families: readonly Family[], name: string): Help | null {
  const family = families.find((one) => one.name === name || one.names.includes(name));
  if (!family) return null;
  return {
    title: family.name,
    detail: [family.type, family.unit].filter(Boolean).join(", "),
    text: family.help,
  };
}
