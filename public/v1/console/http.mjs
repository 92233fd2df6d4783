// One request to the API of the same origin, and what went wrong in words.

import { has, language, t } from "./i18n.mjs";
import { ruleOf } from "./error_rules.mjs";

/** Longer than the Worker takes for anything; an import sends 1 MiB over a slow line. */
const PATIENCE_MS = 60_000;

/** What the API refused, or why it was not reached (`status` 0). */
export class Problem extends Error {
  /**
   * @param {{
   *   status: number, detail?: string, reason?: string, field?: string, errors?: any[],
   *   retryAt?: number | null, text?: string,
   * }} what `text` is the answer as it came
   */
  constructor({ status, detail, reason, field, errors, retryAt = null, text }) {
    super(detail || `HTTP ${status}`);
    Object.assign(this, { status, detail, reason, field, errors, retryAt, text });
  }

  /** Whether the same request may well succeed later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** What happened and what helps, in the language that is shown. */
  words() {
    const { status, reason } = this;
    const precise = this.precise();
    if (precise) return precise;
    if (has(`refusal.${reason}`)) return t(`refusal.${reason}`);
    if (has(`status.${status}`)) return t(`status.${status}`);
    return status >= 500 ? t("status.500") : "";
  }

  /** Words that say as much as `detail`, which is English; null if there are none. */
  precise() {
    const { reason, detail } = this;
    if (has(`reason.${reason}`)) return t(`reason.${reason}`);
    // The API's own words are English, and name the member.
    const rule = language.get() === "en" ? null : ruleOf(detail);
    return rule && t(rule.key, rule.values);
  }
}

/**
 * Sends a request and answers what came.
 * @param {string} method
 * @param {string} path
 * @param {{
 *   query?: Record<string, any>, body?: any, type?: string, headers?: Record<string, string>,
 *   signal?: AbortSignal, patience?: number,
 * }} [options]
 *   `body` is sent as JSON, or as it is where `type` says what it is; `patience` is how many
 *   milliseconds the whole answer may take
 * @returns {Promise<Response>}
 */
export async function send(method, path, options = {}) {
  const { query, body, type, headers, signal, patience = PATIENCE_MS } = options;
  const request = {
    method,
    headers: { accept: "application/json, */*;q=0.5", ...headers },
    credentials: "same-origin",
    cache: "no-store",
    signal: endOf(signal, patience),
  };
  if (body !== undefined) {
    request.body = type ? body : JSON.stringify(body);
    request.headers["content-type"] = type ?? "application/json";
  }
  let answer;
  try {
    answer = await fetch(withQuery(path, query), request);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ status: 0, reason: error.name === "TimeoutError" ? "timeout" : "network" });
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

/** Ends a request when its caller aborts it, or after `patience`. */
function endOf(signal, patience) {
  if (patience === Infinity) return signal;
  const timeout = AbortSignal.timeout(patience);
  return signal && AbortSignal.any ? AbortSignal.any([signal, timeout]) : (signal ?? timeout);
}

function withQuery(path, query = {}) {
  const there = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(there).toString();
  return text ? `${path}?${text}` : path;
}

async function problemOf(answer) {
  const text = await answer.text().catch(() => "");
  let said = {};
  try {
    said = JSON.parse(text) ?? {};
  } catch {
    // A proxy in front may answer a page. The status has to be enough then.
  }
  const { detail, reason, field, errors } = said;
  const retryAt = retryTime(answer.headers.get("retry-after"));
  return new Problem({ status: answer.status, detail, reason, field, errors, retryAt, text });
}

/** When `Retry-After` allows another try, as epoch milliseconds. */
function retryTime(header) {
  if (!header) return null;
  const at = /^\d+$/.test(header) ? Date.now() + Number(header) * 1000 : Date.parse(header);
  return Number.isNaN(at) ? null : at;
}

/**
 * The value of a JSON text. Ids go up to 2^63; those that JavaScript would round stay digits, and
 * the API takes digits back.
 * @param {string} text
 */
export const parse = (text) =>
  JSON.parse(text, (_, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source)
      ? context.source
      : value,
  );
