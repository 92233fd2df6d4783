// `make scale` imports a large directory by the command line into a local D1, and kills the import
// once in the middle. Then it measures what each kind of query reads, and what a record takes and
// an operation writes. It prints the figures. The exit status says whether the counts are equal and
// no query read more than its kind allows.
//
// GRANTS sets the number of grants (default 1,000,000). There are a tenth as many users and a
// hundredth as many services.

import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { applyMigrations, throwAwayFolder } from "../../scripts/lib/worker.mjs";
import { duration, grouped } from "../../scripts/lib/progress.mjs";
import { operations, sizesOf, table as costsTable } from "./costs.mjs";
import { sizes, write } from "./directory.mjs";
import { exceeded, issue, measure, table } from "./rows_read.mjs";
import { fill, measureScim } from "./scim.mjs";
import { startMeasured, tallyOf, transfer } from "./support.mjs";

const SAMPLE_MS = 200;
const PROVIDED_USERS = 10_000;
const grants = Number(process.env.GRANTS || 1_000_000);
const size = sizes({ grants, users: grants / 10, services: grants / 100 });
let failures = 0;

function check(what, holds) {
  console.log(`  ${holds ? "ok  " : "FAIL"} ${what}`);
  if (!holds) failures += 1;
}

const title = (text) => console.log(`\n== ${text}\n`);
const inWords = ({ counts }) =>
  Object.entries(counts)
    .map(([kind, count]) => `${grouped(count)} ${kind}`)
    .join(", ");

async function timed(act) {
  const started = Date.now();
  const result = await act();
  return [result, duration(Date.now() - started)];
}

/** The peak memory of a process in MB, in each quarter of its life, if the system tells. */
function watchMemory(child) {
  const samples = [];
  const timer = setInterval(() => {
    try {
      const [, kilobytes] =
        /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
      if (kilobytes) samples.push(Math.round(kilobytes / 1024));
    } catch {
      // The process has ended, or this system has no /proc.
    }
  }, SAMPLE_MS);
  child.once("close", () => clearInterval(timer));
  return () =>
    [0, 1, 2, 3].map((quarter) =>
      Math.max(
        0,
        ...samples.slice((quarter * samples.length) / 4, ((quarter + 1) * samples.length) / 4),
      ),
    );
}

/**
 * Imports, and shows what the command line prints. `killAt` is the fraction of the import at which
 * it is killed.
 */
async function importAll(url, file, killAt) {
  const { child, ended } = transfer("restore", url, { FILE: file }, (text) =>
    process.stdout.write(text.replace(/^(?=.)/gm, "  ")),
  );
  const memory = watchMemory(child);
  const { size: bytes } = statSync(file);
  const timer = setInterval(() => {
    const offset = progressOf(file);
    if (killAt && offset / bytes >= killAt) child.kill("SIGKILL");
  }, SAMPLE_MS / 4);
  const result = await ended;
  clearInterval(timer);
  console.log(`  the client's memory in each quarter of its time: ${memory().join(", ")} MB`);
  return result;
}

function progressOf(file) {
  try {
    return JSON.parse(readFileSync(`${file}.progress`, "utf8")).at.offset;
  } catch {
    return 0;
  }
}

async function digestOf(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

const folder = throwAwayFolder();
const stateDir = join(folder, "state");
const file = join(folder, "directory.ndjson");
const copy = join(folder, "copy.ndjson");
let worker;
try {
  const objects = `${grouped(size.users)} users and ${grouped(size.services)} services`;
  title(`${grouped(size.grants)} grants over ${objects}`);
  const [tally, took] = await timed(() => write(file, size));
  console.log(`  ${inWords(tally)}: ${grouped(statSync(file).size / 1e6)} MB in ${took}`);
  await applyMigrations(stateDir);
  worker = await startMeasured(stateDir);

  title("Restore, killed in the middle");
  const killed = await importAll(worker.url, file, 0.5);
  check("killed by SIGKILL, in the middle", killed.signal === "SIGKILL");
  title("The same command again");
  const finished = await importAll(worker.url, file);
  check("it goes on where it was", /^going on behind line/.test(finished.stdout));
  check("it ends well", finished.code === 0);

  title("Backup, and the counts");
  const exported = await transfer("backup", worker.url, { FILE: copy }, (text) =>
    process.stdout.write(text.replace(/^(?=.)/gm, "  ")),
  ).ended;
  check("it ends well", exported.code === 0);
  const after = await tallyOf(copy);
  console.log(`  ${inWords(after)}`);
  check(
    "as many of each kind as there were in the file, and the same ones",
    isDeepStrictEqual(after, tally),
  );
  const credentials = await issue(worker.url);
  await worker.stop();

  title("Into an empty Postern, and out of it again");
  const otherState = join(folder, "other");
  const again = join(folder, "again.ndjson");
  await applyMigrations(otherState);
  worker = await startMeasured(otherState);
  const restored = await importAll(worker.url, copy);
  check("it ends well", restored.code === 0);
  const second = await transfer("backup", worker.url, { FILE: again }, (text) =>
    process.stdout.write(text.replace(/^(?=.)/gm, "  ")),
  ).ended;
  check("it ends well", second.code === 0);
  check("byte for byte the same", (await digestOf(copy)) === (await digestOf(again)));
  await worker.stop();

  title("What each kind of query reads");
  worker = await startMeasured(stateDir);
  const [measured, asking] = await timed(() => measure(worker.url, size, credentials));
  console.log(table(measured));
  console.log(`\n  in ${asking}`);
  check("no query reads more than its kind allows", exceeded(measured).length === 0);
  await worker.stop();

  title("What an identity provider's requests read");
  const provided = join(folder, "provided");
  await applyMigrations(provided);
  worker = await startMeasured(provided);
  const group = await fill(worker.url, PROVIDED_USERS);
  const ofProvider = await measureScim(worker.url, PROVIDED_USERS, group);
  console.log(table(ofProvider));
  check("none reads more than its kind allows", exceeded(ofProvider).length === 0);
  await worker.stop();

  title("What a record takes, and what operations read and write");
  const smallState = join(folder, "small");
  await applyMigrations(smallState);
  worker = await startMeasured(smallState);
  const done = await operations(worker.url);
  await worker.stop();
  console.log(costsTable(done, sizesOf(smallState, throwAwayFolder())));
  check(
    "a warm verification and a warm check ask D1 nothing",
    done.every(({ kind, calls }) => !kind.endsWith("warm") || calls === 0),
  );
} catch (error) {
  failures += 1;
  console.error(`\n${error.stack}`);
  if (worker) console.error(`\nWhat the Worker printed:\n${worker.output().slice(-4000)}`);
} finally {
  await worker?.stop();
}

console.log(failures === 0 ? "\nAll of it held." : `\n${failures} did not hold.`);
process.exitCode = failures === 0 ? 0 : 1;
