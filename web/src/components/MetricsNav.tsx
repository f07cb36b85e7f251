import { Link, useRouterState } from "@tanstack/react-router";

const PAGES = [
  { to: "/metrics", label: "Explore" },
  { to: "/targets", label: "Targets" },
  { to: "/rules", label: "Rules" },
  { to: "/cardinality", label: "Cardinality" },
] as const;

/** The pages about metrics. */
export function MetricsNav() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  return (
    <nav className="tabs metrics-nav" aria-label="Metrics">
      {PAGES.map(({ to, label }) => (
        <Link key={to} to={to} className="tab" aria-current={path === to ? "page" : undefined}>
          {label}
        </Link>
      ))}
    </nav>
  );
}
