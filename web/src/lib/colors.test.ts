import { describe, expect, test } from "vitest";

import {
  colorOfSlot,
  contrast,
  DISTINCT,
  hash,
  levelColor,
  LEVELS,
  PANEL,
  ServiceColors,
  SLOTS,
  type Theme,
} from "./colors";

const AA = 4.5;
const PAGE: Record<Theme, string> = { light: "#f6f7f8", dark: "#0d1012" };
const SELECTED: Record<Theme, string> = { light: "#e3f4ec", dark: "#15302a" };

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  test("every service's colour may be text on panels, pages and selected rows", () => {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      for (const ground of [PANEL[theme], PAGE[theme], SELECTED[theme]]) {
        expect(
          contrast(colorOfSlot(slot, theme), ground),
          `slot ${slot} ${colorOfSlot(slot, theme)} on ${ground}`,
        ).toBeGreaterThanOrEqual(AA);
      }
    }
  });
  test("every level's colour may be text", () => {
    for (const level of LEVELS) {
      for (const ground of [PANEL[theme], PAGE[theme], SELECTED[theme]])
        expect(contrast(levelColor(level, theme), ground), `${level} on ${ground}`).toBeGreaterThanOrEqual(
          AA,
        );
    }
  });
});

test("black on white is 21 to 1", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 1);
});

test("an unknown level has the colour of unknown", () => {
  expect(levelColor(null, "light")).toBe(levelColor("unknown", "light"));
  expect(levelColor("loud", "dark")).toBe(levelColor("unknown", "dark"));
});

function memory(): Pick<Storage, "getItem" | "setItem"> & { text: string | null } {
  return {
    text: null,
    getItem() {
      return this.text;
    },
    setItem(_key, value) {
      this.text = value;
    },
  };
}

test("services differ while there are colours, and keep theirs over visits", () => {
  const store = memory();
  const first = new ServiceColors(store);
  const names = Array.from({ length: SLOTS }, (_, at) => `service-${at}`);
  expect(new Set(names.map((name) => first.slot(name))).size).toBe(SLOTS);
  const second = new ServiceColors(store);
  for (const name of [...names].reverse()) expect(second.slot(name)).toBe(first.slot(name));
});

test("the first services have the colours that differ most", () => {
  const colors = new ServiceColors(null);
  const slots = Array.from({ length: DISTINCT }, (_, at) => colors.slot(`service-${at}`));
  expect(Math.max(...slots)).toBe(DISTINCT - 1);
  for (const theme of ["light", "dark"] as const) {
    const apart = slots.flatMap((a) =>
      slots.filter((b) => b > a).map((b) => distance(colorOfSlot(a, theme), colorOfSlot(b, theme))),
    );
    expect(Math.min(...apart), theme).toBeGreaterThan(40);
  }
});

/** Of two `#rrggbb` colours: the straight line between them. */
function distance(a: string, b: string): number {
  const channels = (color: string) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  const [left, right] = [channels(a), channels(b)];
  return Math.hypot(...left.map((value, at) => value - (right[at] ?? 0)));
}

test("one more service than there are colours shares the one that it hashes to", () => {
  const colors = new ServiceColors(null);
  for (let at = 0; at < SLOTS; at += 1) colors.slot(`service-${at}`);
  expect(colors.slot("late")).toBe(hash("late") % SLOTS);
});

test("those that were seen before are known", () => {
  const colors = new ServiceColors(null);
  colors.slot("a");
  expect(colors.names()).toEqual(["a"]);
});

test("spoiled memory is forgotten", () => {
  const store = memory();
  for (const text of ["{", "null", '{"a":99}', '{"a":"x"}']) {
    store.text = text;
    expect(new ServiceColors(store).slot("a")).toBe(hash("a") % DISTINCT);
  }
});
