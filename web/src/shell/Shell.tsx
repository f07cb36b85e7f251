/** What is around every page: navigation, time range, palette, keys, the key dialog. */

import { useMantineColorScheme, Tooltip } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import {
  IconActivityHeartbeat,
  IconChartLine,
  IconSunMoon,
  IconHome,
  IconKeyboard,
  IconLayoutSidebarLeftCollapse,
  IconLayoutSidebarLeftExpand,
  IconListDetails,
  IconMoon,
  IconRoute,
  IconSearch,
  IconSql,
  IconSun,
} from "@tabler/icons-react";
import { lazy, Suspense, useEffect, useState } from "react";

import { onUnauthorized } from "../api/client";
import { Skeleton } from "../components/States";
import { RefreshControl, TimeRangePicker } from "../components/TimeRangePicker";
import { Connection } from "./Connection";
import { useKeys } from "./keys";

const Palette = lazy(() => import("./Palette"));
const Help = lazy(() => import("./Help"));
const ApiKeyDialog = lazy(() => import("./ApiKeyDialog"));

const PAGES = [
  { to: "/", label: "Home", icon: IconHome, exact: true },
  { to: "/traces", label: "Traces", icon: IconRoute, exact: false },
  { to: "/logs", label: "Logs", icon: IconListDetails, exact: false },
  { to: "/metrics", label: "Metrics", icon: IconChartLine, exact: false },
  { to: "/sql", label: "SQL", icon: IconSql, exact: false },
  { to: "/status", label: "Status", icon: IconActivityHeartbeat, exact: false },
] as const;

export type Overlay = "palette" | "help" | "key" | null;

export function Shell() {
  const [narrow, setNarrow] = useLocalStorage({
    key: "trefoil.nav-narrow",
    defaultValue: false,
    getInitialValueInEffect: false,
  });
  const [overlay, setOverlay] = useState<Overlay>(null);
  useKeys(setOverlay);
  useEffect(() => onUnauthorized(() => setOverlay("key")), []);
  return (
    <div className={`shell ${narrow ? "narrow" : ""}`}>
      <a
        href="#main"
        className="skip"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        Skip to content
      </a>
      <nav className="shell-nav" aria-label="Main">
        <Link to="/" className="brand" aria-label="Trefoil, home">
          <Mark />
          <span className="nav-label">Trefoil</span>
        </Link>
        {PAGES.map((page) => (
          <NavItem key={page.to} {...page} narrow={narrow} />
        ))}
        <div className="grow" />
        <NavButton
          label="Keyboard"
          narrow={narrow}
          icon={<IconKeyboard size={18} stroke={1.7} aria-hidden />}
          onClick={() => setOverlay("help")}
        />
        <NavButton
          label={narrow ? "Expand" : "Collapse"}
          className="nav-collapse"
          narrow={narrow}
          onClick={() => setNarrow(!narrow)}
          icon={
            narrow ? (
              <IconLayoutSidebarLeftExpand size={18} stroke={1.7} aria-hidden />
            ) : (
              <IconLayoutSidebarLeftCollapse size={18} stroke={1.7} aria-hidden />
            )
          }
        />
      </nav>
      <header className="shell-head">
        <button
          type="button"
          className="palette-button"
          onClick={() => setOverlay("palette")}
          aria-keyshortcuts="Control+K"
        >
          <IconSearch size={14} aria-hidden />
          <span className="grow" style={{ textAlign: "left" }}>
            Search or paste a trace id
          </span>
          <kbd aria-hidden>Ctrl K</kbd>
        </button>
        <div className="grow" />
        <RangeControls />
        <ThemeSwitch />
      </header>
      <main className="shell-main" id="main" tabIndex={-1}>
        <PendingLine />
        <Connection />
        <Suspense fallback={<Skeleton />}>
          <Outlet />
        </Suspense>
      </main>
      <Suspense>
        {overlay === "palette" && <Palette close={() => setOverlay(null)} open={setOverlay} />}
        {overlay === "help" && <Help close={() => setOverlay(null)} />}
        {overlay === "key" && <ApiKeyDialog close={() => setOverlay(null)} />}
      </Suspense>
    </div>
  );
}

/** A trace has its own time and SQL says its own: the range stands only where it is used. */
function RangeControls() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  if (["/sql", "/status", "/targets", "/rules", "/cardinality"].includes(path) || /^\/traces\/./.test(path))
    return null;
  return (
    <>
      <TimeRangePicker />
      <RefreshControl />
    </>
  );
}

function PendingLine() {
  const pending = useRouterState({ select: (state) => state.isLoading });
  return pending ? <div className="loading-line" aria-hidden /> : null;
}

type Page = (typeof PAGES)[number];

function NavItem({ to, label, icon: Icon, exact, narrow }: Page & { narrow: boolean }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const active = exact
    ? path === to || path.startsWith("/services/")
    : path.startsWith(to) || (to === "/metrics" && ["/targets", "/rules", "/cardinality"].includes(path));
  return (
    <Tooltip label={label} position="right" disabled={!narrow}>
      <Link
        to={to}
        className={`nav-item ${active ? "active" : ""}`}
        aria-current={active ? "page" : undefined}
        aria-label={label}
      >
        <Icon size={18} stroke={1.7} aria-hidden />
        <span className="nav-label">{label}</span>
      </Link>
    </Tooltip>
  );
}

function NavButton({
  label,
  icon,
  onClick,
  narrow,
  className = "",
}: {
  label: string;
  className?: string;
  icon: React.ReactNode;
  onClick: () => void;
  narrow: boolean;
}) {
  return (
    <Tooltip label={label} position="right" disabled={!narrow}>
      <button type="button" className={`plain nav-item ${className}`} onClick={onClick} aria-label={label}>
        {icon}
        <span className="nav-label">{label}</span>
      </button>
    </Tooltip>
  );
}

const SCHEMES = ["auto", "light", "dark"] as const;

function ThemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = SCHEMES[(SCHEMES.indexOf(colorScheme) + 1) % SCHEMES.length] ?? "auto";
  const Icon = colorScheme === "dark" ? IconMoon : colorScheme === "light" ? IconSun : IconSunMoon;
  return (
    <Tooltip label={`Theme: ${colorScheme}`}>
      <button
        type="button"
        className="icon-button framed"
        data-testid="theme-switch"
        data-theme={colorScheme}
        aria-label={`Theme: ${colorScheme}. Change to ${next}`}
        onClick={() => setColorScheme(next)}
      >
        <Icon size={16} stroke={1.7} aria-hidden />
      </button>
    </Tooltip>
  );
}

function Mark() {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 32 32"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.8"
      strokeLinejoin="round"
      aria-hidden
    >
      <path d="M16 14.2c-4.6-3-5.6-6.3-4.2-8.9 1.8-3.2 6.6-3.2 8.4 0 1.4 2.6.4 5.9-4.2 8.9Zm0 0c.3 5.5-2.1 8-5.1 8.3-3.7.3-6.1-3.8-4.2-7 1.5-2.5 4.9-3.3 9.3-1.3Zm0 0c4.4-2 7.8-1.2 9.3 1.3 1.9 3.2-.5 7.3-4.2 7-3-.3-5.4-2.8-5.1-8.3Z" />
      <path d="M16 15c.4 5 1.2 9 3.6 13" strokeLinecap="round" />
    </svg>
  );
}
