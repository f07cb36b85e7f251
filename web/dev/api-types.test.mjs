import { existsSync, readFileSync } from "node:fs";

import { format, resolveConfig } from "prettier";
import { expect, test } from "vitest";

import { DESCRIPTION, generate, typeOf, TYPES } from "./api-types.mjs";

test.runIf(existsSync(DESCRIPTION))(
  "the types are those of docs/openapi.json: if not, run `npm run api`",
  async () => {
    const made = generate(JSON.parse(readFileSync(DESCRIPTION, "utf8")));
    const options = await resolveConfig(TYPES);
    expect(readFileSync(TYPES, "utf8")).toBe(await format(made, { ...options, parser: "typescript" }));
  },
);

test("schemas become types", () => {
  const check = (schema, wanted) => expect(typeOf(schema).replace(/\s+/g, " ")).toBe(wanted);
  check({ type: "integer" }, "number");
  check({ type: ["string", "null"] }, "string | null");
  check({ type: "array", items: { type: ["number", "null"] } }, "(number | null)[]");
  check({ oneOf: [{ type: "null" }, { $ref: "#/components/schemas/Span" }] }, "null | Span");
  check({ type: "object", additionalProperties: { type: "string" } }, "Record<string, string>");
  check(
    { type: "object", required: ["a"], properties: { a: { type: "string" }, "b-c": {} } },
    '{ a: string; "b-c"?: unknown; }',
  );
  check({ enum: ["a", 1] }, '"a" | 1');
});
