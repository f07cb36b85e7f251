import { describe, expect, test } from "vitest";

import { csvRow } from "./csv";
import { highlight, parseJsonBody, wordsOf } from "./highlight";
import { dataStart, perSecond, rateSince, whole } from "./rates";
import { Ring } from "./ring";
import { metricSnippets, reachable, snippets } from "./snippets";
import { EventStreamParser } from "./sse";
import { planChart } from "./table";
import { apiQuery, parseSearch, pick, stringifySearch } from "./url";

describe("addresses", () => {
  test("are plain parameters, read back as written", () => {
    const search = {
      q: 'level:error "a b" x>=5&y',
      from: "now-1h",
      to: "1795271415250",
      empty: undefined,
      blank: "",
    };
    const text = stringifySearch(search);
    expect(text).toContain("from=now-1h&to=1795271415250");
    expect(parseSearch(text)).toEqual({ q: search.q, from: "now-1h", to: "1795271415250" });
    expect(stringifySearch({})).toBe("");
  });
  test("only known parameters are kept, as text", () => {
    expect(pick({ q: "x", from: 5, evil: "y", to: "", flag: true }, ["q", "from", "to", "flag"])).toEqual({
      q: "x",
      from: "5",
      flag: "true",
    });
  });
  test("calls leave out what is not set", () => {
    expect(apiQuery({ q: "a b", limit: 0, x: undefined, y: null, z: "" })).toBe("?q=a+b&limit=0");
    expect(apiQuery({})).toBe("");
  });
});

test("the ring keeps the newest and counts all", () => {
  const ring = new Ring<number>(3);
  for (let at = 1; at <= 5; at += 1) ring.push(at);
  expect([ring.length, ring.total, ring.at(0), ring.at(2), ring.at(3), ring.at(-1)]).toEqual([
    3,
    5,
    3,
    5,
    undefined,
    undefined,
  ]);
  ring.clear();
  ring.push(9);
  expect([ring.length, ring.total, ring.at(0)]).toEqual([1, 1, 9]);
});

test("an event stream may be cut anywhere", () => {
  const stream =
    ": hello\n\nevent: rows\ndata: [1,\ndata: 2]\n\ndata: x\r\n\r\nevent: lost\n\nid: 5\ndata:y\n\n";
  const wanted = [
    { event: "rows", data: "[1,\n2]" },
    { event: "message", data: "x" },
    { event: "message", data: "y" },
  ];
  for (let size = 1; size < stream.length; size += 1) {
    const parser = new EventStreamParser();
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...parser.push(stream.slice(at, at + size)));
    expect(events, `pieces of ${size}`).toEqual(wanted);
  }
});

test("CSV quotes what it must", () => {
  expect(csvRow(["a", 'say "hi"', "a,b", "two\nlines", null, undefined, 5, true, { x: 1 }])).toBe(
    'a,"say ""hi""","a,b","two\nlines",,,5,true,"{""x"":1}"',
  );
});

describe("highlighting", () => {
  const said = (text: string, query: string) =>
    highlight(text, wordsOf(query))
      .map((piece) => (piece.found ? `[${piece.text}]` : piece.text))
      .join("");
  test("marks the words of the query in any case", () => {
    expect(said("POST /predict failed", 'PREDICT "st /p" level:error')).toBe("PO[ST /p]redict failed");
    expect(said("aaa", "a")).toBe("[a][a][a]");
    expect(said("nothing", "-nothing key:nothing")).toBe("nothing");
    expect(said("", "x")).toBe("");
  });
  test("finds bodies that are JSON", () => {
    expect(parseJsonBody(' {"a":1}')).toEqual({ a: 1 });
    expect(parseJsonBody("[1]")).toEqual([1]);
    for (const text of ["5", '"x"', "{broken", ""]) expect(parseJsonBody(text)).toBeUndefined();
  });
});

describe("what to draw of an answer", () => {
  const time = { name: "minute", type: 'Timestamp(µs, "UTC")' };
  const service = { name: "service", type: "Utf8View" };
  const count = { name: "spans", type: "Int64" };
  test("time and a number are a line, split by text", () => {
    const rows = [
      ["2026-11-21T10:00:00Z", "a", 1],
      ["2026-11-21T10:01:00Z", "b", 2],
      ["2026-11-21T10:01:00.000000000Z", "a", 3],
    ];
    expect(planChart([time, service, count], rows)).toEqual({
      kind: "lines",
      times: [Date.UTC(2026, 10, 21, 10), Date.UTC(2026, 10, 21, 10, 1)],
      series: [
        { name: "a", values: [1, 3] },
        { name: "b", values: [null, 2] },
      ],
    });
  });
  test("text and a number are bars", () => {
    expect(
      planChart(
        [service, count],
        [
          ["a", 5],
          [null, 2],
        ],
      ),
    ).toEqual({
      kind: "bars",
      label: "service",
      value: "spans",
      bars: [
        { name: "a", value: 5 },
        { name: "null", value: 2 },
      ],
    });
  });
  test("two numbers are bars of the second by the first", () => {
    expect(planChart([{ name: "code", type: "Int64" }, count], [[200, 5]])).toMatchObject({
      kind: "bars",
      bars: [{ name: "200", value: 5 }],
    });
  });
  test("what cannot be drawn says why", () => {
    expect(planChart([service], [["a"]])).toMatchObject({ kind: "none" });
    expect(planChart([service, count], [])).toMatchObject({ kind: "none" });
    expect(planChart([time, count], [["2026-11-21T10:00:00Z", 1]])).toMatchObject({ kind: "none" });
  });
});

describe("snippets", () => {
  const main = "http://10.0.0.5:3000";
  test("each names this server, and the key only when one is asked for", () => {
    for (const key of [false, true]) {
      for (const snippet of snippets({ main, http: "http://10.0.0.5:4318", grpc: "10.0.0.5:4317", key })) {
        expect(snippet.code, snippet.name).toContain("10.0.0.5:431");
        expect(snippet.code.includes("YOUR_KEY"), snippet.name).toBe(key);
      }
    }
  });
  test("those of metrics do as well, but for the list of targets", () => {
    for (const key of [false, true])
      for (const snippet of metricSnippets({
        http: "http://10.0.0.5:4318",
        main,
        key,
      })) {
        if (snippet.name === "Scraping") continue;
        expect(snippet.code, snippet.name).toContain("10.0.0.5:");
        expect(snippet.code.includes("YOUR_KEY"), snippet.name).toBe(key);
      }
  });
  test("no line is cut off where it is shown", () => {
    const endpoints = { main, http: "http://10.0.0.5:4318", grpc: "10.0.0.5:4317", key: false };
    for (const { name, code } of [...snippets(endpoints), ...metricSnippets(endpoints)])
      for (const line of code.split("\n")) expect(line.length, `${name}: ${line}`).toBeLessThanOrEqual(97);
  });
  test("an endpoint is named as the reader reaches it", () => {
    const check = (endpoint: string | null, host: string, wanted: string | null) =>
      expect(reachable(endpoint, host)).toBe(wanted);
    check("http://127.0.0.1:4318", "localhost", "http://127.0.0.1:4318");
    check("http://0.0.0.0:4318", "trefoil.example", "http://trefoil.example:4318");
    check("127.0.0.1:4317", "10.0.0.5", "10.0.0.5:4317");
    check("http://[::]:4318", "10.0.0.5", "http://10.0.0.5:4318");
    check("http://other:4318", "10.0.0.5", "http://other:4318");
    check(null, "x", null);
  });
});

describe("rates", () => {
  const range = { start: 5_000, end: 34_000 };
  test("buckets that are in the range in part are counted by their part, or not at all", () => {
    expect(perSecond([10, 20, 30, 4], 0, 10_000, range)).toEqual([2, 2, 3, 1]);
    expect(perSecond([10, 20, 30, 4], 0, 10_000, { start: 8_000, end: 32_000 })).toEqual([null, 2, 3, null]);
  });
  test("a rate is of the time from the first data on", () => {
    const from = dataStart([[0, 0, 0, 4], [0, 0, 30, 4], []], 0, 10_000, range);
    expect(from).toBe(20_000);
    expect(rateSince(28, from, range)).toBe(2);
    expect(dataStart([[1, 2], []], 0, 10_000, range)).toBe(range.start);
    expect(dataStart([[0, 0]], 0, 10_000, range)).toBe(range.start);
    expect(dataStart([], 0, 10_000, range)).toBe(range.start);
    expect(rateSince(3, range.end, range)).toBe(3);
  });
  test("small lines show whole buckets only", () => {
    expect(whole(["a", "b", "c", "d"], 0, 10_000, range)).toEqual(["b", "c"]);
  });
});
