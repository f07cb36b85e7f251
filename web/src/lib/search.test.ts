import { describe, expect, test } from "vitest";

import { addFilter, complete, completingAt, filterTerm, parseTerms, quote } from "./search";

test("terms are found with their keys, operators and quotes", () => {
  const said = (query: string) =>
    parseTerms(query).map(
      (term) =>
        `${term.negated ? "not " : ""}${term.key === null ? "" : `${term.key} ${term.operator} `}${term.value}`,
    );
  const check = (query: string, wanted: string[]) => expect(said(query), query).toEqual(wanted);
  check("", []);
  check("timeout  -health", ["timeout", "not health"]);
  check('"a phrase" service:api', ["a phrase", "service : api"]);
  check("http.status_code>=500 duration<1.5s", ["http.status_code >= 500", "duration < 1.5s"]);
  check('name!="GET /x" url=~"^/a b"', ["name != GET /x", "url =~ ^/a b"]);
  check('body:"say \\"hi\\"" x:*', ['body : say "hi"', "x : *"]);
  check('open:"without an end', ["open : without an end"]);
  check("-", ["-"]);
});

test("values are quoted when they must be", () => {
  expect(["plain", "a b", 'say "hi"', "-5", "", "a:b", "path\\x"].map(quote)).toEqual([
    "plain",
    '"a b"',
    '"say \\"hi\\""',
    '"-5"',
    '""',
    '"a:b"',
    '"path\\\\x"',
  ]);
  expect(filterTerm("http.status_code", 500, false)).toBe("http.status_code:500");
  expect(filterTerm("tags", ["a"], true)).toBe('tags!="[\\"a\\"]"');
});

test("what a term needs to be read back is what it was written from", () => {
  for (const value of ["plain", "a b", 'say "hi"', "back\\slash", "ends with \\", "-x", "ü:ö"]) {
    expect(parseTerms(filterTerm("k", value, false))).toMatchObject([{ key: "k", operator: ":", value }]);
  }
});

test("a filter is added once, and takes the place of its opposite", () => {
  const check = (query: string, exclude: boolean, wanted: string) =>
    expect(addFilter(query, "service", "api", exclude)).toBe(wanted);
  check("", false, "service:api");
  check("error", false, "error service:api");
  check("error service:api", false, "error service:api");
  check("service!=api error", false, "error service:api");
  check("service:api", true, "service!=api");
  check('service:other "a b"', true, 'service:other "a b" service!=api');
});

describe("completion", () => {
  const at = (marked: string) => {
    const cursor = marked.indexOf("|");
    return { query: marked.replace("|", ""), completing: completingAt(marked.replace("|", ""), cursor) };
  };
  const check = (marked: string, wanted: unknown) => expect(at(marked).completing, marked).toEqual(wanted);
  test("knows what stands at the cursor", () => {
    check("|", { what: "key", prefix: "", from: 0, to: 0 });
    check("ser|", { what: "key", prefix: "ser", from: 0, to: 3 });
    check("error -ser|", { what: "key", prefix: "ser", from: 7, to: 10 });
    check("service:pre|", { what: "value", key: "service", prefix: "pre", from: 8, to: 11 });
    check('name:"GET /|', { what: "value", key: "name", prefix: "GET /", from: 5, to: 11 });
    check('"a phr|', null);
    check("ser|vice:api", { what: "key", prefix: "ser", from: 0, to: 7 });
  });
  test("puts the choice in place and leaves the rest", () => {
    const choose = (marked: string, text: string) => {
      const { query, completing } = at(marked);
      if (!completing) return null;
      const next = complete(query, completing, text);
      return `${next.query.slice(0, next.cursor)}|${next.query.slice(next.cursor)}`;
    };
    expect(choose("ser|", "service")).toBe("service:|");
    expect(choose("service:pre|", "preprocessing")).toBe("service:preprocessing |");
    expect(choose("service:pre| error", "a b")).toBe('service:"a b" |error');
    expect(choose("ser|vice:api", "span_id")).toBe("span_id:|api");
  });
});
