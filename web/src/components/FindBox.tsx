import { IconSearch } from "@tabler/icons-react";

/** The box above a list that leaves what has the words. */
export function FindBox({
  label,
  placeholder,
  value,
  onChange,
  testId,
}: {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
  testId?: string;
}) {
  return (
    <div className="search-box grow" style={{ maxWidth: 420 }}>
      <IconSearch size={15} aria-hidden className="search-icon" />
      <input
        className="input"
        type="search"
        data-search-field
        data-testid={testId}
        aria-label={label}
        placeholder={placeholder}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    </div>
  );
}
