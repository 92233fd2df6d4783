// Compares requests and answers with public/v1/openapi.json.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { top } from "./workerd.mjs";

const document = JSON.parse(readFileSync(join(top, "public/v1/openapi.json"), "utf8"));

/** All paths as patterns. Paths without parameters come before those with parameters. */
const paths = Object.keys(document.paths)
  .map((path) => ({
    path,
    pattern: new RegExp(
      `^${path
        .split(/\{\w+\}/)
        .map(escaped)
        .join("[^/]+")}$`,
    ),
  }))
  .sort((one, other) => one.path.includes("{") - other.path.includes("{"));

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * A copy of a schema in which an undeclared member is a mistake, because Postern never answers with
 * one.
 */
function closed(value, within = "") {
  if (Array.isArray(value)) return value.map((item) => closed(item, within));
  if (value === null || typeof value !== "object") return value;
  const members = Object.entries(value).map(([name, item]) => [
    name,
    ["example", "examples", "enum"].includes(name) ? item : closed(item, name),
  ]);
  const isOpen =
    value.type !== undefined && value.properties && value.additionalProperties === undefined;
  return Object.fromEntries(
    isOpen && within !== "allOf" ? [...members, ["additionalProperties", false]] : members,
  );
}

function validatorsOf(content) {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema(content, "document", undefined, false);
  const known = new Map();
  return (pointer) => {
    if (!known.has(pointer)) known.set(pointer, ajv.compile({ $ref: `document#${pointer}` }));
    return known.get(pointer);
  };
}

const sent = validatorsOf(document);
const answered = validatorsOf(closed(document));

const pointerOf = (...names) =>
  names.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
const mediaType = (value) =>
  String(value ?? "")
    .split(";")[0]
    .trim()
    .toLowerCase();

const isJsonType = (type) => type === "application/json" || type.endsWith("+json");

/** The text as JSON; undefined if it is not JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The mistakes of a body by a schema. The body is a JSON value, or a text that is not JSON. */
function mistakes(validate, type, text) {
  const value = isJsonType(type) ? parsed(text) : text;
  if (value === undefined) return ["the body is no JSON"];
  if (validate(value)) return [];
  return validate.errors.map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** The operation of a request, and its place in the document; undefined if there is none. */
function operationOf({ method = "GET", path }) {
  const pathname = path.split("?")[0];
  const found = paths.find(
    ({ path: one, pattern }) => pattern.test(pathname) && document.paths[one][method.toLowerCase()],
  );
  if (!found) return undefined;
  const place = pointerOf("paths", found.path, method.toLowerCase());
  return { place, operation: document.paths[found.path][method.toLowerCase()] };
}

/** The mistakes of an answer. For an answer without a body, the document needs only the status. */
function mistakesOfAnswer({ place, operation }, { status, headers, text }) {
  const key = [String(status), `${Math.floor(status / 100)}XX`, "default"].find(
    (one) => operation.responses[one],
  );
  if (!key) return [`the status ${status} is not in the document`];
  if (text === "") return [];
  let target = pointerOf("responses", key);
  let response = operation.responses[key];
  if (response.$ref) {
    place = "";
    target = response.$ref.slice(1);
    response = target
      .slice(1)
      .split("/")
      .reduce((value, name) => value[name], document);
  }
  const type = mediaType(headers["content-type"]);
  if (!response.content?.[type]) return [`${type} is not in the document for ${status}`];
  if (!response.content[type].schema) return [];
  const schema = `${place}${target}${pointerOf("content", type, "schema")}`;
  return mistakes(answered(schema), type, text);
}

/**
 * The media type as which Postern reads a body. JSON is read as JSON whatever type is declared,
 * because curl users rely on that. The format of records is the parameter `format`.
 */
function typeOfBody(content, { path, headers = {} }, text) {
  for (const type of ["application/json", "application/scim+json"]) {
    if (content[type] && parsed(text) !== undefined) return type;
  }
  if (content["application/x-ndjson"]) {
    return /[?&]format=csv\b/.test(path) ? "text/csv" : "application/x-ndjson";
  }
  const isType = ([name]) => name.toLowerCase() === "content-type";
  return mediaType(Object.entries(headers).find(isType)?.[1]);
}

/**
 * The mistakes of a body that Postern accepted. Forms are not checked, because they have only
 * texts.
 */
function mistakesOfRequest({ place, operation }, request) {
  const text = request.json === undefined ? request.body : JSON.stringify(request.json);
  if (!text || !operation.requestBody) return [];
  const { content } = operation.requestBody;
  const type = typeOfBody(content, request, text);
  // The document describes forms in its prose: they are accepted instead of JSON.
  if (type === "application/x-www-form-urlencoded" && content["application/json"]) return [];
  if (!content[type]) return [`a body of "${type}" is taken, and is not in the document`];
  const schema = `${place}${pointerOf("requestBody", "content", type, "schema")}`;
  return mistakes(sent(schema), type, text);
}

/** Collects what differs from the document in the traffic of the isolates that it listens to. */
export class DocumentCheck {
  /** How many requests were to a documented operation. */
  checked = 0;
  /** Each mistake, and where it was seen first. */
  mistakes = new Map();

  /** Listens to the isolate. `what` names the test. */
  listen(isolate, what) {
    return {
      ...isolate,
      send: async (request) => {
        const answer = await isolate.send(request);
        this.#look(request, answer, what);
        return answer;
      },
    };
  }

  #look(request, answer, what) {
    const found = operationOf(request);
    if (!found || request.method === "HEAD") return;
    this.checked += 1;
    const ofRequest = answer.status < 300 ? mistakesOfRequest(found, request) : [];
    for (const mistake of [
      ...ofRequest.map((one) => `sent: ${one}`),
      ...mistakesOfAnswer(found, answer).map((one) => `${answer.status}: ${one}`),
    ]) {
      const key = `${request.method ?? "GET"} ${found.operation.operationId} ${mistake}`;
      if (!this.mistakes.has(key)) this.mistakes.set(key, what);
    }
  }
}
