// Shared by the tests of large directories: the command line, and a Worker that counts the rows
// that it reads.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startWorker } from "../../scripts/lib/worker.mjs";
import { Tally } from "./directory.mjs";

const top = fileURLToPath(new URL("../../", import.meta.url));

export const PASSWORD = "correct horse admin";
export const bindings = {
  MASTER_KEY: randomBytes(32).toString("base64"),
  ADMIN_PASSWORD: PASSWORD,
};
export const admin = {
  authorization: `Basic ${Buffer.from(`admin:${PASSWORD}`).toString("base64")}`,
};

/** A Worker whose `GET /testing` answers what it read; see measured-entry.mjs. */
export const startMeasured = (stateDir) =>
  startWorker({ stateDir, bindings, entry: "tests/scale/measured-entry.mjs" });

/**
 * Starts `backup.mjs`. Returns the `child`, and `ended`, a promise of `{ code, signal, stdout,
 * stderr }`. `environment` has FILE and so on; `onOutput` gets what it prints.
 */
export function transfer(task, url, environment, onOutput = () => {}) {
  const env = { PATH: process.env.PATH, URL: url, PASSWORD, ...environment };
  const child = spawn(process.execPath, [join(top, "scripts/backup.mjs"), task], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].on("data", (chunk) => {
      printed[name] += chunk;
      onOutput(String(chunk));
    });
  }
  const ended = new Promise((done) =>
    child.on("close", (code, signal) => done({ code, signal, ...printed })),
  );
  return { child, ended };
}

/** The tally of a file of NDJSON. */
export async function tallyOf(file) {
  const tally = new Tally();
  for await (const line of createInterface({ input: createReadStream(file) }))
    tally.add(JSON.parse(line));
  return tally.result();
}
