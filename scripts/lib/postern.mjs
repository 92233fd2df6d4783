// Sends requests to a Postern as one of its users, again where that may help.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const PATIENCE_MS = 120_000;
/** How long is waited before each further attempt. */
const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 30_000];
/** Nothing was done, or it may be done again. */
const PASSING = new Set([429, 502, 503, 504]);

const devVars = fileURLToPath(new URL("../../.dev.vars", import.meta.url));

/** Something that the user has to put right. */
export class Failure extends Error {}

/** An answer that asking again does not change. */
export class Refusal extends Failure {
  constructor({ status, body }) {
    super(
      `Postern answered ${status}: ${body?.detail ?? body?.error?.errorMsg ?? "without a reason"}`,
    );
    this.status = status;
    this.body = body;
  }
}

/** No answer, or one that asking again may change. */
export class Passing extends Error {
  constructor(message, waitMs = 0) {
    super(message);
    this.waitMs = waitMs;
  }
}

/**
 * The address `base` of the Postern at a URL, and the `secret` to show there: the password, or on
 * this machine that of .dev.vars. A Failure where the password would travel in the clear, or where
 * there is none.
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
      "set PASSWORD in the environment (not as an argument, which everyone on the machine can read)",
    );
  return { base: base.href.replace(/\/$/, ""), secret };
}

/**
 * Postern at a URL, as a user, or as a key for machines in place of the password. Without a
 * password, that of a local development machine is taken.
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

  /** Where it is, which tells one Postern from another. */
  get address() {
    return this.#base;
  }

  /**
   * Writes records, in one attempt; answers what Postern says of them. It goes with an opaque
   * token, so that it can go on after the password of this user was restored, too.
   */
  async importRecords(format, secrets, body) {
    const path = `/v1/import?${new URLSearchParams({ format, secrets })}`;
    const wasSignedIn = this.#token !== undefined;
    if (!wasSignedIn) await this.#signIn();
    const answer = await this.#send(path, { method: "POST", body }).catch(async (error) => {
      // A token that served for a while may have expired.
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
      throw new Failure(
        `${error.message}. If an earlier run has restored the password of ${this.#username}, it is now that of the Postern where the backup was made.`,
      );
    });
    this.#token = `Bearer ${await answer.text()}`;
  }

  /** All records behind the line `after`, where there is one: `{ body, total }`, a stream and how many there are with those before. */
  async exportRecords(format, secrets, after) {
    const place = after === undefined ? {} : { after: placeOf(format, after) };
    const answer = await this.#send(
      `/v1/export?${new URLSearchParams({ format, secrets, ...place })}`,
    );
    return { body: answer.body, total: Number(answer.headers.get("x-postern-total")) };
  }

  /** One attempt. Answers the response where it is a success. */
  async #send(path, { method = "GET", body } = {}) {
    try {
      const headers = { authorization: this.#token ?? this.#basic };
      const signal = body && AbortSignal.timeout(PATIENCE_MS);
      // To another address the credential must not follow.
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

/** Where a line stands: without what is long or sealed, because URLs end up in logs. */
function placeOf(format, line) {
  const isShort = (value) => !/^v1\.[0-9a-f]{8}\.|^.{257}/s.test(value);
  if (format === "csv") {
    // A cell that is left out leaves its comma.
    return line.replace(/"((?:[^"]|"")*)"|[^,]+/g, (cell, quoted) =>
      isShort(quoted ?? cell) ? cell : "",
    );
  }
  // The text of numbers stays as it is: an int64 is more than JavaScript's numbers hold.
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

/** What went wrong with the network, as something that passes; the rest as it is. */
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
 * Does something until it succeeds, waiting longer and longer after what passes. `say` is told what
 * is waited for. `progressed()` tells whether anything was achieved since it was asked last; then
 * patience begins anew.
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
