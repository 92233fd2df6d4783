// Searches for credentials where none may be: in each byte of the state folder, and in what workerd
// has printed.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const SECRET_MEMBERS = new Set([
  "secret",
  "privateKey",
  "password",
  "currentPassword",
  "initpwd",
  "accessToken",
]);
const JWT = /\b[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Bytes of a credential. A shorter one occurs by chance. */
const MIN_LENGTH = 10;

/** Collects each credential in the traffic of the isolates that it listens to. */
export class Recorder {
  credentials = new Set();
  /** Opaque tokens that Postern issued. */
  issued = new Set();

  note(...values) {
    for (const value of values) {
      // The URL of a key set is not secret, and the log names it.
      const isSecret =
        typeof value === "string" &&
        value.length >= MIN_LENGTH &&
        !/^(\*+$|https:\/\/)/.test(value);
      if (isSecret) this.credentials.add(value);
    }
  }

  /** Listens to the isolate. */
  listen(isolate) {
    this.note(
      isolate.bindings.MASTER_KEY,
      isolate.bindings.MASTER_KEY_PREVIOUS,
      isolate.bindings.ADMIN_PASSWORD,
    );
    return {
      ...isolate,
      send: async (request) => {
        this.#sent(request);
        const answer = await isolate.send(request);
        this.#answered(answer);
        return answer;
      },
    };
  }

  #sent({ path, headers = {}, json, form, body }) {
    this.note(...(path.match(JWT) ?? []));
    for (const value of Object.values(headers).flat()) {
      const [, basic] = /^Basic +(\S+)$/i.exec(value) ?? [];
      if (basic)
        this.note(basic, Buffer.from(basic, "base64").toString().split(":").slice(1).join(":"));
      this.note(...(String(value).match(JWT) ?? []));
    }
    this.#members(json ?? form ?? parsed(body));
  }

  #answered({ status, headers, text }) {
    this.note(...(text.match(JWT) ?? []));
    // Postern chooses the secrets and access tokens of applications, so they occur only in its
    // answers.
    this.#members(parsed(text));
    if (status === 200 && UUID.test(text)) {
      this.issued.add(text);
      this.note(text);
    }
    for (const cookie of headers["set-cookie"] ?? [])
      this.note(/^(?:JSESSIONID|(?:__Host-)?postern)=([\w.-]+)/.exec(cookie)?.[1]);
  }

  #members(value) {
    if (value === null || typeof value !== "object") return;
    for (const [name, member] of Object.entries(value)) {
      if (SECRET_MEMBERS.has(name)) this.note(member);
      else this.#members(member);
    }
  }
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return Object.fromEntries(new URLSearchParams(typeof body === "string" ? body : ""));
  }
}

export const sha256Hex = (text) => createHash("sha256").update(text).digest("hex");

/** Each file below the folder, by path. */
export function filesIn(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    entries
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .map((path) => [path, readFileSync(path)]),
  );
}

/** The encodings in which a credential might be stored. */
function spellings(credential) {
  const bytes = Buffer.from(credential);
  // Without the last characters of base64, because they depend on the bytes that follow.
  const base64 = bytes.toString("base64").replace(/.?=*$/, "");
  const base64url = base64.replaceAll("+", "-").replaceAll("/", "_");
  return [credential, encodeURIComponent(credential), base64, base64url, bytes.toString("hex")];
}

/**
 * Which of the words are in which of the buffers, as a list of "word in path". Each buffer is read
 * once, for all words together.
 */
export function occurrences(buffers, words) {
  const byStart = new Map();
  for (const word of words) {
    for (const spelling of new Set(spellings(word))) {
      const needle = Buffer.from(spelling);
      const start = needle.readUInt32BE(0);
      byStart.set(start, [...(byStart.get(start) ?? []), { word, needle }]);
    }
  }
  const found = new Set();
  for (const [path, buffer] of Object.entries(buffers)) {
    let start = 0;
    for (let end = 0; end < buffer.length; end += 1) {
      start = ((start << 8) | buffer[end]) >>> 0;
      for (const { word, needle } of byStart.get(start) ?? []) {
        if (end >= 3 && buffer.subarray(end - 3, end - 3 + needle.length).equals(needle))
          found.add(`${word} in ${path}`);
      }
    }
  }
  return [...found];
}
