import type { Span } from "../../api/types";

/** Indexes of spans that contain every word somewhere: name, service, ids, status, attributes, events. Null without words. */
export function findSpans(spans: readonly Span[], find: string): number[] | null {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return null;
  const out: number[] = [];
  spans.forEach((span, index) => {
    const text = haystack(span);
    if (words.every((word) => text.includes(word))) out.push(index);
  });
  return out;
}

const haystacks = new WeakMap<Span, string>();

function haystack(span: Span): string {
  let text = haystacks.get(span);
  if (text === undefined) {
    const attributes = Object.entries(span.attributes).map(
      ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    const events = span.events.length > 0 ? JSON.stringify(span.events) : "";
    text = [
      span.name,
      span.service,
      span.span_id,
      span.kind,
      span.status,
      span.status_message ?? "",
      ...attributes,
      events,
    ]
      .join("\n")
      .toLowerCase();
    haystacks.set(span, text);
  }
  return text;
}
