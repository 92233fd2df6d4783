// Writes examples/hono/gate.d.ts, the types of the binding, from public/v1/openapi.json.
//
//   node scripts/types.mjs
//
// tests/edge/hono.test.mjs fails when the two differ.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const top = new URL("../", import.meta.url);

/** Where the types are. */
export const TYPES = fileURLToPath(new URL("examples/hono/gate.d.ts", top));

export const openapi = () =>
  JSON.parse(readFileSync(new URL("public/v1/openapi.json", top), "utf8"));

const REFERENCE = "#/components/schemas/";

const HEAD = `// The types of Postern's binding. scripts/types.mjs makes them of its OpenAPI document: do not edit.

/**
 * A whole number, or its digits. JavaScript rounds numbers beyond 2^53, so they are refused: an id
 * as large as that is sent as a BigInt or as digits.
 */
export type Int64 = number | bigint | string;

/** What Postern refuses. \`headers\` are those that the path of the same question sends with it. */
export type Failure = { ok: false; headers: Record<string, string> } & Problem;

/** An answer is what the path of the same question answers, and \`ok\` tells it from a failure. It has \`headers\` where it relies on copies. */
export type Answer<T> = ({ ok: true; headers?: Record<string, string> } & T) | Failure;
`;

/** The whole file. */
export function typesOf({ components: { schemas }, "x-gate": operations }) {
  const written = new Map();
  // Int64 has a type of its own, for BigInt.
  const name = (reference) => {
    const key = reference.slice(REFERENCE.length);
    if (key !== "Int64") declare(key, schemas[key]);
    return key;
  };
  const declare = (key, schema) => {
    if (written.has(key)) return key;
    written.set(key, "");
    written.set(key, `export interface ${key} {\n${members(schema, name)}}\n`);
    return key;
  };
  const methods = Object.entries(operations).map(([method, { summary, question, answer }]) => {
    const [asked, answered] = [declare(question.title, question), declare(answer.title, answer)];
    return `  /** ${summary}. */\n  ${method}(question: ${asked}): Promise<Answer<${answered}>>;\n`;
  });
  name(`${REFERENCE}Problem`);
  const about =
    "/** The entrypoint that a Worker binds. A call throws only when Postern itself breaks. */";
  const gate = `${about}\nexport interface Gate {\n${methods.join("")}}\n`;
  return [HEAD, gate, ...written.values()].join("\n");
}

function members({ properties, required = [] }, name) {
  const line = ([key, schema]) => {
    const about = schema.description ? `  /** ${schema.description} */\n` : "";
    const text = `  ${key}${required.includes(key) ? "" : "?"}: ${typeOf(schema, name)};\n`;
    return `${about}${text.length > 100 ? text.replaceAll(" | ", "\n    | ") : text}`;
  };
  return Object.entries(properties).map(line).join("");
}

const PRIMITIVES = {
  string: "string",
  boolean: "boolean",
  integer: "number",
  number: "number",
  null: "null",
};

/** The type of a schema. What this does not know ends the script, so that no type is a guess. */
function typeOf(schema, name) {
  if (schema.$ref) return name(schema.$ref);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  // Words in any case: an editor goes on proposing those that are listed.
  if (schema.anyOf)
    return [
      ...new Set(schema.anyOf.map((one) => (one.pattern ? "(string & {})" : typeOf(one, name)))),
    ].join(" | ");
  const types = [schema.type].flat();
  return types.map((type) => typeOfKind(type, schema, name)).join(" | ");
}

function typeOfKind(type, schema, name) {
  if (type === "array") return `Array<${typeOf(schema.items, name)}>`;
  if (type === "object" && !schema.properties) return "Record<string, unknown>";
  if (PRIMITIVES[type]) return PRIMITIVES[type];
  throw new Error(`scripts/types.mjs knows no type for ${JSON.stringify(schema)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TYPES, typesOf(openapi()));
