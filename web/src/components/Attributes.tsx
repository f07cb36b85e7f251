/** Attributes as a table: copy each, search for each. */

import { Tooltip } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { IconMinus, IconPlus, IconSearch } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";

import { filterTerm, valueText } from "../lib/search";
import { Copy } from "./Copy";

type Filter = (key: string, value: unknown, exclude: boolean) => void;

/** A value longer than this is folded. */
const LONG = 600;

export function Attributes({
  label,
  entries,
  searchTraces,
  onFilter,
}: {
  label: string;
  entries: readonly (readonly [string, unknown])[];
  /** Each row links to a search for its value among traces. */
  searchTraces?: boolean;
  /** Each row can be put into the page's own search, or kept out of it. */
  onFilter?: Filter;
}) {
  return (
    <table className="attributes" aria-label={label}>
      <tbody>
        {entries.map(([key, value]) => (
          <tr key={key}>
            <th scope="row">{key}</th>
            <td>
              <Value value={value} />
              <span className="actions">
                {onFilter && (
                  <>
                    <Tooltip label={`Only ${key} = this`} openDelay={300}>
                      <button
                        type="button"
                        className="icon-button"
                        aria-label={`Only lines with this ${key}`}
                        onClick={() => onFilter(key, value, false)}
                      >
                        <IconPlus size={14} aria-hidden />
                      </button>
                    </Tooltip>
                    <Tooltip label={`Without ${key} = this`} openDelay={300}>
                      <button
                        type="button"
                        className="icon-button"
                        aria-label={`Without lines with this ${key}`}
                        onClick={() => onFilter(key, value, true)}
                      >
                        <IconMinus size={14} aria-hidden />
                      </button>
                    </Tooltip>
                  </>
                )}
                {searchTraces && (
                  <Link
                    to="/traces"
                    search={{ q: filterTerm(key, value, false) }}
                    className="icon-button"
                    aria-label={`Search traces with this ${key}`}
                    title="Search traces for this"
                  >
                    <IconSearch size={13} aria-hidden />
                  </Link>
                )}
                <Copy text={valueText(value)} label={`Copy ${key}`} size={13} />
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Value({ value }: { value: unknown }) {
  const [open, setOpen] = useState(false);
  const text =
    typeof value === "object" && value !== null ? JSON.stringify(value, null, 1) : valueText(value);
  if (text.length <= LONG || open)
    return <span>{text === "" ? <span className="dim">empty</span> : text}</span>;
  return (
    <span>
      {text.slice(0, LONG)}…{" "}
      <button
        type="button"
        className="plain"
        style={{ color: "var(--accent)" }}
        onClick={() => setOpen(true)}
      >
        all {text.length} characters
      </button>
    </span>
  );
}

export function AttributeGroup({
  title,
  count,
  children,
  open: initially = true,
}: {
  title: string;
  count?: number;
  children: ReactNode;
  open?: boolean;
}) {
  return (
    <details open={initially} className="attribute-group">
      <summary className="group-title">
        {title}
        {count !== undefined && <span className="count">{count}</span>}
      </summary>
      {children}
    </details>
  );
}
