/** The search field of logs and traces: completes keys and values of what was really sent. */

import { IconSearch, IconX } from "@tabler/icons-react";
import { useId, useMemo, useRef, useState } from "react";

import { useFields, useFieldValues } from "../api/hooks";
import type { Field } from "../api/types";
import { complete, completingAt, valueText, type Completing } from "../lib/search";
import { formatCount } from "../lib/units";

type Option = { text: string; detail: string };

export function SearchBox({
  table,
  value,
  onSubmit,
  label,
  placeholder,
}: {
  table: "spans" | "logs";
  value: string;
  onSubmit: (query: string) => void;
  label: string;
  placeholder: string;
}) {
  const [text, setText] = useState(value);
  const [shownValue, setShownValue] = useState(value);
  const [cursor, setCursor] = useState(value.length);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  if (shownValue !== value) {
    setShownValue(value);
    setText(value);
  }
  const completing = open ? completingAt(text, cursor) : null;
  const options = useOptions(table, completing);
  const choose = (option: Option | undefined) => {
    if (!completing || !option) return;
    const next = complete(text, completing, option.text);
    setText(next.query);
    setAt(-1);
    requestAnimationFrame(() => {
      input.current?.setSelectionRange(next.cursor, next.cursor);
      setCursor(next.cursor);
    });
  };
  const submit = (query: string) => {
    setOpen(false);
    setAt(-1);
    onSubmit(query.trim());
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      const by = event.key === "ArrowDown" ? 1 : -1;
      if (options.length > 0)
        setAt((was) => (was + by + options.length + (was < 0 && by < 0 ? 1 : 0)) % options.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (open && at >= 0) choose(options[at]);
      else submit(text);
    } else if (event.key === "Tab" && open && at >= 0) {
      event.preventDefault();
      choose(options[at]);
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      setOpen(false);
    }
  };
  const listed = open && options.length > 0;
  return (
    <div
      className="search-box grow"
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <IconSearch size={15} aria-hidden className="search-icon" />
      <input
        ref={input}
        className="input mono"
        type="text"
        role="combobox"
        aria-label={label}
        aria-expanded={listed}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={listed && at >= 0 ? `${id}-${at}` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        value={text}
        data-search-field
        data-testid={`search-${table}`}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setCursor(event.currentTarget.selectionStart ?? 0);
          setOpen(true);
          setAt(-1);
        }}
        onSelect={(event) => setCursor(event.currentTarget.selectionStart ?? 0)}
        onClick={() => setOpen(true)}
        onKeyDown={onKeyDown}
      />
      {text !== "" && (
        <button
          type="button"
          className="icon-button search-clear"
          aria-label="Clear the search"
          onClick={() => {
            setText("");
            submit("");
            input.current?.focus();
          }}
        >
          <IconX size={14} aria-hidden />
        </button>
      )}
      <div id={`${id}-list`} role="listbox" aria-label="Completions" className="search-list" hidden={!listed}>
        {listed &&
          options.map((option, index) => (
            <div
              key={option.text}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === at}
              className="palette-item mono"
              onMouseDown={(event) => {
                event.preventDefault();
                choose(option);
              }}
              onMouseMove={() => setAt(index)}
            >
              <span className="ellipsis grow">{option.text}</span>
              <span className="dim">{option.detail}</span>
            </div>
          ))}
      </div>
    </div>
  );
}

const OPTIONS_MAX = 12;

/** What the query language calls a field. */
function queryName(field: Field): string {
  return field.scope === "column" ? field.name : field.key;
}

function useOptions(table: "spans" | "logs", completing: Completing | null): Option[] {
  const fields = useFields(table);
  const key = completing?.what === "value" ? completing.key : null;
  const field =
    key === null
      ? undefined
      : fields.data?.find((candidate) => queryName(candidate) === key || candidate.name === key);
  const values = useFieldValues(
    table,
    field?.name ?? null,
    completing?.what === "value" ? completing.prefix : "",
  );
  return useMemo(() => {
    if (!completing) return [];
    if (completing.what === "value") {
      return (values.data ?? [])
        .filter((value) => value.value !== null)
        .slice(0, OPTIONS_MAX)
        .map((value) => ({ text: valueText(value.value), detail: formatCount(value.count) }));
    }
    const prefix = completing.prefix.toLowerCase();
    const seen = new Set<string>();
    const found: (Option & { rank: number })[] = [];
    for (const candidate of fields.data ?? []) {
      const name = queryName(candidate);
      const where = name.toLowerCase().indexOf(prefix);
      if (where < 0 || seen.has(name)) continue;
      seen.add(name);
      found.push({
        text: name,
        detail: candidate.scope === "column" ? candidate.type : `${candidate.scope} · ${candidate.type}`,
        rank: (where === 0 ? 0 : 2) + (candidate.scope === "column" ? 0 : 1),
      });
    }
    return found.sort((a, b) => a.rank - b.rank).slice(0, OPTIONS_MAX);
  }, [completing, fields.data, values.data]);
}
