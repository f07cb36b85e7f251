import { useCallback, useEffect, useRef, useState } from "react";

/** How long a list stays as it is after the pointer last moved over it. */
const HOLD_MS = 5_000;

/** Rows do not move away under a pointer that is about to click: `held` while it moves over the list. */
export function useHold(): { held: boolean; onPointerMove: () => void; onPointerLeave: () => void } {
  const [held, setHeld] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const release = useCallback(() => {
    clearTimeout(timer.current);
    setHeld(false);
  }, []);
  const hold = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setHeld(false), HOLD_MS);
    setHeld(true);
  }, []);
  useEffect(() => () => clearTimeout(timer.current), []);
  return { held, onPointerMove: hold, onPointerLeave: release };
}
