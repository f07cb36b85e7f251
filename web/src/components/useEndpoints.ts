import { useStatus } from "../api/hooks";
import { reachable, type Endpoints } from "../lib/snippets";

/** Where this server takes data, as the page's reader reaches it. */
export function useEndpoints(): Endpoints {
  const status = useStatus().data;
  const host = window.location.hostname;
  const main = window.location.origin;
  return {
    main,
    http: reachable(status?.endpoints.otlp_http ?? null, host) ?? main,
    grpc: reachable(status?.endpoints.otlp_grpc ?? null, host),
    key: status?.auth_required ?? false,
  };
}
