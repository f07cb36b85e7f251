/** Says that the server does not answer, and that what is shown is from before; asks until it does. */

import { useQueryClient } from "@tanstack/react-query";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { useEffect, useSyncExternalStore } from "react";

import { onReach, request, unreachableSince } from "../api/client";
import { formatClock } from "../lib/time";

const ASK_MS = 2_000;

export function Connection() {
  const since = useSyncExternalStore(onReach, unreachableSince);
  const client = useQueryClient();
  const silent = since !== null;
  useEffect(() => {
    if (!silent) return undefined;
    const timer = setInterval(() => {
      request("/-/healthy").then(
        () => void client.invalidateQueries(),
        () => undefined,
      );
    }, ASK_MS);
    return () => clearInterval(timer);
  }, [silent, client]);
  return (
    <div role="status">
      {silent && (
        <div className="banner error connection" data-testid="connection">
          <IconPlugConnectedX size={18} className="error-text" aria-hidden />
          <span>
            <b>The server has not answered since {formatClock(since, true)}.</b> What is shown is from before;
            the page asks again by itself.
          </span>
        </div>
      )}
    </div>
  );
}
