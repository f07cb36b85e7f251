/** The part of a trace that is looked at, as its address has it: nanoseconds from the trace's start. */

export type View = { start: number; end: number };

export function zoomText({ start, end }: View): string {
  return `${Math.round(start)}-${Math.round(end)}`;
}

/** Null for the whole trace, and for what is not a part of it. */
export function readZoom(text: string | undefined, whole: View): View | null {
  const [, from, to] = /^(-?\d+)-(-?\d+)$/.exec(text ?? "") ?? [];
  if (from === undefined || to === undefined) return null;
  const start = Math.max(whole.start, Number(from));
  const end = Math.min(whole.end, Number(to));
  return end > start ? { start, end } : null;
}
