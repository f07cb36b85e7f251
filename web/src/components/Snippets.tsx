import { useState } from "react";

import type { Snippet } from "../lib/snippets";
import { CodeBlock } from "./Copy";
import { Tabs } from "./Tabs";

/** Ways to send data, one at a time, each to be pasted as it stands. */
export function Snippets({ name, label, all }: { name: string; label: string; all: readonly Snippet[] }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const shown = all.find((snippet) => snippet.name === chosen) ?? all[0];
  if (!shown) return null;
  return (
    <div className="snippets">
      <Tabs
        name={name}
        label={label}
        value={shown.name}
        onChange={setChosen}
        tabs={all.map((snippet) => ({ value: snippet.name, label: snippet.name }))}
      />
      <div role="tabpanel" id={`panel-${name}`} aria-labelledby={`tab-${name}-${shown.name}`}>
        <p className="dim" style={{ margin: "10px 0" }}>
          {shown.about}
        </p>
        <CodeBlock code={shown.code} label={`${shown.name} snippet`} />
      </div>
    </div>
  );
}
