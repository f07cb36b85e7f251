import type { ReactNode } from "react";

/** Tabs whose panel is the caller's, with id `panel-<name>`. */
export function Tabs<T extends string>({
  name,
  label,
  value,
  tabs,
  onChange,
}: {
  name: string;
  label: string;
  value: T;
  tabs: readonly { value: T; label: ReactNode }[];
  onChange: (value: T) => void;
}) {
  return (
    <div
      className="tabs"
      role="tablist"
      aria-label={label}
      onKeyDown={(event) => {
        const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (by === 0) return;
        const at = (tabs.findIndex((tab) => tab.value === value) + by + tabs.length) % tabs.length;
        const next = tabs[at];
        if (!next) return;
        onChange(next.value);
        event.currentTarget.querySelectorAll<HTMLButtonElement>("[role=tab]")[at]?.focus();
      }}
    >
      {tabs.map((tab) => (
        <button
          key={tab.value}
          type="button"
          role="tab"
          id={`tab-${name}-${tab.value}`}
          className="tab"
          aria-selected={tab.value === value}
          aria-controls={`panel-${name}`}
          tabIndex={tab.value === value ? 0 : -1}
          onClick={() => onChange(tab.value)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  );
}
