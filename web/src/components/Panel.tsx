import type { ReactNode } from "react";

export function Panel({
  title,
  aside,
  children,
  flush,
  className,
  style,
}: {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  flush?: boolean;
  className?: string;
  style?: React.CSSProperties;
}) {
  return (
    <section className={`panel ${className ?? ""}`} style={style}>
      {(title !== undefined || aside !== undefined) && (
        <div className="panel-head">
          {title !== undefined && <h2>{title}</h2>}
          <div className="grow" />
          {aside}
        </div>
      )}
      {flush ? children : <div className="panel-body">{children}</div>}
    </section>
  );
}

export function Stat({
  label,
  value,
  tone,
  title,
}: {
  label: ReactNode;
  value: ReactNode;
  tone?: "error" | "warn";
  title?: string;
}) {
  return (
    <div className="stat" title={title}>
      <div className={`stat-value ${tone ? `${tone}-text` : ""}`}>{value}</div>
      <div className="stat-label">{label}</div>
    </div>
  );
}
