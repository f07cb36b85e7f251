import { parseTerms } from "./search";

export type Piece = { text: string; found: boolean };

/** The words of a query that a body must contain. */
export function wordsOf(query: string): string[] {
  return parseTerms(query)
    .filter((term) => term.key === null && !term.negated && term.value !== "")
    .flatMap((term) => term.value.toLowerCase().split("*"))
    .filter((word) => word !== "");
}

/** The text cut where the words are. */
export function highlight(text: string, words: readonly string[]): Piece[] {
  if (words.length === 0) return [{ text, found: false }];
  const lower = text.toLowerCase();
  const pieces: Piece[] = [];
  let at = 0;
  while (at < text.length) {
    let next = -1;
    let length = 0;
    for (const word of words) {
      const found = lower.indexOf(word, at);
      if (found >= 0 && (next < 0 || found < next || (found === next && word.length > length))) {
        next = found;
        length = word.length;
      }
    }
    // Lower-casing may change the length of exotic letters; then nothing is marked rather than the wrong place.
    if (next < 0 || lower.length !== text.length) break;
    if (next > at) pieces.push({ text: text.slice(at, next), found: false });
    pieces.push({ text: text.slice(next, next + length), found: true });
    at = next + length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), found: false });
  return pieces;
}

/** The body as an object or array, when it is one in JSON. */
export function parseJsonBody(body: string): unknown {
  const first = body.trimStart().charAt(0);
  if (first !== "{" && first !== "[") return undefined;
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}
