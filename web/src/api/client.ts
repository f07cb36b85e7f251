/**
 * The one way to the server: adds the API key, turns error bodies into `ApiError`, and tells the
 * page when a key is asked for, and since when the server does not answer.
 */

import type { ErrorBody } from "./types";

const KEY = "trefoil.api-key";

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(status: number, body: ErrorBody) {
    super(body.message);
    this.name = "ApiError";
    this.status = status;
    this.code = body.code;
    this.hint = body.hint;
    this.line = body.line;
    this.column = body.column;
  }
}

export function apiKey(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function setApiKey(key: string | null): void {
  try {
    if (key === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, key);
  } catch {
    // Without storage the key is asked for again after a reload.
  }
}

type Listener = () => void;
const unauthorized = new Set<Listener>();

/** Calls back whenever the server answers 401. */
export function onUnauthorized(listener: Listener): () => void {
  unauthorized.add(listener);
  return () => unauthorized.delete(listener);
}

let silentSince: number | null = null;
const reached = new Set<Listener>();

/** Since when the server has not answered, in milliseconds; null while it does. */
export function unreachableSince(): number | null {
  return silentSince;
}

/** Calls back when the server falls silent, and when it answers again. */
export function onReach(listener: Listener): () => void {
  reached.add(listener);
  return () => reached.delete(listener);
}

function heard(answered: boolean): void {
  if (answered === (silentSince === null)) return;
  silentSince = answered ? null : Date.now();
  for (const listener of reached) listener();
}

/** What stands between a page and a server that is gone answers in its place. */
const BAD_GATEWAY = 502;

function unreachable(): ApiError {
  heard(false);
  return new ApiError(0, {
    code: "unreachable",
    message: "the server does not answer",
    hint: "Is trefoil still running? The page asks again by itself.",
  });
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const key = apiKey();
  if (key) headers.set("authorization", `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw unreachable();
  }
  if (response.status === BAD_GATEWAY) throw unreachable();
  heard(true);
  if (response.ok) return response;
  if (response.status === 401) for (const listener of unauthorized) listener();
  throw new ApiError(response.status, await errorBody(response));
}

async function errorBody(response: Response): Promise<ErrorBody> {
  const text = await response.text().catch(() => "");
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "error" in parsed) {
      const { error } = parsed;
      if (typeof error === "object" && error !== null && "message" in error) return error as ErrorBody;
      if (typeof error === "string") return prometheusError(error, "errorType" in parsed && parsed.errorType);
    }
  } catch {
    // Not JSON: what it says is shown as it is.
  }
  const message = text.trim().slice(0, 300) || response.statusText || "no reason given";
  return { code: "http", message: `${response.status}: ${message}` };
}

/** Prometheus says where a fault is in its text: `1:5: parse error: …`. */
function prometheusError(error: string, type: unknown): ErrorBody {
  const code = typeof type === "string" ? type : "http";
  const at = /(?:^|[: ])(\d+):(\d+): parse error: /.exec(error);
  if (!at) return { code, message: error };
  return { code, message: error, line: Number(at[1]), column: Number(at[2]) };
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export async function postJson<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const response = await request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
  return (await response.json()) as T;
}
