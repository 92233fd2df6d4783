// The requests of `make smoke`. Those that should reach another isolate use a new connection; those
// that measure time use one that stays open.

import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../postern.mjs";

const PATIENCE_MS = 15_000;

/** Postern, or a server in front of it, did not answer. */
export class NoAnswer extends Failure {}

/** The user has asked to stop. */
export class Interrupted extends Error {}

export class Asking {
  /** How many answers relied on copies because D1 did not answer in time. */
  stale = 0;
  /** The credential of requests that name no other one. */
  credential;
  #base;
  #library;
  #kept;
  #stopping = new AbortController();
  #isCleaning = false;

  constructor(base) {
    this.#base = new URL(base);
    this.#library = this.#base.protocol === "https:" ? https : http;
    this.#kept = new this.#library.Agent({ keepAlive: true, maxSockets: 1 });
  }

  get hostname() {
    return this.#base.hostname;
  }

  /** From now on, each request and each pause ends with `Interrupted`, until `cleanUp`. */
  interrupt() {
    this.#stopping.abort();
  }

  /** Allows requests again, also after an interruption. */
  cleanUp() {
    this.#isCleaning = true;
  }

  end() {
    this.#kept.destroy();
  }

  #heed() {
    if (this.#stopping.signal.aborted && !this.#isCleaning) throw new Interrupted();
  }

  async pause(ms) {
    this.#heed();
    const signal = this.#isCleaning ? undefined : this.#stopping.signal;
    await sleep(Math.max(0, ms), undefined, { signal }).catch(() => this.#heed());
  }

  /**
   * Returns `{ status, headers, text, json, ms, sentAt }`. A request that is running when the user
   * asks to stop is awaited, so that what it creates can be removed. `isKept` uses the connection
   * that stays open.
   */
  async ask(method, path, { headers = {}, json, isKept = false } = {}) {
    this.#heed();
    const body = json === undefined ? undefined : JSON.stringify(json);
    const all = { authorization: this.credential, ...headers };
    if (body !== undefined) all["content-type"] = "application/json";
    const attempt = () => this.#once(method, path, all, body, isKept);
    // The server may close an idle connection just when it is used again.
    const again = (error) => {
      if (!isKept || !["ECONNRESET", "EPIPE"].includes(error.code)) throw error;
      return attempt();
    };
    const unanswered = (error) => {
      throw new NoAnswer(`no answer (${error.code ?? error.message})`);
    };
    const answer = await attempt().catch(again).catch(unanswered);
    if (answer.headers["x-postern-stale"] !== undefined) this.stale += 1;
    this.#heed();
    return answer;
  }

  #once(method, path, headers, body, isKept) {
    const sentAt = performance.now();
    const url = new URL(this.#base.pathname.replace(/\/$/, "") + path, this.#base);
    const given = Object.entries(headers).filter(([, value]) => typeof value === "string");
    const agent = isKept ? this.#kept : false;
    return new Promise((done, failed) => {
      const options = { method, headers: Object.fromEntries(given), agent };
      const request = this.#library.request(url, options, (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("error", failed);
        answer.on("end", () => {
          const { statusCode: status, headers } = answer;
          const text = Buffer.concat(chunks).toString();
          const ms = performance.now() - sentAt;
          done({ status, headers, text, json: parsed(text), ms, sentAt });
        });
      });
      const giveUp = () => request.destroy(new Error(`within ${PATIENCE_MS / 1000} s`));
      const patience = setTimeout(giveUp, PATIENCE_MS);
      request.on("close", () => clearTimeout(patience));
      request.on("error", failed);
      request.end(body);
    });
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An answer in a few words: its status and reason. */
export function wordsOf({ status, json, text }) {
  const told = json?.reason ?? json?.detail;
  const why = told ?? (status >= 400 ? text.slice(0, 60).replaceAll(/\s+/g, " ") : "");
  return `${status} ${why}`.trim();
}
