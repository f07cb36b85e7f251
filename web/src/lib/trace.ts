/**
 * A trace as a tree: for the waterfall, the critical path and the self times.
 *
 * Nothing is dropped: a span whose parent never came stands at the root and says so, a cycle is
 * cut, spans with the same id are both shown. Ten thousand spans take a few milliseconds.
 */

export type SpanTimes = {
  span_id: string;
  parent_span_id: string | null;
  service: string;
  status: string;
  offset_ns: number;
  duration_ns: number;
};

export type TraceNode<S extends SpanTimes = SpanTimes> = {
  index: number;
  span: S;
  parent: number;
  children: number[];
  depth: number;
  /** Named a parent that is not in this trace. */
  orphan: boolean;
  /** Nanoseconds added to the start because the sender's clock differed. */
  shiftNs: number;
  start: number;
  end: number;
  /** Spans below it. */
  descendants: number;
  /** It or a span below it failed. */
  errorsBelow: number;
};

export type TraceTree<S extends SpanTimes = SpanTimes> = {
  nodes: TraceNode<S>[];
  roots: number[];
  start: number;
  end: number;
  maxDepth: number;
};

export function buildTree<S extends SpanTimes>(
  spans: readonly S[],
  options: { adjustClocks: boolean },
): TraceTree<S> {
  const nodes = spans.map((span, index): TraceNode<S> => ({
    index,
    span,
    parent: -1,
    children: [],
    depth: 0,
    orphan: false,
    shiftNs: 0,
    start: span.offset_ns,
    end: span.offset_ns + Math.max(0, span.duration_ns),
    descendants: 0,
    errorsBelow: 0,
  }));
  const byId = new Map<string, number>();
  for (const node of nodes) if (!byId.has(node.span.span_id)) byId.set(node.span.span_id, node.index);
  for (const node of nodes) {
    if (!node.span.parent_span_id) continue;
    const parent = byId.get(node.span.parent_span_id);
    if (parent === undefined) node.orphan = true;
    else if (parent !== node.index) node.parent = parent;
  }
  cutCycles(nodes);
  for (const node of nodes) nodes[node.parent]?.children.push(node.index);
  const order = preorder(nodes);
  if (options.adjustClocks) adjustClocks(nodes, order);
  const byStart = (a: number, b: number) => (nodes[a]?.start ?? 0) - (nodes[b]?.start ?? 0) || a - b;
  for (const node of nodes) node.children.sort(byStart);
  const roots = nodes
    .filter((node) => node.parent < 0)
    .map((node) => node.index)
    .sort(byStart);
  return { nodes, roots, ...summarise(nodes, order) };
}

function cutCycles(nodes: TraceNode[]): void {
  // 0 unseen, 1 on the way, 2 known to reach a root.
  const state = new Uint8Array(nodes.length);
  for (const first of nodes) {
    const way: TraceNode[] = [];
    let node: TraceNode | undefined = first;
    while (node && state[node.index] === 0) {
      state[node.index] = 1;
      way.push(node);
      node = nodes[node.parent];
    }
    if (node && state[node.index] === 1) node.parent = -1;
    for (const passed of way) state[passed.index] = 2;
  }
}

/** Parents before children. */
function preorder(nodes: TraceNode[]): number[] {
  const order = nodes.filter((node) => node.parent < 0).map((node) => node.index);
  for (let at = 0; at < order.length; at += 1) {
    const node = nodes[order[at] ?? -1];
    if (!node) continue;
    for (const child of node.children) {
      const below = nodes[child];
      if (below) below.depth = node.depth + 1;
      order.push(child);
    }
  }
  return order;
}

/**
 * A child of another service that starts before its parent, or starts after it ended while it would
 * fit inside, was stamped by another clock: it is put in the parent's middle, as Jaeger does, and
 * everything below it moves along. Children that outlast their parent are left: async work does.
 */
function adjustClocks(nodes: TraceNode[], order: number[]): void {
  for (const index of order) {
    const node = nodes[index];
    const parent = node && nodes[node.parent];
    if (!node || !parent) continue;
    let shift = parent.shiftNs;
    if (node.span.service !== parent.span.service) {
      const start = node.span.offset_ns + shift;
      const fits = node.end - node.start <= parent.end - parent.start;
      if (start < parent.start) {
        const latency = fits ? (parent.end - parent.start - (node.end - node.start)) / 2 : 0;
        shift += parent.start + latency - start;
      }
    }
    node.shiftNs = shift;
    node.start += shift;
    node.end += shift;
  }
}

function summarise(nodes: TraceNode[], order: number[]): { start: number; end: number; maxDepth: number } {
  let [start, end, maxDepth] = [Infinity, -Infinity, 0];
  for (let at = order.length - 1; at >= 0; at -= 1) {
    const node = nodes[order[at] ?? -1];
    if (!node) continue;
    start = Math.min(start, node.start);
    end = Math.max(end, node.end);
    maxDepth = Math.max(maxDepth, node.depth);
    if (node.span.status === "error") node.errorsBelow += 1;
    const parent = nodes[node.parent];
    if (parent) {
      parent.descendants += node.descendants + 1;
      parent.errorsBelow += node.errorsBelow;
    }
  }
  return nodes.length === 0 ? { start: 0, end: 0, maxDepth: 0 } : { start, end, maxDepth };
}

/** The rows of the waterfall: nodes in tree order, without what is below a collapsed one. */
export function visibleRows(tree: TraceTree, collapsed: ReadonlySet<number>): number[] {
  const rows: number[] = [];
  const stack = [...tree.roots].reverse();
  while (stack.length > 0) {
    const index = stack.pop();
    const node = index === undefined ? undefined : tree.nodes[index];
    if (!node) continue;
    rows.push(node.index);
    if (collapsed.has(node.index)) continue;
    for (let at = node.children.length - 1; at >= 0; at -= 1) {
      const child = node.children[at];
      if (child !== undefined) stack.push(child);
    }
  }
  return rows;
}

/** The path from a root down to the node, without the node. */
export function ancestors(tree: TraceTree, index: number): number[] {
  const path: number[] = [];
  let node = tree.nodes[tree.nodes[index]?.parent ?? -1];
  while (node) {
    path.unshift(node.index);
    node = tree.nodes[node.parent];
  }
  return path;
}

/** The root that lasts longest: what the trace is named after. */
export function mainRoot(tree: TraceTree): number {
  let best = tree.roots[0] ?? 0;
  const length = (index: number) => (tree.nodes[index]?.end ?? 0) - (tree.nodes[index]?.start ?? 0);
  for (const root of tree.roots) if (length(root) > length(best)) best = root;
  return best;
}

export type Section = { index: number; start: number; end: number };

/**
 * The sections of spans that made the trace as long as it is: from the end of the root backwards,
 * always into the child that finished last before the point reached.
 */
export function criticalPath(tree: TraceTree, root: number): Section[] {
  const sections: Section[] = [];
  const ends = clippedEnds(tree, root);
  const end = (index: number) => ends[index] ?? 0;
  // Of each span, the children that may still be on the path; the last to end is at the end.
  const lists = new Map<number, number[]>();
  const finishing = (node: TraceNode) => {
    const known = lists.get(node.index);
    if (known) return known;
    const list = node.children.filter((child) => {
      const start = tree.nodes[child]?.start ?? Infinity;
      return start >= node.start && start < end(node.index);
    });
    list.sort((a, b) => end(a) - end(b));
    lists.set(node.index, list);
    return list;
  };
  let node = tree.nodes[root];
  let until = node?.end ?? 0;
  while (node) {
    const list = finishing(node);
    let last = list.pop();
    while (last !== undefined && end(last) > until) last = list.pop();
    if (last !== undefined) {
      if (end(last) < until) sections.push({ index: node.index, start: end(last), end: until });
      until = end(last);
      node = tree.nodes[last];
    } else {
      if (node.start < until) sections.push({ index: node.index, start: node.start, end: until });
      until = node.start;
      node = node.index === root ? undefined : tree.nodes[node.parent];
    }
  }
  return sections.reverse();
}

/** A caller that gave up did not wait for what went on below it: each end is at most the one above. */
function clippedEnds(tree: TraceTree, root: number): Float64Array {
  const ends = new Float64Array(tree.nodes.length);
  const stack = [root];
  while (stack.length > 0) {
    const node = tree.nodes[stack.pop() ?? -1];
    if (!node) continue;
    const above = node.index === root ? undefined : ends[node.parent];
    ends[node.index] = Math.min(node.end, above ?? node.end);
    stack.push(...node.children);
  }
  return ends;
}

/** The sections of each span. */
export function sectionsBySpan(sections: Section[]): ReadonlyMap<number, Section[]> {
  const out = new Map<number, Section[]>();
  for (const section of sections) {
    const list = out.get(section.index);
    if (list) list.push(section);
    else out.set(section.index, [section]);
  }
  return out;
}

/** The time in which none of its children ran. */
export function selfTime(tree: TraceTree, index: number): number {
  const node = tree.nodes[index];
  if (!node) return 0;
  let covered = 0;
  let reached = node.start;
  for (const child of node.children) {
    const below = tree.nodes[child];
    if (!below) continue;
    const from = Math.max(reached, below.start);
    const to = Math.min(node.end, below.end);
    if (to > from) {
      covered += to - from;
      reached = to;
    }
  }
  return node.end - node.start - covered;
}

/** Round times for an axis of at most `count` steps over a duration. */
export function ticks(start: number, end: number, count: number): number[] {
  const span = end - start;
  if (!(span > 0)) return [start];
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  const out: number[] = [];
  for (let at = Math.ceil(start / step) * step; at <= end + step * 1e-9; at += step) out.push(at);
  return out;
}
