// Brings records in and out, with a place to go on from after an interruption. It reports progress
// by `tell`.

import { api } from "../api.mjs";
import { parse, Problem } from "../http.mjs";
import { choices } from "../keep.mjs";
import { joined, placeOf, requests, UnsendableLine } from "./cut_records.mjs";

const LINE_FEED = 10;
/** Parts of the file are given to the browser at this size, which may then put them on its disk. */
const PART_BYTES = 4 * 1024 * 1024;
/** How long is waited before each further attempt of a request that may succeed later. */
const WAITS_MS = [500, 1000, 2000, 4000, 8000];

const pause = (ms, signal) =>
  new Promise((done, failed) => {
    const stopped = () => {
      clearTimeout(timer);
      failed(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stopped);
      done();
    }, ms);
    signal.addEventListener("abort", stopped, { once: true });
  });

/** Tries until it succeeds, for as long as another attempt may help. */
async function patiently(act, signal, tellWaiting) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Problem) || !error.passes || attempt === WAITS_MS.length) throw error;
      const wait = Math.max(WAITS_MS[attempt], Math.min((error.retryAt ?? 0) - Date.now(), 60_000));
      tellWaiting(wait, error);
      await pause(wait, signal);
    }
  }
}

/** What tells one file from another; of the file's content nothing is kept. */
const nameOf = ({ name, size, lastModified }, { format, secrets }) =>
  JSON.stringify([name, size, lastModified, format, secrets]);

/** Where the import of a file stopped, or null. */
export function bookmarkOf(file, options) {
  const kept = choices.read("import");
  return kept?.file === nameOf(file, options) ? kept.at : null;
}

export const forgetBookmark = () => choices.write("import", null);

/**
 * Sends a file's records, from its bookmark on. `tell({ records, fraction, waitMs })` after each
 * request. Answers `{ records, withoutSecret }`; throws a Problem whose `errors` have the lines of
 * the file.
 */
export async function importFile(file, options, { signal, tell }) {
  const { format, secrets } = options;
  let { records, ...start } = bookmarkOf(file, options) ?? { offset: 0, line: 0, records: 0 };
  const withoutSecret = [];
  tell({ records, fraction: start.offset / (file.size || 1), waitMs: 0 });
  for await (const request of requests(file, format, start)) {
    signal.throwIfAborted();
    const type = format === "csv" ? "text/csv" : "application/x-ndjson";
    const act = () =>
      api.raw("POST", "/v1/import", {
        query: { format, secrets },
        body: request.body,
        type,
        signal,
      });
    const fraction = start.offset / (file.size || 1);
    const waiting = (waitMs) => tell({ records, fraction, waitMs });
    const answer = await patiently(act, signal, waiting).catch((error) => {
      throw withLinesOfFile(error, request.lines);
    });
    const imported = parse(await answer.text());
    records += imported.imported;
    withoutSecret.push(...(imported.withoutSecret ?? []));
    start = request.end;
    choices.write("import", { file: nameOf(file, options), at: { ...start, records } });
    tell({ records, fraction: start.offset / (file.size || 1), waitMs: 0 });
  }
  forgetBookmark();
  return { records, withoutSecret };
}

function withLinesOfFile(error, lines) {
  if (!Array.isArray(error.errors)) return error;
  const errors = error.errors.map((one) => ({ ...one, line: lines[one.line - 1] ?? one.line }));
  return Object.assign(error, { errors });
}

export { UnsendableLine };

/**
 * An export that can be resumed. `run({ signal, tell })` brings records until the end, or
 * throws; another `run` goes on behind the last whole line. `file()` is what has come.
 */
export function startExport({ format, secrets }) {
  const headLines = format === "csv" ? 1 : 0;
  const parts = [];
  let [pending, pendingBytes, lines, total, last] = [[], 0, 0, 0];

  const keep = (bytes) => {
    pending.push(bytes);
    pendingBytes += bytes.length;
    if (pendingBytes < PART_BYTES) return;
    parts.push(new Blob(pending));
    [pending, pendingBytes] = [[], 0];
  };
  const records = () => Math.max(0, lines - headLines);

  /** Takes whole lines, and answers what is left of the last one. */
  const take = (rest, chunk) => {
    const end = chunk.lastIndexOf(LINE_FEED);
    if (end === -1) return joined([rest, chunk]);
    const whole = joined([rest, chunk.subarray(0, end + 1)]);
    for (const byte of whole) if (byte === LINE_FEED) lines += 1;
    const from = whole.lastIndexOf(LINE_FEED, whole.length - 2) + 1;
    last = new TextDecoder().decode(whole.subarray(from, whole.length - 1));
    keep(whole);
    return chunk.slice(end + 1);
  };

  async function run({ signal, tell }) {
    const after = records() > 0 ? placeOf(format, last) : undefined;
    const act = () =>
      api.raw("GET", "/v1/export", {
        query: { format, secrets, after },
        signal,
        patience: Infinity,
      });
    const answer = await patiently(act, signal, (waitMs) =>
      tell({ records: records(), total, waitMs }),
    );
    total = Number(answer.headers.get("x-postern-total")) || total;
    let rest = new Uint8Array(0);
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await read(reader);
      if (done) break;
      rest = take(rest, value);
      tell({ records: records(), total, waitMs: 0 });
    }
    if (rest.length > 0) throw new Problem({ status: 0, reason: "network" });
  }

  const type = format === "csv" ? "text/csv" : "application/x-ndjson";
  return {
    run,
    file: () => new Blob([...parts, ...pending], { type }),
    records,
  };
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: 0, reason: "network" });
  }
}

/** Gives a file to whoever reads the page, as a download. */
export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(blob),
    download: name,
  });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
