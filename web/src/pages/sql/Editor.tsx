import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, syntaxHighlighting } from "@codemirror/language";
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
import { useEffect, useRef } from "react";

import { colours, look } from "../../components/codemirror";
import { columnSource, type Tables } from "./complete";

export type Problem = { line: number; column: number; message: string };

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
          sql({ dialect: PostgreSQL, upperCaseKeywords: true, schema: { spans: [], logs: [], metrics: [] } }),
          PostgreSQL.language.data.of({ autocomplete: columnSource(() => latest.current.tables) }),
          syntaxHighlighting(colours),
          look,
          EditorView.lineWrapping,
          placeholder("SELECT … FROM spans"),
          EditorView.contentAttributes.of({
            "aria-label": "SQL query",
            "aria-description": "Escape, then Tab, leaves the editor",
            "data-testid": "sql-editor",
          }),
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
