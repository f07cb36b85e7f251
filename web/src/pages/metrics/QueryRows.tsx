import { Button, Menu, Tooltip } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import {
  IconAlertTriangle,
  IconDots,
  IconEye,
  IconEyeOff,
  IconInfoCircle,
  IconPin,
  IconPlayerPlay,
  IconPlayerStop,
  IconPlus,
  IconX,
} from "@tabler/icons-react";
import { useState } from "react";

import { ApiError } from "../../api/client";
import { ask, type Answer, type QueryData } from "../../api/prometheus";
import { copyText } from "../../components/Copy";
import { formatPromDuration, parsePromDuration } from "../../lib/promql";
import { formatCount, formatInteger, formatMs } from "../../lib/units";
import type { Help } from "./help";
import { plainMessage } from "./lint";
import type { Pinned } from "./pinned";
import { PromEditor } from "./PromEditor";
import { letter, QUERIES_MAX, type Asked } from "./search";

type Answered = UseQueryResult<Answer<QueryData>>;

/** The expressions, each with its answer's figures or its fault below it. */
export function QueryRows({
  rows,
  setRows,
  asked,
  answers,
  metricHelp,
  run,
  stop,
  step,
  setStep,
  stepUsed,
  onPin,
}: {
  rows: Asked[];
  setRows: (rows: Asked[]) => void;
  asked: readonly Asked[];
  answers: readonly Answered[];
  metricHelp: (name: string) => Help | null;
  run: (rows?: readonly Asked[]) => void;
  stop: () => void;
  step: string;
  setStep: (step: string) => void;
  stepUsed: number | null;
  onPin: (panel: Pinned) => void;
}) {
  const busy = answers.some((answer) => answer.isFetching && (answer.isPlaceholderData || !answer.data));
  const set = (at: number, next: Partial<Asked>) =>
    setRows(rows.map((row, index) => (index === at ? { ...row, ...next } : row)));
  const several = rows.length > 1;
  return (
    <section className="panel metrics-ask" aria-label="Queries">
      {rows.map((row, at) => (
        <div key={at} className={`query-row ${row.hidden ? "hidden-query" : ""}`} data-testid="query-row">
          <span className="query-letter mono" aria-hidden>
            {letter(at)}
          </span>
          <PromEditor
            value={row.expr}
            label={several ? `PromQL query ${letter(at)}` : "PromQL query"}
            metricHelp={metricHelp}
            autoFocus={at === 0 && asked.length === 0}
            onChange={(expr) => set(at, { expr })}
            onRun={() => run()}
          />
          <div className="row tight query-buttons">
            {several && (
              <Tooltip label={row.hidden ? "Show" : "Hide"} openDelay={300}>
                <button
                  type="button"
                  className="icon-button"
                  aria-label={`Hide query ${letter(at)}`}
                  aria-pressed={row.hidden}
                  onClick={() => {
                    const next = rows.map((one, index) =>
                      index === at ? { ...one, hidden: !one.hidden } : one,
                    );
                    setRows(next);
                    run(next);
                  }}
                >
                  {row.hidden ? <IconEyeOff size={15} aria-hidden /> : <IconEye size={15} aria-hidden />}
                </button>
              </Tooltip>
            )}
            <RowMenu row={row} at={at} onFormat={(expr) => set(at, { expr })} onPin={onPin} />
            {several && (
              <button
                type="button"
                className="icon-button"
                aria-label={`Remove query ${letter(at)}`}
                onClick={() => {
                  const next = rows.filter((_, index) => index !== at);
                  setRows(next);
                  run(next);
                }}
              >
                <IconX size={15} aria-hidden />
              </button>
            )}
          </div>
          <RowState answer={row.expr.trim() === asked[at]?.expr && !row.hidden ? answers[at] : undefined} />
        </div>
      ))}
      <div className="row wrap query-tools">
        {busy ? (
          <Button
            size="xs"
            h={30}
            variant="default"
            leftSection={<IconPlayerStop size={15} aria-hidden />}
            onClick={stop}
          >
            Stop
          </Button>
        ) : (
          <Button
            size="xs"
            h={30}
            leftSection={<IconPlayerPlay size={15} aria-hidden />}
            onClick={() => run()}
            data-testid="promql-run"
          >
            Run
          </Button>
        )}
        <kbd aria-hidden>Enter</kbd>
        <Button
          size="xs"
          h={30}
          variant="default"
          leftSection={<IconPlus size={15} aria-hidden />}
          disabled={rows.length >= QUERIES_MAX}
          onClick={() => setRows([...rows, { expr: "", hidden: false }])}
        >
          Query
        </Button>
        <div className="grow" />
        <StepField step={step} setStep={setStep} used={stepUsed} />
        <Tooltip label="Keep these queries as a panel on this page">
          <Button
            size="xs"
            h={30}
            variant="default"
            leftSection={<IconPin size={15} aria-hidden />}
            disabled={asked.length === 0}
            onClick={() => onPin(panelOf(asked))}
            data-testid="pin-panel"
          >
            Add as panel
          </Button>
        </Tooltip>
      </div>
    </section>
  );
}

function panelOf(asked: readonly Asked[]): Pinned {
  const exprs = asked.filter((one) => !one.hidden).map((one) => one.expr);
  const kept = exprs.length > 0 ? exprs : asked.map((one) => one.expr);
  return { title: kept.join(" · "), exprs: kept };
}

/** How far apart the points are: chosen by the length of time unless it is said. */
function StepField({
  step,
  setStep,
  used,
}: {
  step: string;
  setStep: (step: string) => void;
  used: number | null;
}) {
  const [text, setText] = useState(step);
  const [shown, setShown] = useState(step);
  if (shown !== step) {
    setShown(step);
    setText(step);
  }
  const wrong = text !== "" && parsePromDuration(text) === null;
  const submit = () => {
    if (!wrong && text !== step) setStep(text);
  };
  return (
    <label className="row tight step-field">
      <span className="dim">Step</span>
      <input
        className="input mono"
        value={text}
        spellCheck={false}
        placeholder={used === null ? "auto" : `auto, ${formatPromDuration(used)}`}
        aria-invalid={wrong}
        title={
          wrong ? "Write 30s, 5m or 1h30m" : "Time between two points; empty chooses it by the time range"
        }
        data-testid="step"
        onChange={(event) => setText(event.currentTarget.value.trim())}
        onBlur={submit}
        onKeyDown={(event) => {
          if (event.key === "Enter") submit();
        }}
      />
    </label>
  );
}

function RowMenu({
  row,
  at,
  onFormat,
  onPin,
}: {
  row: Asked;
  at: number;
  onFormat: (expr: string) => void;
  onPin: (panel: Pinned) => void;
}) {
  const expr = row.expr.trim();
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <button
          type="button"
          className="icon-button"
          aria-label={`More for query ${letter(at)}`}
          disabled={!expr}
        >
          <IconDots size={15} aria-hidden />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          onClick={() => {
            // A fault stays marked in the editor, so that there is nothing to say here.
            ask<string>("/format_query", { query: expr }, undefined, "POST").then(
              (answer) => onFormat(answer.data),
              () => undefined,
            );
          }}
        >
          Format
        </Menu.Item>
        <Menu.Item onClick={() => onPin({ title: expr, exprs: [expr] })}>Add as panel</Menu.Item>
        <Menu.Item onClick={() => void copyText(expr)}>Copy the expression</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function RowState({ answer }: { answer: Answered | undefined }) {
  if (!answer) return null;
  if (answer.isError) return <Fault error={answer.error} />;
  const { data } = answer;
  if (!data) return answer.isFetching ? <p className="query-state dim">Asking…</p> : null;
  return (
    <div className="query-state">
      <span className="dim num" data-testid="query-stats">
        {figures(data)}
      </span>
      {data.warnings.map((text) => (
        <p key={text} className="warn-text row tight">
          <IconAlertTriangle size={13} aria-label="Warning" />
          <span>{text}</span>
        </p>
      ))}
      {data.infos.map((text) => (
        <p key={text} className="dim row tight">
          <IconInfoCircle size={13} aria-label="Note" />
          <span>{text}</span>
        </p>
      ))}
    </div>
  );
}

function Fault({ error }: { error: Error }) {
  const place =
    error instanceof ApiError && error.line !== undefined
      ? `${error.line > 1 ? `line ${error.line}, ` : ""}column ${error.column ?? 1}: `
      : "";
  return (
    <p className="query-state error-text row tight" role="alert" data-testid="query-error">
      <IconAlertTriangle size={13} aria-hidden />
      <span>
        {place}
        {plainMessage(error.message).replace(/^parse error: /, "")}
      </span>
    </p>
  );
}

function figures({ data, elapsedMs }: Answer<QueryData>): string {
  const series = data.resultType === "matrix" || data.resultType === "vector" ? data.result.length : 1;
  const { timings, samples } = data.stats ?? {};
  const evaluated = timings?.evalTotalTime;
  return [
    `${formatInteger(series)} series`,
    samples?.totalQueryableSamples !== undefined
      ? `${formatCount(samples.totalQueryableSamples)} samples`
      : null,
    evaluated !== undefined ? `${formatMs(evaluated * 1e3)} evaluated` : null,
    `${formatMs(elapsedMs)} in all`,
  ]
    .filter(Boolean)
    .join(" · ");
}
