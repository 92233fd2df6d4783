// `make bench`: Postern beside what one would pick instead, in one run: the same workerd, the same requests, the same connections.
//
// The subjects of a case take turns, round after round; what counts is the median of the rounds, and the ratios within the case. The processor's
// time a request is the whole workerd process's, so that its HTTP is in it for all alike. ONLY=words runs the cases whose names contain one.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { top } from "../tests/edge/support/workerd.mjs";
import * as cases from "./cases.mjs";
import { measure, median } from "./load.mjs";
import { figure, markdown } from "./table.mjs";
import { end } from "./subjects.mjs";

const ROUNDS = Number(process.env.ROUNDS || 5);
const SECONDS = Number(process.env.SECONDS || 3);
const CONNECTIONS = 16;
const only = (process.env.ONLY || "").split(",").filter(Boolean);

/** Runs a case, and answers its rows, the first of which is what the others are compared with. */
async function run({ name, subjects, seconds = SECONDS, rounds = ROUNDS, connections = CONNECTIONS }) {
  const results = subjects.map(() => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, { subject, requests, distinct, refused }] of subjects.entries()) {
      // Where each request counts once, a run begins where the last one ended.
      const start = distinct ? results[index].reduce((sum, { requests }) => sum + requests, 0) : 0;
      const result = await measure(subject, requests, { seconds: round === 0 ? 1 : seconds, connections, start, refused });
      if (distinct && start + result.requests > requests.count) throw new Error(`${name}: ${subject.name} asked for something twice`);
      // The first round warms up.
      if (round > 0 || distinct) results[index].push({ ...result, warm: round > 0 });
    }
    process.stderr.write(`\r${name}: round ${round} of ${rounds}   `);
  }
  process.stderr.write("\r\x1b[K");
  const rows = subjects.map(({ subject, label = subject.name }, index) => {
    const counted = results[index].filter(({ warm = true }) => warm);
    const of = (key) => median(counted.map((result) => result[key]));
    return { label, micros: of("micros"), rate: of("rate"), p50: of("p50"), p99: of("p99") };
  });
  return rows;
}

function table(rows) {
  const [{ micros: floor }] = rows;
  const lines = rows.map(({ label, micros, rate, p50, p99 }) => [label, figure(micros), figure(rate), figure(p50), figure(p99), (micros / floor).toFixed(2)]);
  return markdown(["subject", "CPU µs a request", "requests/s", "p50 µs", "p99 µs", "CPU, of the first"], lines);
}

function machine() {
  const versions = (name) => createRequire(import.meta.url)(join(top, "node_modules", name, "package.json")).version;
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: top }).toString().trim();
  return [
    `${new Date().toISOString().slice(0, 10)}, commit ${commit} and later, by \`make bench\` with ROUNDS=${ROUNDS} SECONDS=${SECONDS}.`,
    `${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB; wrk, one thread, ${CONNECTIONS} connections, on the same machine.`,
    `workerd ${versions("workerd")}, Node ${process.versions.node}; Hono, jose and Drizzle as in \`bench/package.json\`.`,
  ].join("\n");
}

const parts = [];
const claims = [];
try {
  for (const prepare of Object.values(cases)) {
    if (only.length > 0 && !only.some((word) => prepare.name.includes(word))) continue;
    const prepared = await prepare();
    for (const one of prepared.cases) {
      const rows = one.table ? [] : await run(one);
      const text = `### ${one.name}\n\n${one.about ? `${one.about}\n\n` : ""}${one.table ? await one.table() : table(rows)}\n`;
      console.log(`\n${text}`);
      parts.push(text);
      for (const { what, value, bound } of one.claims?.(rows) ?? []) claims.push({ what, value, bound });
    }
    await prepared.end();
  }
} finally {
  await end();
}

const verdict = ({ what, value, bound }) => `| ${what} | ${value.toFixed(2)} | ${bound.toFixed(2)} | ${value <= bound ? "yes" : "**no**"} |`;
const bounds = `| what | measured | at most | holds |\n| --- | --- | --- | --- |\n${claims.map(verdict).join("\n")}`;
console.log(`\n### What is aimed at\n\n${bounds}`);
if (only.length === 0) {
  const about = "Written by `make bench`: do not edit. The notes on these figures are in `NOTES.md`.";
  const profile = join(top, ".build/bench/profile.md");
  const time = existsSync(profile) ? readFileSync(profile, "utf8") : "Not measured: it takes `perf`.\n";
  const sections = [`## What is aimed at\n\n${bounds}\n`, `## Where the time goes\n\n${time}`, `## Figures\n\n${parts.join("\n")}`];
  writeFileSync(join(top, "bench/RESULTS.md"), `# Results\n\n${about}\n\n${machine()}\n\n${sections.join("\n")}`);
}
