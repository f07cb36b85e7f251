/** Targets put together by their pool, and which of them are asked for. */

import type { Target } from "../../api/prometheus";
import { labelsText } from "../../lib/series";

export const HEALTHS = ["all", "up", "down", "unknown"] as const;
export type Health = (typeof HEALTHS)[number];

export type Pool = { name: string; up: number; targets: Target[] };

/** Every word must be somewhere: in the address, a label or the error. */
export function matches(target: Target, health: Health, words: readonly string[]): boolean {
  if (health !== "all" && target.health !== health) return false;
  const text = `${target.scrapeUrl} ${labelsText(target.labels)} ${target.lastError}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

/** Pools with something down first, then by name; inside, what is down first. */
export function pools(targets: readonly Target[]): Pool[] {
  const found = new Map<string, Target[]>();
  for (const target of targets)
    found.set(target.scrapePool, [...(found.get(target.scrapePool) ?? []), target]);
  const rank = (target: Target) => ["down", "unknown", "up"].indexOf(target.health);
  return [...found]
    .map(([name, of]) => ({
      name,
      up: of.filter((target) => target.health === "up").length,
      targets: [...of].sort((a, b) => rank(a) - rank(b) || a.scrapeUrl.localeCompare(b.scrapeUrl)),
    }))
    .sort(
      (a, b) =>
        Number(a.up === a.targets.length) - Number(b.up === b.targets.length) || a.name.localeCompare(b.name),
    );
}
