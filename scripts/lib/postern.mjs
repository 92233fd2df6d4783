// Sends requests to a Postern as one of its users. Repeats them if that may help.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const PATIENCE_MS = 120_000;
/** Milliseconds to wait before each further attempt. */
const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 30_000];
/** With these statuses, nothing was done, or the request may be repeated. */
const PASSING = new Set([429, 502, 503, 504]);

const devVars = fileURLToPath(new URL("../../.dev.vars", import.meta.url));

/** A fault that the user has to correct. */
export class Failure extends Error {}

/** An answer that stays the same when the request is repeated. */
export class Refusal extends Failure {
  constructor({ status, body }) {
    super(
      `Postern answered ${status}: ${body?.detail ?? body?.error?.errorMsg ?? "without a reason"}`,
    );
    this.status = status;
    this.body = body;
  }
}

/** No answer, or one that may change when the request is repeated. */
export class Passing extends Error {
  constructor(message, waitMs = 0) {
    super(message);
    this.waitMs = waitMs;
  }
}

/**
 * Returns the address `base` of the Postern at a URL, and the `secret` for it: the password, or on
 * this machine the one of .dev.vars. Throws a Failure if there is none, or if it would travel in
 * the clear.
 */
export function credentialFor(url, password) {
  let base;
  try {
    base = new URL(url);
  } catch {
    throw new Failure(`URL is no address: ${url}`);
  }
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(base.hostname);
  if (base.username || base.password)
    throw new Failure(
      "URL may hold no user name and password: arguments can be read by everyone on the machine",
    );
  if (!["https:", "http:"].includes(base.protocol))
    throw new Failure(`URL must begin with https://, or with http:// on this machine: ${url}`);
  if (base.protocol === "http:" && !isLocal)
    throw new Failure("URL must begin with https://, or the password would travel in the clear");
  const secret = password || (isLocal && developmentPassword());
  if (!secret)
    throw new Failure(
      "set PASSWORD in the environment " +
        "(not as an argument, which everyone on the machine can read)",
    );
  return { base: base.href.replace(/\/$/, ""), secret };
}

/**
 * Postern at a URL, as a user, or with a machine key instead of the password. Without a password,
 * uses that of a local development machine.
 */
export class Postern {
  #base;
  #username;
  #secret;
  #token;
  #isKey;

  constructor({ url, username, password }) {
    const { base, secret } = credentialFor(url, password);
    this.#base = base;
    this.#username = username;
    this.#secret = secret;
    this.#isKey = secret.startsWith("pst_");
    if (this.#isKey) this.#token = `Bearer ${secret}`;
  }

  get #basic() {
    return `Basic ${Buffer.from(`${this.#username}:${this.#secret}`).toString("base64")}`;
  }

  /** The address, which identifies a Postern. */
  get address() {
    return this.#base;
  }

  /**
   * Writes records in one attempt. Returns Postern's answer. Uses an opaque token, which stays
   * valid after the import has restored this user's password.
   */
  async importRecords(format, secrets, body) {
    const path = `/v1/import?${new URLSearchParams({ format, secrets })}`;
    const wasSignedIn = this.#token !== undefined;
    if (!wasSignedIn) await this.#signIn();
    const answer = await this.#send(path, { method: "POST", body }).catch(async (error) => {
      // A token that worked for a while may have expired.
      if (!wasSignedIn || this.#isKey || error.status !== 401) throw error;
      await this.#signIn();
      return this.#send(path, { method: "POST", body });
    });
    try {
      return await answer.json();
    } catch (error) {
      throw broken(error);
    }
  }

  async #signIn() {
    this.#token = undefined;
    const text = JSON.stringify({ username: this.#username, password: this.#secret });
    const answer = await this.#send("/imanager/cloud/security/tokens.json", {
      method: "POST",
      body: text,
    }).catch((error) => {
      if (error.status !== 401) throw error;
      const now = "it is now that of the Postern where the backup was made";
      const restored = `If an earlier run has restored the password of ${this.#username}, ${now}`;
      throw new Failure(`${error.message}. ${restored}.`);
    });
    this.#token = `Bearer ${await answer.text()}`;
  }

  /**
   * All records after the line `after`, or all if there is none. Returns `{ body, total }`: a
   * stream, and the number of records including the earlier ones.
   */
  async exportRecords(format, secrets, after) {
    const place = after === undefined ? {} : { after: placeOf(format, after) };
    const answer = await this.#send(
      `/v1/export?${new URLSearchParams({ format, secrets, ...place })}`,
    );
    return { body: answer.body, total: Number(answer.headers.get("x-postern-total")) };
  }

  /** Makes one attempt. Returns the response if it is a success. */
  async #send(path, { method = "GET", body } = {}) {
    try {
      const headers = { authorization: this.#token ?? this.#basic };
      const signal = body && AbortSignal.timeout(PATIENCE_MS);
      // The credential must not follow a redirect to another address.
      const answer = await fetch(this.#base + path, {
        method,
        headers,
        body,
        redirect: "manual",
        signal,
      });
      if (answer.ok) return answer;
      const text = await answer.text();
      if (PASSING.has(answer.status)) {
        throw new Passing(
          `Postern answered ${answer.status}`,
          Number(answer.headers.get("retry-after") ?? 0) * 1000,
        );
      }
      throw new Refusal({ status: answer.status, body: parsed(text) });
    } catch (error) {
      throw broken(error);
    }
  }
}

/** The key of a line, without long or sealed values, because URLs are logged. */
function placeOf(format, line) {
  const isShort = (value) => !/^v1\.[0-9a-f]{8}\.|^.{257}/s.test(value);
  if (format === "csv") {
    // An empty cell leaves its comma.
    return line.replace(/"((?:[^"]|"")*)"|[^,]+/g, (cell, quoted) =>
      isShort(quoted ?? cell) ? cell : "",
    );
  }
  // Numbers stay texts, because JavaScript's numbers cannot hold an int64.
  const numbers = line.replace(
    /("(?:[^"\\]|\\.)*")|(-?\d{16,})/g,
    (_, text, number) => text ?? `"${number}"`,
  );
  const members = Object.entries(JSON.parse(numbers));
  return JSON.stringify(
    Object.fromEntries(
      members.filter(([, value]) => typeof value !== "object" && isShort(String(value))),
    ),
  );
}

/** Turns an error of the network into one that may pass. Returns other errors unchanged. */
export function broken(error) {
  const isOfFetch =
    error instanceof TypeError && ["fetch failed", "terminated"].includes(error.message);
  const isNetwork =
    isOfFetch || error.name === "TimeoutError" || error.code === "ERR_STREAM_PREMATURE_CLOSE";
  return isNetwork
    ? new Passing(`no answer (${error.cause?.code ?? error.cause?.message ?? error.message})`)
    : error;
}

/**
 * Repeats an action until it succeeds, with longer and longer pauses after errors that may pass.
 * Passes the reason to `say`. If `progressed()` says that something was achieved since its last
 * call, the pauses begin again.
 */
export async function patiently(say, act, progressed = () => false) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      if (progressed()) attempt = 0;
      if (attempt === WAITS_MS.length)
        throw new Failure(
          `${error.message}, ${attempt + 1} times. Run the same again later: it goes on from here.`,
        );
      const wait = Math.max(WAITS_MS[attempt], Math.min(error.waitMs, 60_000));
      say(`${error.message}; trying again in ${wait / 1000} s`);
      await sleep(wait);
    }
  }
}

function developmentPassword() {
  try {
    const [, quoted, bare] =
      /^ADMIN_PASSWORD=(?:'([^'\n]*)'|"?([^"\n]*)"?)\s*$/m.exec(readFileSync(devVars, "utf8")) ??
      [];
    return quoted ?? bare;
  } catch {
    return undefined;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
