/** Faults in an expression, as the server's own parser finds them; where it has none, as the grammar does. */

import type { Diagnostic } from "@codemirror/lint";
import type { Text } from "@codemirror/state";
import { HybridLint } from "@prometheus-io/codemirror-promql/dist/esm/lint/hybrid";

import { ApiError } from "../../api/client";
import { ask } from "../../api/prometheus";

/** A server without `parse_query` is not asked again. */
let serverParses = true;

export const serverLint = {
  promQL() {
    const byGrammar = new HybridLint().promQL();
    return async (view: Parameters<typeof byGrammar>[0]): Promise<readonly Diagnostic[]> => {
      const text = view.state.doc;
      if (text.toString().trim() === "") return [];
      if (!serverParses) return byGrammar(view);
      try {
        await ask("/parse_query", { query: text.toString() }, undefined, "POST");
        return [];
      } catch (error) {
        if (!(error instanceof ApiError)) return [];
        if (error.code === "bad_data") return [diagnostic(text, error)];
        if (error.status === 404 || error.status === 405) serverParses = false;
        return byGrammar(view);
      }
    };
  },
};

export function diagnostic(
  text: Text,
  fault: { message: string; line?: number | undefined; column?: number | undefined },
): Diagnostic {
  const message = plainMessage(fault.message);
  if (fault.line === undefined || fault.line < 1 || fault.line > text.lines)
    return { from: 0, to: text.length, severity: "error", message };
  const line = text.line(fault.line);
  const from = Math.min(line.to, line.from + Math.max(0, (fault.column ?? 1) - 1));
  const word = /^[\w:.]+/.exec(line.text.slice(from - line.from))?.[0].length ?? 1;
  // At the end there is nothing to mark but what stands before it.
  if (from === text.length && from > 0) return { from: from - 1, to: from, severity: "error", message };
  return { from, to: Math.min(text.length, from + word), severity: "error", message };
}

/** Without the place and the parameter, which are shown otherwise. */
export function plainMessage(message: string): string {
  return message.replace(/^invalid parameter "[a-z]+": /, "").replace(/^\d+:\d+: /, "");
}
