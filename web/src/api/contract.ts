/**
 * The compiler's proof that what the pages expect (`types.ts`) is what the server says it sends
 * (`schema.ts`, generated): a change on either side that the other does not follow fails `tsc`.
 */

import type * as said from "./schema";
import type * as expected from "./types";
import type { WireTrace } from "./wire";

type Keeps<Said, Expected> = Said extends Expected ? true : { said: Said; expected: Expected };

export type Contract = [
  Keeps<said.StatusReport, expected.Status>,
  Keeps<said.Services, expected.Services>,
  Keeps<said.Operation, expected.Operation>,
  Keeps<said.Traces, expected.TraceList>,
  Keeps<said.TraceHistogram, expected.TraceHistogram>,
  Keeps<said.Trace, WireTrace>,
  Keeps<said.LogPage, expected.LogPage>,
  Keeps<
    said.LogHistogram,
    { step_ms: number; buckets: { time_ms: number; counts: Record<string, unknown> }[]; total: number }
  >,
  Keeps<said.LogContext, expected.LogContext>,
  Keeps<said.FieldValue, expected.FieldValue>,
  Keeps<said.SqlAnswer, expected.SqlAnswer>,
];

/** Fails to compile when one of them is not kept. */
export const contract: Contract = [true, true, true, true, true, true, true, true, true, true, true];
