import "./targets.css";

import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { IconRadar2 } from "@tabler/icons-react";
import { useState } from "react";

import { useTargets, type Labels, type Target, type Targets as TargetsAnswer } from "../../api/prometheus";
import { CodeBlock } from "../../components/Copy";
import { FindBox } from "../../components/FindBox";
import { MetricsNav } from "../../components/MetricsNav";
import { Segmented } from "../../components/Segmented";
import { Empty, Failed, Skeleton } from "../../components/States";
import { useTitle } from "../../components/useTitle";
import { SCRAPE_CONFIG } from "../../lib/snippets";
import { formatAgo, formatDateTime, timeMs } from "../../lib/time";
import { formatInteger, formatMs } from "../../lib/units";
import { HEALTHS, matches, pools, type Health, type Pool } from "./health";

const route = getRouteApi("/targets");

type Search = { health?: string; pool?: string; find?: string };

export function Targets() {
  useTitle("Targets");
  const search: Search = route.useSearch();
  const navigate = useNavigate({ from: "/targets" });
  const change = (next: Search) =>
    void navigate({ replace: true, search: (previous) => ({ ...previous, ...next }) });
  const targets = useTargets();
  return (
    <div className="page">
      <h1 className="visually-hidden">Targets</h1>
      <MetricsNav />
      {targets.isPending ? (
        <Skeleton rows={10} height={26} />
      ) : !targets.data ? (
        <Failed
          what="The targets cannot be listed"
          error={targets.error}
          retry={() => void targets.refetch()}
        />
      ) : targets.data.activeTargets.length === 0 ? (
        <NoTargets dropped={droppedCount(targets.data)} />
      ) : (
        <Found answer={targets.data} search={search} change={change} />
      )}
    </div>
  );
}

function droppedCount(answer: TargetsAnswer): number {
  const counts = Object.values(answer.droppedTargetCounts ?? {});
  return counts.length > 0
    ? counts.reduce((sum, count) => sum + count, 0)
    : (answer.droppedTargets?.length ?? 0);
}

function Found({
  answer,
  search,
  change,
}: {
  answer: TargetsAnswer;
  search: Search;
  change: (next: Search) => void;
}) {
  const health: Health = HEALTHS.find((one) => one === search.health) ?? "all";
  const words = (search.find ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const all = answer.activeTargets;
  const count = (wanted: Health) =>
    wanted === "all" ? all.length : all.filter((target) => target.health === wanted).length;
  const names = [...new Set(all.map((target) => target.scrapePool))].sort();
  const shown = pools(
    all.filter(
      (target) => (!search.pool || target.scrapePool === search.pool) && matches(target, health, words),
    ),
  );
  const dropped = droppedCount(answer);
  return (
    <>
      <div className="row wrap">
        <Segmented
          label="Health"
          value={health}
          options={HEALTHS.map((one) => ({
            value: one,
            label: `${NAMES[one]} ${formatInteger(count(one))}`,
          }))}
          onChange={(next) => change({ health: next === "all" ? undefined : next })}
        />
        <label className="visually-hidden" htmlFor="target-pool">
          Pool
        </label>
        <select
          id="target-pool"
          className="select"
          style={{ width: 200 }}
          value={search.pool ?? ""}
          onChange={(event) => change({ pool: event.currentTarget.value || undefined })}
        >
          <option value="">All pools</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <FindBox
          label="Find a target"
          placeholder="Address, label or error"
          value={search.find ?? ""}
          onChange={(find) => change({ find: find || undefined })}
        />
        <div className="grow" />
        {dropped > 0 && (
          <span className="dim" title="Discovered, and dropped by relabelling">
            {formatInteger(dropped)} dropped by relabelling
          </span>
        )}
      </div>
      {shown.length === 0 && (
        <section className="panel">
          <Empty title="No target is like that">
            <p>Take a filter away: there are {formatInteger(all.length)} targets.</p>
          </Empty>
        </section>
      )}
      {shown.map((pool) => (
        <PoolPanel key={pool.name} pool={pool} />
      ))}
    </>
  );
}

const NAMES: Readonly<Record<Health, string>> = { all: "All", up: "Up", down: "Down", unknown: "Unknown" };
const TONES: Readonly<Record<Target["health"], string>> = { up: "ok", down: "error", unknown: "warn" };

function PoolPanel({ pool }: { pool: Pool }) {
  const now = Date.now();
  const whole = pool.up === pool.targets.length;
  return (
    <section className="panel" aria-label={`Pool ${pool.name}`} data-testid="pool">
      <div className="panel-head" style={{ paddingBottom: 6 }}>
        <h2 className="mono">{pool.name}</h2>
        <span className={`tag ${whole ? "ok" : "error"}`}>
          {pool.up} of {pool.targets.length} up
        </span>
      </div>
      <div className="table-scroll" tabIndex={0} role="region" aria-label={`Targets of ${pool.name}`}>
        <table className="list targets">
          <thead>
            <tr>
              <th scope="col">Endpoint</th>
              <th scope="col">Health</th>
              <th scope="col">Labels</th>
              <th scope="col" className="right">
                Last scrape
              </th>
              <th scope="col" className="right">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {pool.targets.map((target) => (
              <TargetRow
                key={`${target.scrapeUrl} ${JSON.stringify(target.labels)}`}
                target={target}
                now={now}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function TargetRow({ target, now }: { target: Target; now: number }) {
  const [open, setOpen] = useState(false);
  const at = timeMs(target.lastScrape);
  // Before its first scrape a target's time is that of the year 1.
  const scraped = at > 0;
  return (
    <>
      <tr className={target.lastError ? "with-error" : ""}>
        <td>
          <a className="mono" href={target.scrapeUrl} target="_blank" rel="noreferrer">
            {target.scrapeUrl}
          </a>
        </td>
        <td>
          <span className={`tag ${TONES[target.health]}`}>{target.health}</span>
        </td>
        <td className="target-labels">
          <button
            type="button"
            className="plain row wrap tight"
            aria-expanded={open}
            title="Show the labels before relabelling"
            onClick={() => setOpen(!open)}
          >
            <LabelChips labels={target.labels} />
          </button>
        </td>
        <td className="right" title={scraped ? formatDateTime(at) : undefined}>
          {scraped ? formatAgo(at, now) : "not yet"}
          {target.scrapeInterval && <span className="dim"> · every {target.scrapeInterval}</span>}
        </td>
        <td className="right">{scraped ? formatMs(target.lastScrapeDuration * 1e3) : "–"}</td>
      </tr>
      {(target.lastError || open) && (
        <tr className="target-more">
          <td colSpan={5}>
            {target.lastError && (
              <p className="error-text" data-testid="target-error">
                {target.lastError}
              </p>
            )}
            {open && (
              <div className="row wrap tight" data-testid="discovered-labels">
                <span className="dim">Before relabelling</span>
                <LabelChips labels={target.discoveredLabels} />
              </div>
            )}
          </td>
        </tr>
      )}
    </>
  );
}

function LabelChips({ labels }: { labels: Labels }) {
  return (
    <>
      {Object.entries(labels).map(([name, value]) => (
        <span key={name} className="label-chip mono">
          <span className="dim">{name}=</span>
          {value}
        </span>
      ))}
    </>
  );
}

/** Nothing is scraped: what to write, and where. */
function NoTargets({ dropped }: { dropped: number }) {
  return (
    <section className="panel">
      <Empty title="No targets yet" icon={<IconRadar2 size={32} stroke={1.4} aria-hidden />}>
        {dropped > 0 ? (
          <p>{formatInteger(dropped)} targets were discovered, and relabelling dropped every one of them.</p>
        ) : (
          <p>
            Name a <code>prometheus.yml</code> in the configuration: its scrape_configs are read unchanged,
            with static, file, DNS, HTTP and Kubernetes discovery. What writes here by remote write or OTLP
            needs no target.
          </p>
        )}
        <div style={{ width: "min(620px, 100%)", textAlign: "left", display: "grid", gap: 8, marginTop: 8 }}>
          <span className="field-label">prometheus.yml</span>
          <CodeBlock code={SCRAPE_CONFIG} label="scrape configuration" />
          <span className="field-label">trefoil.yaml</span>
          <CodeBlock code={SETTING} label="setting" />
        </div>
      </Empty>
    </section>
  );
}

const SETTING = `prometheus:
  config: prometheus.yml`;
