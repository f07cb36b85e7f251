import { useDocumentTitle } from "@mantine/hooks";

/** What the browser's tab and history say. */
export function useTitle(title: string): void {
  useDocumentTitle(`${title} · Trefoil`);
}
