// Load by wrk, and the processor's time that a process used meanwhile, from the operating system.

import { execFile, execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { top } from "../tests/edge/support/workerd.mjs";
import { folder } from "./subjects.mjs";

const TICKS = Number(execFileSync("getconf", ["CLK_TCK"]));
const run = promisify(execFile);

/** Seconds of processor time that the process has used. */
export function used(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The same for the processes and all that they have started, as long as those run. */
export function usedByAll(pids) {
  const children = (pid) =>
    readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
    );
  return pids.reduce((sum, pid) => sum + used(pid) + usedByAll(children(pid)), 0);
}

/** A file of requests for load.lua; each is `{ method, path, headers, body }`. */
export function requests(list) {
  const file = join(folder(), "requests.tsv");
  const line = ({ method = "GET", path, headers = {}, body = "" }) =>
    [
      method,
      path,
      Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}`)
        .join("\x1f"),
      body,
    ].join("\t");
  writeFileSync(file, list.map((one) => `${line(one)}\n`).join(""));
  return { file, first: list[0], count: list.length };
}

/**
 * One run: `{ requests, used, rate, p50, p99 }`, the requests, the processor's time for all of
 * them in µs, requests a second, and latencies in µs. A subject may have several processes, its
 * `pids`.
 * Whatever was not answered with the status that is expected ends the benchmark.
 */
export async function measure(
  subject,
  { file },
  { seconds, connections, start = 0, refused = false },
) {
  const { pids = [subject.pid] } = subject;
  const before = usedByAll(pids);
  // An answer may wait for seconds where one connection is always served after the others.
  const args = [
    "-t1",
    `-c${connections}`,
    `-d${seconds}s`,
    "--timeout",
    "30s",
    "-s",
    join(top, "bench/load.lua"),
    subject.url,
    file,
    String(start),
  ];
  const { stdout } = await run("wrk", args, { maxBuffer: 1 << 24 });
  const result = JSON.parse(stdout.trim().split("\n").at(-1));
  const after = usedByAll(pids);
  const wrong = refused ? result.requests - result.refused : result.refused;
  if (wrong > 0 || result.broken > 0 || result.requests === 0)
    throw new Error(`${subject.name}: ${JSON.stringify(result)}`);
  return {
    requests: result.requests,
    used: (after - before) * 1e6,
    rate: (result.requests * 1e6) / result.micros,
    p50: result.p50,
    p99: result.p99,
  };
}

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/**
 * The standard error of what is computed from all rounds, from what it is without each of them
 * (jackknife). One round shows none.
 */
export function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(
    ((values.length - 1) / values.length) *
      values.reduce((sum, value) => sum + (value - mean) ** 2, 0),
  );
}
