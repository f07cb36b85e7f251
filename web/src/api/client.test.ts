import { afterEach, expect, test, vi } from "vitest";

import { onReach, request, unreachableSince } from "./client";

afterEach(() => vi.unstubAllGlobals());

test("silence is told once, and the next answer ends it, also one that refuses", async () => {
  const told: boolean[] = [];
  const stop = onReach(() => told.push(unreachableSince() !== null));
  const answers: (() => Response)[] = [
    () => new Response("{}"),
    () => {
      throw new TypeError("Failed to fetch");
    },
    () => new Response("", { status: 502 }),
    () => new Response("{}", { status: 400 }),
    () => new Response("{}"),
  ];
  vi.stubGlobal("fetch", () => Promise.resolve().then(() => answers.shift()?.()));
  const codes: string[] = [];
  while (answers.length > 0)
    await request("/x").then(
      () => codes.push("ok"),
      (error: { code: string }) => codes.push(error.code),
    );
  stop();
  expect(codes).toEqual(["ok", "unreachable", "unreachable", "http", "ok"]);
  expect(told).toEqual([true, false]);
});

test("a question that was taken back says nothing about the server", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new DOMException("", "AbortError")));
  await expect(request("/x")).rejects.toThrow(DOMException);
  expect(unreachableSince()).toBeNull();
});
