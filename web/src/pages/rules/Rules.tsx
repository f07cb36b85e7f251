/** The rules that are evaluated: what fires, what is recorded, and what cannot be evaluated. */

import "./rules.css";

import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { IconBell, IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useState } from "react";

import {
  useRules,
  type Alert,
  type AlertingRule,
  type Labels,
  type Rule,
  type RuleGroup,
} from "../../api/prometheus";
import { CodeBlock } from "../../components/Copy";
import { FindBox } from "../../components/FindBox";
import { MetricsNav } from "../../components/MetricsNav";
import { Segmented } from "../../components/Segmented";
import { Empty, Failed, Skeleton } from "../../components/States";
import { useTitle } from "../../components/useTitle";
import { formatNumber } from "../../lib/series";
import { formatPromDuration } from "../../lib/promql";
import { formatAgo, formatDateTime, timeMs } from "../../lib/time";
import { formatDuration, formatInteger, plural } from "../../lib/units";
import { chosenGroups, countStates, isAlerting, stateOf, STATES, type StateFilter } from "./groups";

const route = getRouteApi("/rules");

type Search = { state?: string; find?: string };

const NAMES: Readonly<Record<StateFilter, string>> = {
  all: "All",
  firing: "Firing",
  pending: "Pending",
  inactive: "Inactive",
  error: "With an error",
};
const TONES: Readonly<Record<ReturnType<typeof stateOf>, string>> = {
  firing: "error",
  pending: "warn",
  inactive: "",
  error: "error",
  ok: "ok",
};

export function Rules() {
  useTitle("Rules");
  const rules = useRules();
  return (
    <div className="page">
      <h1 className="visually-hidden">Rules</h1>
      <MetricsNav />
      {rules.isPending ? (
        <Skeleton rows={10} height={26} />
      ) : !rules.data ? (
        <Failed what="The rules cannot be listed" error={rules.error} retry={() => void rules.refetch()} />
      ) : rules.data.length === 0 ? (
        <NoRules />
      ) : (
        <Found groups={rules.data} />
      )}
    </div>
  );
}

function Found({ groups }: { groups: readonly RuleGroup[] }) {
  const search: Search = route.useSearch();
  const navigate = useNavigate({ from: "/rules" });
  const change = (next: Search) =>
    void navigate({ replace: true, search: (previous) => ({ ...previous, ...next }) });
  const state = STATES.find((one) => one === search.state) ?? "all";
  const words = (search.find ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const counts = countStates(groups);
  const shown = chosenGroups(groups, state, words);
  return (
    <>
      <div className="row wrap">
        <Segmented
          label="State"
          value={state}
          options={STATES.map((one) => ({
            value: one,
            label: `${NAMES[one]} ${formatInteger(counts[one])}`,
          }))}
          onChange={(next) => change({ state: next === "all" ? undefined : next })}
        />
        <FindBox
          label="Find a rule"
          placeholder="Name, expression or label"
          value={search.find ?? ""}
          onChange={(find) => change({ find: find || undefined })}
        />
        <div className="grow" />
        <span className="dim">Alerts are shown here, and not sent yet</span>
      </div>
      {shown.length === 0 && (
        <section className="panel">
          <Empty title="No rule is like that">
            <p>
              Take a filter away: there {counts.all === 1 ? "is" : "are"} {plural(counts.all, "rule")}.
            </p>
          </Empty>
        </section>
      )}
      {shown.map((group) => (
        <Group key={`${group.file} ${group.name}`} group={group} />
      ))}
    </>
  );
}

function Group({ group }: { group: RuleGroup }) {
  const now = Date.now();
  const at = timeMs(group.lastEvaluation);
  return (
    <section className="panel" aria-label={`Group ${group.name}`} data-testid="rule-group">
      <div className="panel-head" style={{ paddingBottom: 6 }}>
        <h2 className="mono">{group.name}</h2>
        <span className="dim ellipsis" title={group.file}>
          {group.file}
        </span>
        <div className="grow" />
        <span className="dim num nowrap" title={at > 0 ? formatDateTime(at) : undefined}>
          every {formatPromDuration(group.interval * 1e3)}
          {at > 0 && ` · ${formatAgo(at, now)} · took ${formatDuration(group.evaluationTime * 1e9)}`}
        </span>
      </div>
      <div className="table-scroll" tabIndex={0} role="region" aria-label={`Rules of ${group.name}`}>
        <table className="list rules">
          <thead>
            <tr>
              <th scope="col">Rule</th>
              <th scope="col">State</th>
              <th scope="col">Expression</th>
              <th scope="col" className="right">
                Evaluated
              </th>
              <th scope="col" className="right">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {group.rules.map((rule, place) => (
              <RuleRow key={`${place} ${rule.name}`} rule={rule} now={now} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function RuleRow({ rule, now }: { rule: Rule; now: number }) {
  const state = stateOf(rule);
  const active = isAlerting(rule) ? rule.alerts : [];
  const [open, setOpen] = useState<boolean | null>(null);
  const shown = active.length > 0 && (open ?? state === "firing");
  const at = timeMs(rule.lastEvaluation);
  return (
    <>
      <tr className={rule.lastError || shown ? "with-more" : ""} data-testid="rule">
        <td>
          <div className="row tight wrap">
            <b style={{ fontWeight: 600 }} className={isAlerting(rule) ? "" : "mono"}>
              {rule.name}
            </b>
            {isAlerting(rule) && rule.duration > 0 && (
              <span className="tag" title="How long the expression has to hold before it fires">
                for {formatPromDuration(rule.duration * 1e3)}
              </span>
            )}
            {Object.entries(rule.labels ?? {}).map(([name, value]) => (
              <span key={name} className="label-chip mono">
                <span className="dim">{name}=</span>
                {value}
              </span>
            ))}
          </div>
        </td>
        <td>
          <span className={`tag ${TONES[state]}`}>{state}</span>
        </td>
        <td>
          <Link to="/metrics" search={{ q: rule.query }} className="mono" title="Ask it in the graph">
            {rule.query}
          </Link>
        </td>
        <td className="right" title={at > 0 ? formatDateTime(at) : undefined}>
          {at > 0 ? formatAgo(at, now) : "not yet"}
        </td>
        <td className="right">{at > 0 ? formatDuration(rule.evaluationTime * 1e9) : "–"}</td>
      </tr>
      {(rule.lastError || active.length > 0) && (
        <tr className="rule-more">
          <td colSpan={5}>
            {rule.lastError && (
              <p className="error-text" data-testid="rule-error">
                {rule.lastError}
              </p>
            )}
            {active.length > 0 && (
              <button
                type="button"
                className="plain row tight dim"
                aria-expanded={shown}
                onClick={() => setOpen(!shown)}
              >
                {shown ? (
                  <IconChevronDown size={13} aria-hidden />
                ) : (
                  <IconChevronRight size={13} aria-hidden />
                )}
                {plural(active.length, "active alert")}
              </button>
            )}
            {shown && isAlerting(rule) && <Alerts rule={rule} now={now} />}
          </td>
        </tr>
      )}
    </>
  );
}

/** More alerts of one rule than this are counted, not listed. */
const LISTED_MAX = 50;

function Alerts({ rule, now }: { rule: AlertingRule; now: number }) {
  return (
    <div className="rule-alerts" data-testid="alerts">
      {rule.alerts.slice(0, LISTED_MAX).map((alert) => (
        <AlertLine key={JSON.stringify(alert.labels)} alert={alert} own={rule.labels ?? {}} now={now} />
      ))}
      {rule.alerts.length > LISTED_MAX && (
        <span className="dim">and {formatInteger(rule.alerts.length - LISTED_MAX)} more</span>
      )}
    </div>
  );
}

function AlertLine({ alert, own, now }: { alert: Alert; own: Labels; now: number }) {
  const since = timeMs(alert.activeAt);
  const told = alert.annotations["summary"] ?? alert.annotations["description"];
  const labels = Object.entries(alert.labels).filter(([name]) => name !== "alertname" && !(name in own));
  return (
    <div className="rule-alert">
      <span className={`tag ${TONES[alert.state]}`}>{alert.state}</span>
      <span className="dim num nowrap" title={formatDateTime(since)}>
        since {formatAgo(since, now)}
      </span>
      <span className="num nowrap" title={alert.value}>
        value {formatNumber(Number(alert.value))}
      </span>
      {told && <span className="rule-annotation">{told}</span>}
      {labels.map(([name, value]) => (
        <span key={name} className="label-chip mono">
          <span className="dim">{name}=</span>
          {value}
        </span>
      ))}
    </div>
  );
}

/** Nothing is evaluated: what to write, and where. */
function NoRules() {
  return (
    <section className="panel">
      <Empty title="No rules yet" icon={<IconBell size={32} stroke={1.4} aria-hidden />}>
        <p>
          Recording and alerting rules are read from the <code>rule_files</code> of a{" "}
          <code>prometheus.yml</code>, unchanged. <code>trefoil check rules.yml</code> says whether they are
          good, <code>trefoil test rules</code> runs their unit tests.
        </p>
        <div className="snippets" style={{ display: "grid", gap: 8, marginTop: 8 }}>
          <span className="field-label">prometheus.yml</span>
          <CodeBlock code={RULE_FILES} label="rule files" />
          <span className="field-label">rules.yml</span>
          <CodeBlock code={RULES} label="rules" />
        </div>
      </Empty>
    </section>
  );
}

const RULE_FILES = `rule_files:
  - rules.yml`;
const RULES = `groups:
  - name: my-service
    rules:
      - record: job:http_requests:rate5m
        expr: sum by (job) (rate(http_server_request_duration_seconds_count[5m]))
      - alert: TargetDown
        expr: up == 0
        for: 1m
        annotations: {summary: "{{ $labels.instance }} cannot be scraped"}`;
