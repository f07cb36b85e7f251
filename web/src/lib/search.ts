/**
 * The search language of logs and traces, as far as the page needs it: where the terms are, what
 * the cursor stands in, and adding or taking away a term. Its meaning is the server's.
 *
 *   word   part*   "a phrase"   -not   key:value   key!=value   key>=10   key=~"regex"   key:*
 */

export type Term = {
  from: number;
  to: number;
  negated: boolean;
  /** Null for a word or a phrase. */
  key: string | null;
  operator: string | null;
  /** Without its quotes. */
  value: string;
};

const OPERATORS = ["!=", "!~", "=~", ">=", "<=", ":", "=", ">", "<"] as const;

export function parseTerms(query: string): Term[] {
  const terms: Term[] = [];
  let at = 0;
  while (at < query.length) {
    if (/\s/.test(query.charAt(at))) {
      at += 1;
      continue;
    }
    const end = termEnd(query, at);
    terms.push(readTerm(query, at, end));
    at = end;
  }
  return terms;
}

function termEnd(query: string, from: number): number {
  let quoted = false;
  for (let at = from; at < query.length; at += 1) {
    const char = query.charAt(at);
    if (quoted && char === "\\") at += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && /\s/.test(char)) return at;
  }
  return query.length;
}

function readTerm(query: string, from: number, to: number): Term {
  let text = query.slice(from, to);
  const negated = text.length > 1 && text.startsWith("-");
  if (negated) text = text.slice(1);
  if (!text.startsWith('"')) {
    const found = firstOperator(text);
    if (found) {
      const value = unquote(text.slice(found.at + found.operator.length));
      return { from, to, negated, key: text.slice(0, found.at), operator: found.operator, value };
    }
  }
  return { from, to, negated, key: null, operator: null, value: unquote(text) };
}

function firstOperator(text: string): { at: number; operator: string } | null {
  for (let at = 1; at < text.length; at += 1) {
    const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at));
    if (operator) return { at, operator };
  }
  return null;
}

export function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  const inner = text.length > 1 && text.endsWith('"') ? text.slice(1, -1) : text.slice(1);
  return inner.replace(/\\(["\\])/g, "$1");
}

/** A value as it must be written: quoted when it holds anything but plain characters. */
export function quote(value: string): string {
  if (/^[A-Za-z0-9_./@+-]+$/.test(value) && !value.startsWith("-")) return value;
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/** The value of an attribute as the text a term compares with. */
export function valueText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

export function filterTerm(key: string, value: unknown, exclude: boolean): string {
  return `${key}${exclude ? "!=" : ":"}${quote(valueText(value))}`;
}

/** The query with a filter on a key and value; the opposite filter goes, a repeated one stays single. */
export function addFilter(query: string, key: string, value: unknown, exclude: boolean): string {
  const text = valueText(value);
  const kept = parseTerms(query).filter(
    (term) => !(term.key === key && term.value === text && !term.negated),
  );
  const parts = kept.map((term) => query.slice(term.from, term.to));
  parts.push(filterTerm(key, value, exclude));
  return parts.join(" ");
}

export type Completing =
  | { what: "key"; prefix: string; from: number; to: number }
  | { what: "value"; key: string; prefix: string; from: number; to: number };

/** What stands at the cursor and could be completed; an empty prefix between terms asks for a key. */
export function completingAt(query: string, cursor: number): Completing | null {
  const term = parseTerms(query).find((t) => t.from < cursor && cursor <= t.to);
  if (!term) return { what: "key", prefix: "", from: cursor, to: cursor };
  const start = term.from + (term.negated ? 1 : 0);
  if (term.key === null) {
    if (query.charAt(start) === '"') return null;
    return { what: "key", prefix: query.slice(start, cursor), from: start, to: term.to };
  }
  const valueFrom = start + term.key.length + (term.operator?.length ?? 0);
  if (cursor < valueFrom)
    return { what: "key", prefix: query.slice(start, cursor), from: start, to: start + term.key.length };
  return {
    what: "value",
    key: term.key,
    prefix: unquote(query.slice(valueFrom, cursor)),
    from: valueFrom,
    to: term.to,
  };
}

/** Puts a completion in place and says where the cursor goes. */
export function complete(
  query: string,
  completing: Completing,
  text: string,
): { query: string; cursor: number } {
  const inserted = completing.what === "key" ? `${text}:` : `${quote(text)} `;
  const rest = query.slice(completing.to);
  const tail = inserted.endsWith(" ") ? rest.replace(/^\s/, "") : rest.replace(/^[:=]/, "");
  return {
    query: query.slice(0, completing.from) + inserted + tail,
    cursor: completing.from + inserted.length,
  };
}
