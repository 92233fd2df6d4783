// Runs a transcript. tests/golden/README.md describes the format.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { admin, nowInSeconds, sign } from "./client.mjs";
import { top } from "./workerd.mjs";

const folder = join(top, "tests/golden");

const EPOCH_MILLIS = { from: Date.UTC(2020), until: Date.UTC(2200) };

/** Placeholders for a value of some shape: as a text, and as a JSON value that is not a text. */
const SHAPES = {
  "<int>": { pattern: "-?\\d+", accepts: Number.isInteger },
  "<millis>": { pattern: "\\d{13}", accepts: (value) => Number.isInteger(value) && within(value) },
  "<seconds>": {
    pattern: "\\d{10}",
    accepts: (value) => Number.isInteger(value) && within(value * 1000),
  },
  "<uuid>": { pattern: "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}" },
  "<jwt>": { pattern: "[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+" },
  "<cookie>": { pattern: "[0-9A-F]{32}" },
  "<text>": { pattern: "[^]+" },
  "<any>": { pattern: "[^]*", accepts: () => true },
};

function within(millis) {
  return millis >= EPOCH_MILLIS.from && millis < EPOCH_MILLIS.until;
}

/** All transcripts, with their paths below tests/golden, without the states. */
export function transcripts() {
  const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith(".json"));
  return files
    .filter((file) => dirname(file) !== "given")
    .sort()
    .map((file) => ({ file, ...read(file) }));
}

function read(file) {
  return JSON.parse(readFileSync(join(folder, file), "utf8"));
}

const states = new Map();

function state(name) {
  if (!states.has(name)) states.set(name, read(join("given", `${name}.json`)));
  return states.get(name);
}

/** The states that a transcript begins in, each once, and each after those that it builds on. */
function given(transcript, built = new Map()) {
  for (const name of transcript.given ?? []) {
    if (built.has(name)) continue;
    given(state(name), built);
    built.set(name, state(name));
  }
  return built;
}

const administratorSql = readFileSync(join(folder, "administrator.sql"), "utf8");

/**
 * SQL that inserts the first administrator, if the transcript begins with them. So only transcripts
 * that are about passwords have to hash one.
 */
export function administratorOf(transcript) {
  const { variables = {}, empty = false } = transcript;
  const [first = transcript] = given(transcript).values();
  const isTheirs = first.steps[0].send.headers?.authorization === "{{admin}}";
  if (empty || !isTheirs || "ADMIN_PASSWORD" in variables || "MASTER_KEY" in variables) return [];
  return administratorSql
    .replaceAll("NOW", Date.now())
    .split(/;\n/)
    .filter((statement) => statement.trim() !== "");
}

/** The host of all requests, by name, so that transcripts can name its origin. */
const HOST = "postern.test";

/** Runs a transcript on an empty Postern: first the steps of its states, then its own. */
export async function run(postern, transcript) {
  const known = { admin: admin.authorization };
  for (const [name, state] of given(transcript))
    await play(postern, state, known, `given ${name}, `);
  await play(postern, transcript, known, "");
}

async function play(postern, { tokens = {}, moments = {}, steps }, known, place) {
  Object.assign(known, signed(tokens));
  for (const [name, offset] of Object.entries(moments)) known[name] = momentOf(offset);
  for (const [index, { send, expect, capture = {} }] of steps.entries()) {
    const { text, prove, sign: call, ...request } = filled(send, known);
    if (prove) request.json = { ...proof(prove), ...request.json };
    const headers = {
      host: HOST,
      ...request.headers,
      ...(call &&
        callHeaders(call, request.path, text ?? (request.json && JSON.stringify(request.json)))),
    };
    const answer = await postern.send({
      ...request,
      headers,
      ...(text !== undefined && { body: text }),
    });
    const asked = `${request.method ?? "GET"} ${request.path}`;
    const what = `${place}step ${index + 1}, ${asked} answered ${answer.status} ${answer.text}`;
    check(answer, filled(expect, known), what);
    for (const [name, source] of Object.entries(capture)) {
      const value = captured(answer, source);
      assert.notEqual(value, undefined, `${what}: there is no ${source}`);
      known[name] = value;
    }
  }
}

/**
 * A text that begins with a sign is an offset from now in milliseconds; another text stays as it
 * is.
 */
const momentOf = (text) => (/^[+-]/.test(text) ? String(Date.now() + Number(text)) : text);

/** The digest by which an application proves its secret or signs a call. */
const digest = (...parts) => createHash("sha256").update(parts.join("")).digest("hex");

export function proof({ appKey, secret = "", timestamp = "+0", as = "number" }) {
  const at = momentOf(timestamp);
  return {
    appKey,
    encryption: digest(appKey, at, secret),
    timestamp: as === "string" ? at : Number(at),
  };
}

export function callHeaders(
  { token, secret = "", timestamp = "+0", query, body },
  path,
  sent = "",
) {
  const at = momentOf(timestamp);
  const pairs = [...new URLSearchParams(query ?? path.split("?")[1] ?? "")].sort(([a], [b]) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  const signature = digest(token, ...pairs.flat(), body ?? sent, at, secret);
  return { "apim-accesstoken": token, "apim-timestamp": at, "apim-signature": signature };
}

function signed(tokens) {
  const moment = (value) => (/^[+-]\d+$/.test(value) ? nowInSeconds() + Number(value) : value);
  const claims = (raw) =>
    Object.fromEntries(
      Object.entries(raw).map(([name, value]) => [
        name,
        typeof value === "string" ? moment(value) : value,
      ]),
    );
  const token = ({ secret, header, claims: raw }) => sign(secret, claims(raw), header);
  return Object.fromEntries(Object.entries(tokens).map(([name, parts]) => [name, token(parts)]));
}

/** Replaces `{{name}}` by its value, in each text within the value. */
function filled(value, known) {
  if (typeof value === "string") {
    return value.replace(/\{\{(\w+)\}\}/g, (_, name) => {
      assert.ok(name in known, `nothing was captured as ${name}`);
      return String(known[name]);
    });
  }
  if (Array.isArray(value)) return value.map((item) => filled(item, known));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [filled(name, known), filled(item, known)]),
  );
}

function check(answer, { status, headers = {}, json, text }, what) {
  assert.equal(answer.status, status, what);
  const standard = {
    "x-request-id": "<text>",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  for (const [name, expected] of Object.entries({ ...standard, ...headers })) {
    const value = header(answer, name);
    if (expected === null)
      assert.equal(value, undefined, `${what}: the header ${name} must be absent`);
    else
      assert.ok(
        fitsText(value, expected),
        `${what}: the header ${name} is ${value}, expected ${expected}`,
      );
  }
  if (text !== undefined) assert.ok(fitsText(answer.text, text), `${what}, expected ${text}`);
  if (json !== undefined) assert.deepEqual(reduced(answer.json, json), json, what);
}

function header({ headers }, name) {
  const value = headers[name.toLowerCase()];
  return Array.isArray(value) ? value.join(", ") : value;
}

function fitsText(value, expected) {
  if (typeof value !== "string") return false;
  const parts = expected.split(/(<\w+>)/).map((part) => SHAPES[part]?.pattern ?? escaped(part));
  return new RegExp(`^${parts.join("")}$`).test(value);
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * Replaces each part of the value that fits its placeholder by the placeholder, so that the rest
 * can be compared as a whole.
 */
function reduced(value, expected) {
  if (typeof expected === "string" && fitsShape(value, expected)) return expected;
  if (
    value === null ||
    expected === null ||
    typeof value !== "object" ||
    typeof expected !== "object"
  )
    return value;
  if (Array.isArray(value)) return value.map((item, index) => reduced(item, expected[index]));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, reduced(item, expected[name])]),
  );
}

function fitsShape(value, expected) {
  if (typeof value === "string") return /<\w+>/.test(expected) && fitsText(value, expected);
  return SHAPES[expected]?.accepts?.(value) ?? false;
}

function captured(answer, source) {
  if (source === "text") return answer.text;
  const [kind, name] = [
    source.slice(0, source.indexOf(":")),
    source.slice(source.indexOf(":") + 1),
  ];
  if (kind === "header") return header(answer, name);
  assert.equal(kind, "json", `unknown source ${source}`);
  const steps = name
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return steps.reduce((value, step) => value?.[step], answer.json);
}
