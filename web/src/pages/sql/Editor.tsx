import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { setDiagnostics } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

import { columnSource, type Tables } from "./complete";

export type Problem = { line: number; column: number; message: string };

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--sql-keyword)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--sql-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--sql-number)" },
  { tag: tags.comment, color: "var(--dim)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--sql-type)" },
]);

const look = EditorView.theme({
  "&": { height: "100%", backgroundColor: "transparent", color: "var(--text)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--dim)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": {
    backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)",
  },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "color-mix(in srgb, var(--accent) 26%, transparent)",
  },
  ".cm-tooltip": {
    background: "var(--raised)",
    border: "1px solid var(--border-strong)",
    borderRadius: "6px",
    boxShadow: "var(--shadow)",
  },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
    background: "var(--selected)",
    color: "var(--text)",
  },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12px" },
  ".cm-completionDetail": { color: "var(--dim)", fontStyle: "normal" },
  ".cm-placeholder": { color: "var(--dim)" },
});

/** A SQL editor; `onRun` is called with the text on Ctrl-Enter. */
export function Editor({
  value,
  tables,
  problem,
  onChange,
  onRun,
}: {
  value: string;
  tables: Tables;
  problem: Problem | null;
  onChange: (text: string) => void;
  onRun: (text: string) => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ onChange, onRun, value, tables });
  useEffect(() => {
    latest.current = { onChange, onRun, value, tables };
  });
  useEffect(() => {
    const parent = host.current;
    if (!parent) return undefined;
    const run = () => {
      const text = view.current?.state.doc.toString() ?? "";
      latest.current.onRun(text);
      return true;
    };
    const editor = new EditorView({
      parent,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          Prec.highest(keymap.of([{ key: "Mod-Enter", run }])),
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ icons: false }),
          keymap.of([
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...historyKeymap,
            ...defaultKeymap,
            indentWithTab,
          ]),
          sql({ dialect: PostgreSQL, upperCaseKeywords: true, schema: { spans: [], logs: [] } }),
          PostgreSQL.language.data.of({ autocomplete: columnSource(() => latest.current.tables) }),
          syntaxHighlighting(colours),
          look,
          EditorView.lineWrapping,
          placeholder("SELECT … FROM spans"),
          EditorView.contentAttributes.of({ "aria-label": "SQL query", "data-testid": "sql-editor" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, []);
  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value)
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);
  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const { doc } = editor.state;
    if (!problem || problem.line < 1 || problem.line > doc.lines) {
      editor.dispatch(setDiagnostics(editor.state, []));
      return;
    }
    const line = doc.line(problem.line);
    const from = Math.min(line.to, line.from + Math.max(0, problem.column - 1));
    const word = /^[\w.]+/.exec(line.text.slice(from - line.from))?.[0].length ?? 1;
    editor.dispatch(
      setDiagnostics(editor.state, [
        { from, to: Math.min(doc.length, from + word), severity: "error", message: problem.message },
      ]),
    );
  }, [problem]);
  return <div ref={host} className="sql-editor" />;
}
