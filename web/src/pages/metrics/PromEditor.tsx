/** One PromQL expression: completion from the server, help under the pointer, faults where they are. */

import { autocompletion, closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, hoverTooltip, keymap, placeholder, tooltips } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { useEffect, useRef } from "react";

import { request } from "../../api/client";
import { colours, look } from "../../components/codemirror";
import { termHelp, type Help } from "./help";
import { serverLint } from "./lint";

const words = HighlightStyle.define([
  { tag: tags.function(tags.variableName), color: "var(--code-type)" },
  { tag: [tags.operatorKeyword, tags.modifier, tags.logicOperator], color: "var(--code-keyword)" },
  { tag: tags.labelName, color: "var(--code-label)" },
]);

const small = EditorView.theme({
  "&": { height: "auto", fontSize: "13px" },
  ".cm-scroller": { lineHeight: "1.55", maxHeight: "180px" },
  ".cm-content": { padding: "5px 0" },
});

/** Completion reaches the server by the one way that carries the key. */
function promql(): PromQLExtension {
  return new PromQLExtension()
    .setComplete({
      remote: {
        url: "/prometheus",
        httpMethod: "GET",
        fetchFn: (input, init) => request(input instanceof Request ? input.url : String(input), init),
        httpErrorHandler: () => undefined,
        cache: { maxAge: 30_000 },
      },
    })
    .setLinter(serverLint);
}

export function PromEditor({
  value,
  label,
  metricHelp,
  autoFocus,
  onChange,
  onRun,
}: {
  value: string;
  label: string;
  /** What is known of a metric's name, for the help under the pointer. */
  metricHelp: (name: string) => Help | null;
  autoFocus?: boolean;
  onChange: (text: string) => void;
  onRun: () => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ onChange, onRun, value, metricHelp, autoFocus });
  useEffect(() => {
    latest.current = { onChange, onRun, value, metricHelp, autoFocus };
  });
  useEffect(() => {
    const parent = host.current;
    if (!parent) return undefined;
    const language = promql();
    const run = () => {
      latest.current.onRun();
      return true;
    };
    const editor = new EditorView({
      parent,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          Prec.high(
            keymap.of([
              { key: "Mod-Enter", run },
              { key: "Shift-Enter", run: insertNewlineAndIndent },
              { key: "Enter", run },
            ]),
          ),
          history(),
          drawSelection(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ icons: false }),
          keymap.of([...closeBracketsKeymap, ...historyKeymap, ...defaultKeymap]),
          language.asExtension(),
          syntaxHighlighting(words),
          syntaxHighlighting(colours),
          look,
          small,
          EditorView.lineWrapping,
          tooltips({ parent: document.body, position: "fixed" }),
          helpTooltip((name) => latest.current.metricHelp(name)),
          placeholder("A metric’s name, or an expression: sum(rate(…[5m]))"),
          EditorView.contentAttributes.of({
            "aria-label": label,
            "data-testid": "promql-editor",
            "data-search-field": "",
          }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    if (latest.current.autoFocus) editor.focus();
    return () => {
      language.destroy();
      editor.destroy();
      view.current = null;
    };
  }, [label]);
  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value)
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);
  return <div ref={host} className="promql-editor grow" />;
}

const WORD = /[a-zA-Z0-9_:]/;

function helpTooltip(metricHelp: (name: string) => Help | null) {
  return hoverTooltip((editor, at) => {
    const line = editor.state.doc.lineAt(at);
    let [from, to] = [at - line.from, at - line.from];
    while (from > 0 && WORD.test(line.text[from - 1] ?? "")) from -= 1;
    while (to < line.text.length && WORD.test(line.text[to] ?? "")) to += 1;
    const word = line.text.slice(from, to);
    const help = word === "" ? null : (termHelp(word) ?? metricHelp(word));
    if (!help) return null;
    return {
      pos: line.from + from,
      end: line.from + to,
      above: false,
      create: () => ({ dom: helpCard(help) }),
    };
  });
}

function helpCard({ title, detail, text }: Help): HTMLElement {
  const card = document.createElement("div");
  card.className = "promql-help";
  const head = card.appendChild(document.createElement("div"));
  head.appendChild(document.createElement("b")).textContent = title;
  head.appendChild(document.createElement("span")).textContent = detail;
  if (text) card.appendChild(document.createElement("p")).textContent = text;
  return card;
}
