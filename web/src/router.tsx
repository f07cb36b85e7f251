/** The pages and what their addresses carry. A page is one directory and one route here. */

import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  retainSearchParams,
} from "@tanstack/react-router";

import { parseSearch, pick, stringifySearch } from "./lib/url";
import { QUERY_KEYS } from "./pages/metrics/search";
import { Crash, NotFound } from "./shell/Crash";
import { Shell } from "./shell/Shell";

const root = createRootRoute({
  component: Shell,
  errorComponent: Crash,
  notFoundComponent: NotFound,
  validateSearch: (search: Record<string, unknown>) => pick(search, ["from", "to", "refresh"]),
  search: { middlewares: [retainSearchParams(["from", "to", "refresh"])] },
});

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: (search: Record<string, unknown>) => pick(search, ["sort", "order"]),
  component: lazyRouteComponent(() => import("./pages/home/Home"), "Home"),
});

const service = createRoute({
  getParentRoute: () => root,
  path: "/services/$service",
  component: lazyRouteComponent(() => import("./pages/services/Service"), "Service"),
});

const traces = createRoute({
  getParentRoute: () => root,
  path: "/traces",
  validateSearch: (search: Record<string, unknown>) =>
    pick(search, ["service", "operation", "status", "min", "max", "q", "sort"]),
  component: lazyRouteComponent(() => import("./pages/traces/Traces"), "Traces"),
});

const trace = createRoute({
  getParentRoute: () => root,
  path: "/traces/$traceId",
  validateSearch: (search: Record<string, unknown>) => pick(search, ["span", "view", "side", "find", "zoom"]),
  component: lazyRouteComponent(() => import("./pages/traces/TracePage"), "TracePage"),
});

const logs = createRoute({
  getParentRoute: () => root,
  path: "/logs",
  validateSearch: (search: Record<string, unknown>) =>
    pick(search, ["q", "service", "level", "line", "live", "wrap", "order"]),
  component: lazyRouteComponent(() => import("./pages/logs/Logs"), "Logs"),
});

const metrics = createRoute({
  getParentRoute: () => root,
  path: "/metrics",
  validateSearch: (search: Record<string, unknown>) =>
    pick(search, [...QUERY_KEYS, "hide", "view", "style", "step", "exemplars", "find", "metric", "sel"]),
  component: lazyRouteComponent(() => import("./pages/metrics/Metrics"), "Metrics"),
});

const targets = createRoute({
  getParentRoute: () => root,
  path: "/targets",
  validateSearch: (search: Record<string, unknown>) => pick(search, ["health", "pool", "find"]),
  component: lazyRouteComponent(() => import("./pages/targets/Targets"), "Targets"),
});

const rules = createRoute({
  getParentRoute: () => root,
  path: "/rules",
  validateSearch: (search: Record<string, unknown>) => pick(search, ["state", "type", "find"]),
  component: lazyRouteComponent(() => import("./pages/rules/Rules"), "Rules"),
});

const cardinality = createRoute({
  getParentRoute: () => root,
  path: "/cardinality",
  component: lazyRouteComponent(() => import("./pages/cardinality/Cardinality"), "Cardinality"),
});

const sql = createRoute({
  getParentRoute: () => root,
  path: "/sql",
  validateSearch: (search: Record<string, unknown>) => pick(search, ["q", "view"]),
  component: lazyRouteComponent(() => import("./pages/sql/Sql"), "Sql"),
});

const status = createRoute({
  getParentRoute: () => root,
  path: "/status",
  component: lazyRouteComponent(() => import("./pages/status/Status"), "Status"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    service,
    traces,
    trace,
    logs,
    metrics,
    targets,
    rules,
    cardinality,
    sql,
    status,
  ]),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultErrorComponent: Crash,
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
