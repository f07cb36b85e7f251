import { formatInteger } from "../../lib/units";

/** Words to find in the trace; Enter goes from match to match. */
export function FindField({
  find,
  setFind,
  matches,
  selected,
  select,
}: {
  find: string;
  setFind: (find: string) => void;
  matches: readonly number[] | null;
  selected: number | null;
  select: (index: number | null) => void;
}) {
  const at = matches && selected !== null ? matches.indexOf(selected) : -1;
  const go = (by: number) => {
    if (!matches || matches.length === 0) return;
    select(matches[(at + by + matches.length + (at < 0 && by < 0 ? 1 : 0)) % matches.length] ?? null);
  };
  return (
    <span className="row tight">
      <input
        className="input"
        style={{ width: 170, height: 26 }}
        type="search"
        aria-label="Find in this trace"
        placeholder="Find in this trace"
        value={find}
        data-search-field
        data-testid="find-span"
        spellCheck={false}
        onChange={(event) => setFind(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") go(event.shiftKey ? -1 : 1);
          if (event.key === "Escape") setFind("");
        }}
      />
      {matches && (
        <span className="dim num nowrap" role="status">
          {at >= 0 ? `${at + 1}/` : ""}
          {formatInteger(matches.length)}
        </span>
      )}
    </span>
  );
}
