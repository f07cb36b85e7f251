import { Button, Popover, TextInput, Tooltip } from "@mantine/core";
import { useIsFetching, useQueryClient } from "@tanstack/react-query";
import { IconChevronLeft, IconChevronRight, IconClock, IconRefresh, IconZoomOut } from "@tabler/icons-react";
import { useState } from "react";

import {
  formatDateTime,
  isRelative,
  PRESETS,
  rangeLabel,
  rangeProblem,
  resolveRange,
  shiftRange,
  zoomRange,
  type RangeText,
} from "../lib/time";
import { REFRESHES, useTimeRange } from "./useTimeRange";

export function TimeRangePicker() {
  const { text, setText, setRange } = useTimeRange();
  const [open, setOpen] = useState(false);
  const now = Date.now();
  const move = (share: number) => setRange(shiftRange(resolveRange(text, Date.now()), share));
  return (
    <div className="row tight">
      <Tooltip label="Earlier">
        <button type="button" className="icon-button roomy" aria-label="Earlier" onClick={() => move(-0.5)}>
          <IconChevronLeft size={16} aria-hidden />
        </button>
      </Tooltip>
      <Popover
        opened={open}
        onChange={setOpen}
        position="bottom-end"
        width={420}
        shadow="md"
        trapFocus
        returnFocus
      >
        <Popover.Target>
          <Button
            size="xs"
            h={30}
            variant="default"
            leftSection={<IconClock size={15} aria-hidden />}
            onClick={() => setOpen((was) => !was)}
            aria-label={`Time range: ${rangeLabel(text, now)}`}
            data-testid="time-range"
            className="num"
          >
            {rangeLabel(text, now)}
          </Button>
        </Popover.Target>
        <Popover.Dropdown p={0}>
          <RangeForm
            key={`${text.from} ${text.to}`}
            text={text}
            close={() => setOpen(false)}
            apply={(next) => {
              setText(next);
              setOpen(false);
            }}
          />
        </Popover.Dropdown>
      </Popover>
      <Tooltip label="Later">
        <button type="button" className="icon-button roomy" aria-label="Later" onClick={() => move(0.5)}>
          <IconChevronRight size={16} aria-hidden />
        </button>
      </Tooltip>
      <Tooltip label="Twice as long">
        <button
          type="button"
          className="icon-button roomy"
          aria-label="Zoom out"
          onClick={() => setRange(zoomRange(resolveRange(text, Date.now()), 2))}
        >
          <IconZoomOut size={16} aria-hidden />
        </button>
      </Tooltip>
    </div>
  );
}

function RangeForm({
  text,
  apply,
  close,
}: {
  text: RangeText;
  apply: (text: RangeText) => void;
  close: () => void;
}) {
  const now = Date.now();
  const { start, end } = resolveRange(text, now);
  const relative = isRelative(text);
  const [from, setFrom] = useState(relative ? text.from : formatDateTime(start));
  const [to, setTo] = useState(relative ? text.to : formatDateTime(end));
  const [problem, setProblem] = useState<string | null>(null);
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    const wanted = { from: absolute(from), to: absolute(to) };
    const wrong = rangeProblem(wanted, Date.now());
    if (wrong) setProblem(wrong);
    else apply(wanted);
  };
  return (
    <div style={{ display: "grid", gridTemplateColumns: "1fr 168px" }}>
      <form onSubmit={submit} style={{ padding: 12, display: "grid", gap: 10, alignContent: "start" }}>
        <TextInput
          size="xs"
          label="From"
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
          data-autofocus
          spellCheck={false}
        />
        <TextInput
          size="xs"
          label="To"
          value={to}
          onChange={(event) => setTo(event.currentTarget.value)}
          spellCheck={false}
          error={problem}
        />
        <p className="dim" style={{ fontSize: 12 }}>
          now-2h, 2026-11-21 14:30, or milliseconds. Times are in{" "}
          {Intl.DateTimeFormat().resolvedOptions().timeZone}.
        </p>
        <Button size="xs" type="submit">
          Apply
        </Button>
      </form>
      <div
        role="group"
        aria-label="Ranges"
        style={{ borderLeft: "1px solid var(--border)", padding: 6, display: "grid" }}
      >
        {PRESETS.map((preset) => {
          const active = preset.range.from === text.from && preset.range.to === text.to;
          return (
            <button
              key={preset.label}
              type="button"
              className={`plain nav-item ${active ? "active" : ""}`}
              style={{ height: 26 }}
              aria-pressed={active}
              onClick={() => {
                apply(preset.range);
                close();
              }}
            >
              {preset.label}
            </button>
          );
        })}
      </div>
    </div>
  );
}

/** A date in the reader's zone becomes milliseconds, so that the link means the same elsewhere. */
function absolute(expression: string): string {
  if (/^now/.test(expression.trim())) return expression.trim();
  const { start } = resolveRange({ from: expression, to: "now+3650d" }, Date.now());
  return rangeProblem({ from: expression, to: "now+3650d" }, Date.now()) ? expression : String(start);
}

export function RefreshControl() {
  const { refresh, setRefresh, text } = useTimeRange();
  const client = useQueryClient();
  const fetching = useIsFetching() > 0;
  const relative = isRelative(text);
  return (
    <div className="row tight">
      <Tooltip label="Ask again now">
        <button
          type="button"
          className="icon-button framed"
          aria-label="Refresh now"
          onClick={() => void client.invalidateQueries()}
        >
          <IconRefresh
            size={15}
            aria-hidden
            style={fetching ? { animation: "spin 1s linear infinite" } : undefined}
          />
        </button>
      </Tooltip>
      <label className="visually-hidden" htmlFor="refresh">
        Live refresh
      </label>
      <select
        id="refresh"
        className="select"
        value={relative ? refresh : "off"}
        disabled={!relative}
        title={relative ? "Live refresh" : "A fixed range does not refresh"}
        onChange={(event) => {
          const next = REFRESHES.find((known) => known === event.currentTarget.value);
          if (next) setRefresh(next);
        }}
      >
        {REFRESHES.map((known) => (
          <option key={known} value={known}>
            {known === "off" ? "Live off" : `Live ${known}`}
          </option>
        ))}
      </select>
    </div>
  );
}
