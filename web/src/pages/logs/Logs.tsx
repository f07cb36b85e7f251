import "./logs.css";

import { Button } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { IconBroadcast, IconTextWrap } from "@tabler/icons-react";
import { useCallback, useMemo } from "react";

import { useFieldValues, type LogFilters } from "../../api/hooks";
import { useTitle } from "../../components/useTitle";
import { useNoneYet } from "../../components/NoneYet";
import { SearchBox } from "../../components/SearchBox";
import { addFilter, valueText } from "../../lib/search";
import { DownloadMenu } from "./DownloadMenu";
import { Found } from "./Found";
import { Levels } from "./Levels";
import type { LogsSearch } from "./search";
import { Tail } from "./Tail";

const route = getRouteApi("/logs");

export function Logs() {
  useTitle("Logs");
  const search: LogsSearch = route.useSearch();
  const navigate = useNavigate({ from: "/logs" });
  const change = useCallback(
    (next: LogsSearch) => void navigate({ search: (previous) => ({ ...previous, ...next }) }),
    [navigate],
  );
  const { q, service, level } = search;
  const filters = useMemo(() => toFilters(q, service, level), [q, service, level]);
  const live = search.live === "1";
  const none = useNoneYet("logs");
  const wrap = search.wrap === "1";
  const onFilter = useCallback(
    (key: string, value: unknown, exclude: boolean) => {
      if (key === "service" && !exclude) change({ service: valueText(value), line: undefined });
      else if (key === "level" && !exclude) change({ level: valueText(value), line: undefined });
      else
        void navigate({
          search: (previous) => ({
            ...previous,
            q: addFilter(previous.q ?? "", key, value, exclude),
            line: undefined,
          }),
        });
    },
    [change, navigate],
  );
  return (
    <div className="page fill">
      <h1 className="visually-hidden">Logs</h1>
      <div className="row wrap">
        <label className="visually-hidden" htmlFor="log-service">
          Service
        </label>
        <ServiceSelect value={service} change={change} />
        <SearchBox
          table="logs"
          label="Search logs"
          value={q ?? ""}
          placeholder={'words "a phrase" -not level:error http.response.status_code>=500'}
          onSubmit={(next) => change({ q: next || undefined, line: undefined })}
        />
        <Button
          size="xs"
          h={30}
          variant={live ? "filled" : "default"}
          aria-pressed={live}
          leftSection={<IconBroadcast size={15} aria-hidden />}
          onClick={() => change({ live: live ? undefined : "1", line: undefined })}
          data-testid="live-tail"
        >
          Live tail
        </Button>
        <button
          type="button"
          className="icon-button framed"
          aria-label="Wrap long lines"
          aria-pressed={wrap}
          title="Wrap long lines"
          onClick={() => change({ wrap: wrap ? undefined : "1" })}
        >
          <IconTextWrap size={16} aria-hidden />
        </button>
        <DownloadMenu filters={filters} />
      </div>
      {!none && <Levels filters={filters} change={change} live={live} />}
      {live ? (
        <Tail filters={filters} wrap={wrap} onFilter={onFilter} />
      ) : (
        <Found
          key={JSON.stringify([q, service, level, search.order])}
          filters={filters}
          search={search}
          wrap={wrap}
          onFilter={onFilter}
          change={change}
        />
      )}
    </div>
  );
}

function toFilters(
  q: string | undefined,
  service: string | undefined,
  level: string | undefined,
): LogFilters {
  return { ...(q ? { q } : {}), ...(service ? { service } : {}), ...(level ? { level } : {}) };
}

function ServiceSelect({ value, change }: { value: string | undefined; change: (next: LogsSearch) => void }) {
  const services = useFieldValues("logs", "service", "");
  const names = services.data?.filter((one) => one.value !== null).map((one) => valueText(one.value)) ?? [];
  if (value && !names.includes(value)) names.unshift(value);
  return (
    <select
      id="log-service"
      className="select"
      style={{ width: 180 }}
      value={value ?? ""}
      onChange={(event) => change({ service: event.currentTarget.value || undefined, line: undefined })}
    >
      <option value="">All services</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}
