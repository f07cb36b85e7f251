import { describe, expect, test } from "vitest";

import { ancestors, buildTree, criticalPath, selfTime, ticks, visibleRows, type SpanTimes } from "./trace";

/** `id<parent service@start+duration`, one a line; a `!` at the end is an error. */
function spans(text: string): SpanTimes[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const match = /^\s*(\w+)(?:<(\w+))? (\w+)@(-?\d+)\+(-?\d+)(!?)$/.exec(line);
      if (!match) throw new Error(`not a span: ${line}`);
      const [, span_id = "", parent = null, service = "", start, duration, failed] = match;
      return {
        span_id,
        parent_span_id: parent,
        service,
        status: failed ? "error" : "unset",
        offset_ns: Number(start),
        duration_ns: Number(duration),
      };
    });
}

const tree = (text: string, adjustClocks = false) => buildTree(spans(text), { adjustClocks });

const CHECKOUT = `
  root web@0+100
  auth<root web@5+10
  pay<root pay@20+60!
  card<pay bank@30+40
  mail<root web@85+30
`;

describe("the tree", () => {
  const said = (text: string) => {
    const built = tree(text);
    return visibleRows(built, new Set()).map(
      (index) =>
        `${" ".repeat(built.nodes[index]?.depth ?? 0)}${built.nodes[index]?.span.span_id}${built.nodes[index]?.orphan ? "?" : ""}`,
    );
  };
  test("children stand below their parents, by start", () => {
    expect(said(CHECKOUT)).toEqual(["root", " auth", " pay", "  card", " mail"]);
  });
  test("a span whose parent never came stands at the root and says so", () => {
    expect(said("a x@10+5\nb<gone x@0+5\nc<b x@1+1")).toEqual(["b?", " c", "a"]);
  });
  test("a cycle is cut and nothing is lost", () => {
    expect(
      said("a<b x@0+5\nb<a x@1+5\nc<c x@2+1")
        .map((row) => row.trim())
        .sort(),
    ).toEqual(["a", "b", "c"]);
  });
  test("spans with the same id are both shown", () => {
    expect(said("a x@0+9\nb<a x@1+2\nb<a y@4+2\nc<b x@2+1")).toEqual(["a", " b", "  c", " b"]);
  });
  test("nothing at all is an empty tree", () => {
    expect(buildTree([], { adjustClocks: true })).toMatchObject({ nodes: [], roots: [], start: 0, end: 0 });
  });
  test("descendants and errors are counted below", () => {
    const { nodes } = tree(CHECKOUT);
    expect(nodes.map((node) => [node.descendants, node.errorsBelow])).toEqual([
      [4, 1],
      [0, 0],
      [1, 1],
      [0, 0],
      [0, 0],
    ]);
  });
  test("what is collapsed hides what is below it", () => {
    expect(visibleRows(tree(CHECKOUT), new Set([2]))).toEqual([0, 1, 2, 4]);
    expect(visibleRows(tree(CHECKOUT), new Set([0]))).toEqual([0]);
  });
  test("ancestors lead from the root", () => {
    expect(ancestors(tree(CHECKOUT), 3)).toEqual([0, 2]);
  });
});

describe("clocks", () => {
  test("a child of another service before its parent is put in the middle, with all below it", () => {
    const { nodes } = tree("a web@100+100\nb<a pay@10+40\nc<b pay@20+10", true);
    expect(nodes.map((node) => [node.start, node.shiftNs])).toEqual([
      [100, 0],
      [130, 120],
      [140, 120],
    ]);
  });
  test("a child too long to fit starts with its parent", () => {
    expect(tree("a web@100+10\nb<a pay@50+40", true).nodes[1]).toMatchObject({ start: 100, end: 140 });
  });
  test("the same service, a later child and a longer child are left alone", () => {
    const { nodes } = tree("a web@0+10\nb<a web@-5+3\nc<a pay@8+50\nd<a pay@30+5", true);
    expect(nodes.map((node) => node.shiftNs)).toEqual([0, 0, 0, 0]);
  });
  test("as sent, nothing moves", () => {
    expect(tree("a web@100+100\nb<a pay@10+40").nodes[1]).toMatchObject({ start: 10, shiftNs: 0 });
  });
});

describe("the critical path", () => {
  const check = (text: string, wanted: string[]) => {
    const built = tree(text);
    expect(
      criticalPath(built, built.roots[0] ?? 0).map(
        (section) => `${built.nodes[section.index]?.span.span_id} ${section.start}-${section.end}`,
      ),
    ).toEqual(wanted);
  };
  test("a lone span is its own", () => check("a x@0+10", ["a 0-10"]));
  test("it goes through the child that ended last", () => {
    check("a x@0+100\nb<a x@10+20\nc<a x@40+50", ["a 0-10", "b 10-30", "a 30-40", "c 40-90", "a 90-100"]);
  });
  test("of parallel children only the last to end counts", () => {
    check("a x@0+100\nb<a x@10+70\nc<a x@10+85", ["a 0-10", "c 10-95", "a 95-100"]);
  });
  test("a child that outlasts its parent counts up to its end", () => {
    check("a x@0+50\nb<a x@20+100", ["a 0-20", "b 20-50"]);
  });
  test("what goes on below a caller that gave up counts up to that", () => {
    check("a x@0+50\nb<a x@10+100\nc<b x@20+120", ["a 0-10", "b 10-20", "c 20-50"]);
  });
  test("a child that starts after its parent ended is not on it", () => {
    check("a x@0+50\nb<a x@60+10", ["a 0-50"]);
  });
  test("it goes down and comes up again", () => {
    check(CHECKOUT, [
      "root 0-5",
      "auth 5-15",
      "root 15-20",
      "pay 20-30",
      "card 30-70",
      "pay 70-80",
      "root 80-85",
      "mail 85-100",
    ]);
  });
  test("its sections never overlap and fill the root, whatever the tree", () => {
    let seed = 7;
    const random = (below: number) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % below;
    const list: SpanTimes[] = [
      { span_id: "0", parent_span_id: null, service: "x", status: "ok", offset_ns: 0, duration_ns: 10_000 },
    ];
    for (let at = 1; at < 2_000; at += 1)
      list.push({
        span_id: String(at),
        parent_span_id: String(random(at)),
        service: `s${random(5)}`,
        status: "ok",
        offset_ns: random(11_000) - 500,
        duration_ns: random(3_000),
      });
    const built = buildTree(list, { adjustClocks: true });
    const path = criticalPath(built, 0);
    let reached = 0;
    for (const section of path) {
      expect(section.start).toBe(reached);
      expect(section.end).toBeGreaterThan(section.start);
      reached = section.end;
    }
    expect(reached).toBe(10_000);
  });
});

test("self time is what no child covers, overlaps counted once", () => {
  const built = tree("a x@0+100\nb<a x@10+30\nc<a x@20+40\nd<a x@90+50");
  expect(selfTime(built, 0)).toBe(100 - 50 - 10);
  expect(selfTime(built, 1)).toBe(30);
});

test("ten thousand spans, deep or wide, are built in no time and without a stack overflow", () => {
  const make = (parent: (at: number) => number) =>
    Array.from({ length: 10_000 }, (_, at): SpanTimes => ({
      span_id: `${at}`,
      parent_span_id: at === 0 ? null : `${parent(at)}`,
      service: "x",
      status: "ok",
      offset_ns: at,
      duration_ns: 20_000 - at,
    }));
  for (const parent of [(at: number) => at - 1, () => 0, (at: number) => at >> 1]) {
    const built = buildTree(make(parent), { adjustClocks: true });
    expect(visibleRows(built, new Set())).toHaveLength(10_000);
    expect(criticalPath(built, 0).length).toBeGreaterThan(0);
  }
});

test("ticks are round and inside", () => {
  expect(ticks(0, 100, 6)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(ticks(3, 47, 5)).toEqual([10, 20, 30, 40]);
  expect(ticks(5, 5, 5)).toEqual([5]);
});
