/** The live tail: lines as they come, by a stream that is opened again when it breaks. */

import { EventStreamParser } from "../lib/sse";
import { ApiError, request } from "./client";
import type { ErrorBody, LogRow } from "./types";

export type TailState = "connecting" | "open" | "broken";
export type TailHandlers = {
  rows: (rows: LogRow[]) => void;
  dropped: (rows: number) => void;
  state: (state: TailState, error: unknown) => void;
};

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

export async function tailLogs(query: string, handlers: TailHandlers, signal: AbortSignal): Promise<void> {
  let wait = RETRY_MS_MIN;
  while (!signal.aborted) {
    handlers.state("connecting", null);
    try {
      const response = await request(`/api/v1/logs/tail${query}`, {
        signal,
        headers: { accept: "text/event-stream" },
      });
      handlers.state("open", null);
      wait = RETRY_MS_MIN;
      await read(response, handlers);
    } catch (error) {
      if (signal.aborted) return;
      handlers.state("broken", error);
    }
    await pause(wait, signal);
    wait = Math.min(RETRY_MS_MAX, wait * 2);
  }
}

async function read(response: Response, handlers: TailHandlers): Promise<void> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const decoder = new TextDecoder();
  const parser = new EventStreamParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of parser.push(decoder.decode(value, { stream: true }))) {
      if (event.event === "rows") handlers.rows(JSON.parse(event.data) as LogRow[]);
      if (event.event === "error") throw new ApiError(0, errorOf(event.data));
      if (event.event === "dropped") handlers.dropped((JSON.parse(event.data) as { rows: number }).rows);
    }
  }
}

/** The stream's own complaint: the body of an ordinary error. */
function errorOf(data: string): ErrorBody {
  const parsed = JSON.parse(data) as { error?: ErrorBody } | null;
  return parsed?.error ?? { code: "internal", message: "the stream broke" };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
