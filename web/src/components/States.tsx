import { Button } from "@mantine/core";
import { IconAlertTriangle, IconInbox } from "@tabler/icons-react";
import type { ReactNode } from "react";

import { ApiError } from "../api/client";

export function Skeleton({ rows = 6, height = 22 }: { rows?: number; height?: number }) {
  return (
    <div role="status" aria-label="Loading" style={{ display: "grid", gap: 8, padding: 12 }}>
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} className="skeleton" style={{ height, width: `${96 - ((at * 17) % 30)}%` }} />
      ))}
    </div>
  );
}

export function Empty({ title, children, icon }: { title: string; children?: ReactNode; icon?: ReactNode }) {
  return (
    <div className="state" data-testid="empty">
      {icon ?? <IconInbox size={32} stroke={1.4} aria-hidden />}
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Failed({ error, retry, what }: { error: unknown; retry?: () => void; what: string }) {
  const api = error instanceof ApiError ? error : null;
  return (
    <div className="state failed" role="alert" data-testid="failed">
      <IconAlertTriangle size={32} stroke={1.4} aria-hidden />
      <h2>{what}</h2>
      <code>{error instanceof Error ? error.message : String(error)}</code>
      {api?.hint && <p>{api.hint}</p>}
      {api?.code === "timeout" && <p>A shorter time range or one more filter makes it quicker.</p>}
      {retry && (
        <Button size="compact-sm" variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** A search that the server did not understand is not worth a second try as it stands. */
export function SearchFailed({ error, retry }: { error: unknown; retry: () => void }) {
  if (error instanceof ApiError && error.status === 400)
    return <Failed what="There is a fault in the search" error={error} />;
  return <Failed what="The search failed" error={error} retry={retry} />;
}
