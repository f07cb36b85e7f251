import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import { IconMapQuestion } from "@tabler/icons-react";

import { Empty, Failed } from "../components/States";

/** A fault of this page, not of the data: it is shown, and the rest of the shell goes on. */
export function Crash({ error, reset }: ErrorComponentProps) {
  // A page's script that is gone means that a newer version was installed meanwhile.
  const stale =
    error instanceof Error && /dynamically imported module|module script failed/i.test(error.message);
  if (stale)
    return (
      <Failed
        error={new Error("The server was updated: this page is older than it.")}
        what="Please reload"
        retry={() => window.location.reload()}
      />
    );
  return <Failed error={error} what="This page has a fault" retry={reset} />;
}

export function NotFound() {
  return (
    <Empty title="There is no such page" icon={<IconMapQuestion size={32} stroke={1.4} aria-hidden />}>
      <p>
        <Link to="/">Go to the services</Link> or press <kbd>Ctrl K</kbd> to find what you look for.
      </p>
    </Empty>
  );
}
