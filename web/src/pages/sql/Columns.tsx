/** The tables and their columns; a click on one asks what is in it. */

import { useState } from "react";

import { formatInteger } from "../../lib/units";
import { columnName, TABLES, valuesQuery, type Table, type Tables } from "./complete";

const ABOUT: Readonly<Record<Table, string>> = {
  spans: "A row a span",
  logs: "A row a log record",
  metrics: "A row a sample",
};

export function Columns({ tables, ask }: { tables: Tables; ask: (sql: string) => void }) {
  const [find, setFind] = useState("");
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    <div className="columns" data-testid="sql-columns">
      <div className="row wrap">
        <input
          className="input"
          style={{ maxWidth: 280 }}
          type="search"
          aria-label="Find a column"
          placeholder="Find a column"
          value={find}
          onChange={(event) => setFind(event.currentTarget.value)}
        />
        <span className="dim">
          Click a column to ask what is in it, or press Ctrl Enter to run the query above.
        </span>
      </div>
      <div className="columns-tables">
        {TABLES.map((table) => {
          const found = tables[table].filter((field) => {
            const text = `${columnName(field)} ${field.type} ${field.doc ?? ""}`.toLowerCase();
            return words.every((word) => text.includes(word));
          });
          return (
            <section key={table} aria-label={`Columns of ${table}`}>
              <h2>
                <code>{table}</code>{" "}
                <span className="dim" style={{ fontWeight: 400 }}>
                  {ABOUT[table]} · {formatInteger(found.length)}
                </span>
              </h2>
              <ul tabIndex={0} aria-label={`Columns of ${table}`}>
                {found.map((field) => (
                  <li key={columnName(field)}>
                    <button
                      type="button"
                      className="plain"
                      title={field.doc ?? undefined}
                      onClick={() => ask(valuesQuery(table, field))}
                    >
                      <span className="mono ellipsis">{columnName(field)}</span>
                      <span className="dim">{field.type}</span>
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          );
        })}
      </div>
    </div>
  );
}
