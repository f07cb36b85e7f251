// Writes src/api/schema.ts from docs/openapi.json: the server's answers as types.
//   npm run api          A test checks that it was run.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = import.meta.dirname;
export const DESCRIPTION = path.join(here, "../../docs/openapi.json");
export const TYPES = path.join(here, "../src/api/schema.ts");

/** A JSON schema as a TypeScript type. */
export function typeOf(schema, indent = "") {
  if (schema === undefined || schema === true) return "unknown";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return [...new Set(choices.map((one) => typeOf(one, indent)))].join(" | ");
  if (schema.allOf) return schema.allOf.map((one) => typeOf(one, indent)).join(" & ");
  const types = [schema.type ?? "unknown"].flat();
  return types.map((type) => plain(type, schema, indent)).join(" | ");
}

function plain(type, schema, indent) {
  if (type === "integer" || type === "number") return "number";
  if (type === "string" || type === "boolean" || type === "null") return type;
  if (type === "array") {
    const items = typeOf(schema.items, indent);
    return /[ |&]/.test(items) ? `(${items})[]` : `${items}[]`;
  }
  if (type !== "object") return "unknown";
  if (!schema.properties) {
    const values = schema.additionalProperties;
    return `Record<string, ${values && values !== true ? typeOf(values, indent) : "unknown"}>`;
  }
  const inner = `${indent}  `;
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties).map(([name, property]) => {
    const said = property.description ? `${inner}/** ${comment(property.description)} */\n` : "";
    return `${said}${inner}${/^\w+$/.test(name) ? name : JSON.stringify(name)}${required.has(name) ? "" : "?"}: ${typeOf(property, inner)};`;
  });
  return `{\n${fields.join("\n")}\n${indent}}`;
}

const comment = (text) => text.replaceAll("*/", "* /").replace(/\s*\n\s*/g, " ");

export function generate(description) {
  const parts = ["// Generated from docs/openapi.json by `npm run api`. Not to be edited."];
  const schemas = description.components?.schemas ?? {};
  for (const name of Object.keys(schemas).sort()) {
    const said = schemas[name].description ? `/** ${comment(schemas[name].description)} */\n` : "";
    parts.push(`${said}export type ${name} = ${typeOf(schemas[name])};`);
  }
  return `${parts.join("\n\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(TYPES, generate(JSON.parse(await readFile(DESCRIPTION, "utf8"))));
}
