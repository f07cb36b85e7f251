/** Rule groups as the page shows them: which rules are asked for, and what is worst first. */

import type { AlertingRule, AlertState, Rule, RuleGroup } from "../../api/prometheus";
import { labelsText } from "../../lib/series";

export const STATES = ["all", "firing", "pending", "inactive", "error"] as const;
export type StateFilter = (typeof STATES)[number];

export const isAlerting = (rule: Rule): rule is AlertingRule => rule.type === "alerting";

/** An alert with a fault in it cannot fire: that is said before its state. */
export function stateOf(rule: Rule): AlertState | "error" | "ok" {
  if (rule.health === "err") return "error";
  return isAlerting(rule) ? rule.state : "ok";
}

/** Every word must be somewhere: in the name, the expression, a label or the error. */
export function matchesRule(rule: Rule, state: StateFilter, words: readonly string[]): boolean {
  if (state !== "all" && stateOf(rule) !== state) return false;
  const text = `${rule.name} ${rule.query} ${labelsText(rule.labels ?? {})} ${rule.lastError ?? ""}`;
  return words.every((word) => text.toLowerCase().includes(word));
}

const RANK = ["error", "firing", "pending", "inactive", "ok"] as const;
const rank = (rule: Rule) => RANK.indexOf(stateOf(rule));

/** The groups with a rule that is asked for, those with something wrong first. The rules keep their order. */
export function chosenGroups(
  groups: readonly RuleGroup[],
  state: StateFilter,
  words: readonly string[],
): RuleGroup[] {
  const worst = (group: RuleGroup) => Math.min(RANK.length, ...group.rules.map(rank));
  return groups
    .map((group) => ({ ...group, rules: group.rules.filter((rule) => matchesRule(rule, state, words)) }))
    .filter((group) => group.rules.length > 0)
    .sort((a, b) => worst(a) - worst(b) || a.file.localeCompare(b.file) || a.name.localeCompare(b.name));
}

/** How many rules are in each state, of all. */
export function countStates(groups: readonly RuleGroup[]): Readonly<Record<StateFilter, number>> {
  const counts = { all: 0, firing: 0, pending: 0, inactive: 0, error: 0 };
  for (const rule of groups.flatMap((group) => group.rules)) {
    counts.all += 1;
    const state = stateOf(rule);
    if (state !== "ok") counts[state] += 1;
  }
  return counts;
}
