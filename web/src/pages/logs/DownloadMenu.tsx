import { Menu } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useState } from "react";

import type { LogFilters } from "../../api/hooks";
import { useTimeRange } from "../../components/useTimeRange";
import { resolveRange } from "../../lib/time";
import { formatInteger } from "../../lib/units";
import { DOWNLOAD_LINES_MAX, downloadLogs } from "./download";

export function DownloadMenu({ filters }: { filters: LogFilters }) {
  const { text } = useTimeRange();
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");
  const start = (format: "ndjson" | "csv") => {
    setState("busy");
    downloadLogs(format, filters, resolveRange(text, Date.now())).then(
      () => setState("idle"),
      () => setState("failed"),
    );
  };
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <button
          type="button"
          className="icon-button framed"
          aria-label={
            state === "busy"
              ? "Downloading"
              : state === "failed"
                ? "Download: the last one failed"
                : "Download"
          }
          title={state === "failed" ? "The last download failed" : "Download"}
          disabled={state === "busy"}
        >
          <IconDownload size={16} aria-hidden className={state === "failed" ? "error-text" : ""} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Up to {formatInteger(DOWNLOAD_LINES_MAX)} lines</Menu.Label>
        <Menu.Item onClick={() => start("ndjson")}>NDJSON</Menu.Item>
        <Menu.Item onClick={() => start("csv")}>CSV</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
