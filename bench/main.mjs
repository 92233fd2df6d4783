// `make bench`: Postern beside what one would pick instead, in one run: the same workerd, the same
// requests, the same connections.
//
// The subjects of a case take turns, round after round, and so do the processes of a subject;
// rounds are short and many, since the machine has slow spells, and before each, a process has the
// same load for a while. The processor's time a request is the whole workerd process's, so that its
// HTTP is in it for all alike. It is summed up over the rounds, since the runtime frees what
// requests have left behind in pauses of 100 ms and more, which a median would drop or double;
// rates and latencies are medians of the rounds. What counts are the ratios within a case.
// ONLY=words runs the cases whose names contain one; of those, only sections of their own
// (ONLY=gates) go into RESULTS.md.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { top } from "../tests/edge/support/workerd.mjs";
import * as cases from "./cases.mjs";
import { gates } from "./gates/main.mjs";
import { measure, median, spread } from "./load.mjs";
import { figure, markdown } from "./table.mjs";
import { end } from "./subjects.mjs";

const ROUNDS = Number(process.env.ROUNDS || 6);
const SECONDS = Number(process.env.SECONDS || 2);
/**
 * For how many seconds a process has the same load before it is measured: what V8's heap costs
 * depends on the load that it had.
 */
const WARM = Number(process.env.WARM || 2);
const CONNECTIONS = 16;
const only = (process.env.ONLY || "").split(",").filter(Boolean);

/** A subject is one process, or several that take turns. */
const processesOf = (subject) => subject.processes ?? [subject];

/**
 * Runs a case, and answers its rows, the first of which is what the others are compared with; and
 * the rows as they were without one of the rounds, for each round, from which it shows how far they
 * would differ next time.
 */
async function run({
  name,
  subjects,
  seconds = SECONDS,
  rounds = ROUNDS,
  connections = CONNECTIONS,
}) {
  const results = subjects.map(() => []);
  const asked = subjects.map(() => 0);
  const once = async (index, one, seconds) => {
    const { requests, distinct, refused } = subjects[index];
    // A run begins where the last one ended, so that what was asked comes again only after all the
    // others.
    const result = await measure(one, requests, {
      seconds,
      connections,
      start: asked[index] % requests.count,
      refused,
    });
    asked[index] += result.requests;
    if (distinct && asked[index] > requests.count)
      throw new Error(`${name}: ${one.name} asked for something twice`);
    return result;
  };
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, { subject, distinct }] of subjects.entries()) {
      const processes = processesOf(subject);
      const one = processes[round % processes.length];
      if (!distinct || round === 1) await once(index, one, distinct ? 1 : WARM);
      results[index].push(await once(index, one, seconds));
    }
    process.stderr.write(`\r${name}: round ${round} of ${rounds}   `);
  }
  process.stderr.write("\r\x1b[K");
  const rowsWithout = (left) =>
    subjects.map(({ subject, label = subject.name }, index) => {
      const counted = results[index].filter((_, round) => round !== left);
      const of = (key) => median(counted.map((result) => result[key]));
      const all = (key) => counted.reduce((sum, result) => sum + result[key], 0);
      return {
        label,
        micros: all("used") / all("requests"),
        rate: of("rate"),
        p50: of("p50"),
        p99: of("p99"),
      };
    });
  return { rows: rowsWithout(), without: results[0].map((_, round) => rowsWithout(round)) };
}

function table(rows) {
  const [{ micros: floor }] = rows;
  const lines = rows.map(({ label, micros, rate, p50, p99 }) => [
    label,
    figure(micros),
    figure(rate),
    figure(p50),
    figure(p99),
    (micros / floor).toFixed(2),
  ]);
  return markdown(
    ["subject", "CPU µs a request", "requests/s", "p50 µs", "p99 µs", "CPU, of the first"],
    lines,
  );
}

function machine() {
  const versions = (name) =>
    createRequire(import.meta.url)(join(top, "node_modules", name, "package.json")).version;
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: top })
    .toString()
    .trim();
  return [
    `${new Date().toISOString().slice(0, 10)}, commit ${commit} and later, by \`make bench\` ` +
      `with ROUNDS=${ROUNDS} SECONDS=${SECONDS} WARM=${WARM}.`,
    `${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB; ` +
      `wrk, one thread, ${CONNECTIONS} connections, on the same machine.`,
    `workerd ${versions("workerd")}, Node ${process.versions.node}; ` +
      "Hono, jose and Drizzle as in `bench/package.json`.",
  ].join("\n");
}

const parts = [];
/** Parts that are sections of their own, by their names. */
const sections = new Map();
const claims = [];
try {
  for (const prepare of Object.values({ ...cases, gates })) {
    if (only.length > 0 && !only.some((word) => prepare.name.includes(word))) continue;
    const prepared = await prepare();
    for (const one of prepared.cases) {
      const { rows, without } = one.table ? { rows: [], without: [] } : await run(one);
      const about = one.about ? `${one.about}\n\n` : "";
      const text = `${about}${one.table ? await one.table() : (one.layout ?? table)(rows)}\n`;
      console.log(`\n### ${one.name}\n\n${text}`);
      if (one.section) sections.set(one.name, `${machine()}\n\n${text}`);
      else parts.push(`### ${one.name}\n\n${text}`);
      const left = without.map((rows) => one.claims?.(rows));
      for (const [index, claim] of (one.claims?.(rows) ?? []).entries())
        claims.push({ ...claim, error: spread(left.map((claims) => claims[index].value)) });
    }
    await prepared.end();
  }
} finally {
  await end();
}

const verdict = ({ what, value, error, bound }) => [
  what,
  value.toFixed(2),
  Number.isNaN(error) ? "" : error.toFixed(2),
  bound.toFixed(2),
  value <= bound ? "yes" : "**no**",
];
const bounds = markdown(["what", "measured", "±", "at most", "holds"], claims.map(verdict));
console.log(`\n### What is aimed at\n\n${bounds}`);
if (only.length === 0) {
  const profile = join(top, ".build/bench/profile.md");
  const time = existsSync(profile)
    ? readFileSync(profile, "utf8")
    : "Not measured: it takes `perf`.\n";
  sections
    .set("What is aimed at", `${bounds}\n`)
    .set("Where the time goes", time)
    .set("Figures", parts.join("\n"));
}
if (sections.size > 0) {
  // What was not measured stays as it is; the last section is that of `make model`.
  const names = [
    "What is aimed at",
    "Where the time goes",
    "Figures",
    "Beside other gates",
    "What users wait for where it runs",
  ];
  const results = join(top, "bench/RESULTS.md");
  const [before, ...kept] = readFileSync(results, "utf8").split(/^(?=## )/m);
  const about =
    "Written by `make bench`: do not edit. The notes on these figures are in `NOTES.md`.";
  const head = only.length === 0 ? `# Results\n\n${about}\n\n${machine()}` : before.trimEnd();
  const section = (name) =>
    sections.has(name)
      ? `## ${name}\n\n${sections.get(name)}`
      : kept.find((one) => one.startsWith(`## ${name}\n`));
  const all = names
    .map(section)
    .filter(Boolean)
    .map((text) => text.trimEnd());
  writeFileSync(results, `${[head, ...all].join("\n\n")}\n`);
}
