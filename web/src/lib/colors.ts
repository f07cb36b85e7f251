/**
 * A colour for each service, the same on every page and visit.
 *
 * Every colour has at least 4.5:1 against its theme's panels, so that it may be text. A service
 * takes the slot its name hashes to among those that differ most; when that is taken, the next free
 * one, so that two services differ while there are slots. What was taken is remembered.
 */

export type Theme = "light" | "dark";

const LIGHT = [
  "#1764ab",
  "#9c36b5",
  "#8c5f00",
  "#0b7285",
  "#c2255c",
  "#2b7a1f",
  "#7a4b3a",
  "#a8480a",
  "#5f3dc4",
  "#5c6f0a",
  "#087a5b",
  "#8a3fb0",
  "#a61e5c",
  "#3f51b5",
  "#2f6f8f",
  "#6a6f1c",
  "#b3261e",
  "#496057",
] as const;

const DARK = [
  "#5cabf5",
  "#e599f7",
  "#e6b84d",
  "#4dd0e1",
  "#ff8fab",
  "#7ccf6b",
  "#d3a48f",
  "#f09a5b",
  "#b197fc",
  "#c0ca5a",
  "#4fd1a5",
  "#c792ea",
  "#f48fb1",
  "#9fa8ff",
  "#82c4dd",
  "#d4d27a",
  "#ff8a80",
  "#a3bdb1",
] as const;

export const SLOTS = LIGHT.length;
/** The first so many are far from each other; the others lie between them. */
export const DISTINCT = 7;

export const PANEL: Readonly<Record<Theme, string>> = { light: "#ffffff", dark: "#15191c" };

export const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "unknown"] as const;
export type Level = (typeof LEVELS)[number];

const LEVEL_COLORS: Readonly<Record<Theme, Readonly<Record<Level, string>>>> = {
  light: {
    fatal: "#8f1d86",
    error: "#c42b23",
    warn: "#9a5b00",
    info: "#1b6fb3",
    debug: "#556270",
    trace: "#60646b",
    unknown: "#5f656b",
  },
  dark: {
    fatal: "#ee8ae5",
    error: "#ff7b72",
    warn: "#e8b04a",
    info: "#62b0f4",
    debug: "#9aa9b5",
    trace: "#8d979f",
    unknown: "#909aa1",
  },
};

export function levelColor(level: string | null | undefined, theme: Theme): string {
  const colors = LEVEL_COLORS[theme];
  return colors[isLevel(level) ? level : "unknown"];
}

export function isLevel(level: string | null | undefined): level is Level {
  return LEVELS.some((known) => known === level);
}

export function colorOfSlot(slot: number, theme: Theme): string {
  const palette = theme === "light" ? LIGHT : DARK;
  return palette[slot % SLOTS] ?? palette[0];
}

/** FNV-1a, 32 bits: small, even enough, the same everywhere. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    value ^= text.charCodeAt(i);
    value = Math.imul(value, 0x01000193);
  }
  return value >>> 0;
}

/** The first slot that is not taken, of so many, from the one on that the name hashes to. */
function free(from: number, slots: number, taken: ReadonlySet<number>): number | undefined {
  return Array.from({ length: slots }, (_, at) => ((from % slots) + at) % slots).find(
    (slot) => !taken.has(slot),
  );
}

type Store = Pick<Storage, "getItem" | "setItem">;
const KEY = "trefoil.service-colors";
const REMEMBERED_MAX = 200;

export class ServiceColors {
  private readonly slots = new Map<string, number>();

  constructor(private readonly store: Store | null) {
    try {
      const kept: unknown = JSON.parse(store?.getItem(KEY) ?? "{}");
      if (typeof kept !== "object" || kept === null) return;
      for (const [name, slot] of Object.entries(kept)) {
        if (typeof slot === "number" && slot >= 0 && slot < SLOTS) this.slots.set(name, slot);
      }
    } catch {
      // What cannot be read is assigned anew.
    }
  }

  slot(service: string): number {
    const known = this.slots.get(service);
    if (known !== undefined) return known;
    const taken = new Set(this.slots.values());
    const slot =
      free(hash(service), DISTINCT, taken) ?? free(hash(service), SLOTS, taken) ?? hash(service) % SLOTS;
    this.slots.set(service, slot);
    if (this.slots.size <= REMEMBERED_MAX) this.keep();
    return slot;
  }

  /** The services that have a colour. */
  names(): string[] {
    return [...this.slots.keys()];
  }

  color(service: string, theme: Theme): string {
    return colorOfSlot(this.slot(service), theme);
  }

  private keep(): void {
    try {
      this.store?.setItem(KEY, JSON.stringify(Object.fromEntries(this.slots)));
    } catch {
      // A full or refused storage costs only the memory of it.
    }
  }
}

/** WCAG's contrast ratio of two `#rrggbb` colours, 1 to 21. */
export function contrast(a: string, b: string): number {
  const [la, lb] = [luminance(a), luminance(b)];
  return (Math.max(la, lb) + 0.05) / (Math.min(la, lb) + 0.05);
}

function luminance(color: string): number {
  const channel = (at: number) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}
