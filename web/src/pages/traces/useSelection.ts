import { useCallback, useEffect, useRef, useState } from "react";

import type { Trace } from "../../api/types";

/** The address follows the selection after this pause, so that holding `j` stays smooth. */
const ADDRESS_DELAY_MS = 150;

/** The chosen span, kept in the page's address. */
export function useSelection(
  trace: Trace,
  spanInAddress: string | undefined,
  setAddress: (span: string | undefined) => void,
) {
  const indexOf = useCallback(
    (id: string | undefined) =>
      id === undefined ? null : trace.spans.findIndex((span) => span.span_id === id),
    [trace.spans],
  );
  const [selected, setSelected] = useState<number | null>(() => validIndex(indexOf(spanInAddress)));
  const known = useRef({ span: spanInAddress, spans: trace.spans });
  const write = useRef(setAddress);
  const selectedId = selected === null ? undefined : trace.spans[selected]?.span_id;
  useEffect(() => {
    write.current = setAddress;
  });
  useEffect(() => {
    if (known.current.span === spanInAddress && known.current.spans === trace.spans) return;
    known.current = { span: spanInAddress, spans: trace.spans };
    setSelected(validIndex(indexOf(spanInAddress)));
  }, [spanInAddress, trace.spans, indexOf]);
  useEffect(() => {
    if (selectedId === known.current.span) return undefined;
    const timer = setTimeout(() => {
      known.current = { ...known.current, span: selectedId };
      write.current(selectedId);
    }, ADDRESS_DELAY_MS);
    return () => clearTimeout(timer);
  }, [selectedId]);
  const select = useCallback((index: number | null) => setSelected(validIndex(index)), []);
  return { selected, select };
}

const validIndex = (index: number | null) => (index === null || index < 0 ? null : index);
