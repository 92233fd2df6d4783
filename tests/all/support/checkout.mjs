// A folder that looks like a checkout in which somebody has typed `make dev`, and a shell in it.
//
// All files are the checkout's own, except scripts/build.sh, because the Worker is built already.

import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { top } from "../../edge/support/workerd.mjs";
import { freePort } from "./processes.mjs";

const START_MS = 90_000;
const BLOCK_MS = 90_000;

/** Processes that end with this one. Each has a process group with all that it has started. */
const running = new Set();
process.on("exit", () => running.forEach((child) => signal(child, "SIGKILL")));

function signal(child, name) {
  try {
    process.kill(-child.pid, name);
  } catch {
    // All of its processes have ended.
  }
}

function start(program, args, folder) {
  const options = { cwd: folder, env: environment(folder), detached: true };
  const child = spawn(program, args, options);
  running.add(child);
  return child;
}

/** Files that `make dev`, `make backup`, wrangler and the examples read. */
const COPIED = [
  ...["scripts", "public", "migrations", "examples", "src/edge"],
  ...["Makefile", "wrangler.toml", "package.json"],
];

/** Folders that are removed when this process ends. */
const folders = new Set();
process.on("exit", () => folders.forEach(remove));
const remove = (folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), "postern-guide-"));
  folders.add(folder);
  return folder;
}

function makeFolder() {
  const folder = newFolder();
  const list = ["ls-files", "--cached", "--others", "--exclude-standard", "--", ...COPIED];
  const tracked = execFileSync("git", list, { cwd: top, encoding: "utf8" });
  for (const path of tracked.trim().split("\n")) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    cpSync(join(top, path), join(folder, path));
  }
  for (const name of ["build", "node_modules"]) symlinkSync(join(top, name), join(folder, name));
  mkdirSync(join(folder, ".build"));
  cpSync(join(top, ".build/env"), join(folder, ".build/env"));
  writeFileSync(join(folder, "scripts/build.sh"), "#!/usr/bin/env bash\n");
  return folder;
}

function environment(folder) {
  const { MAKEFLAGS, MAKELEVEL, MFLAGS, POSTERN_BUILT, ...rest } = process.env;
  // Another Postern that runs on this machine must not be found instead of this one.
  return { ...rest, NO_COLOR: "1", WRANGLER_REGISTRY_PATH: join(folder, "registry") };
}

/** Ends a process with all that it has started. */
async function end(child) {
  const ended = new Promise((done) => child.once("close", done));
  signal(child, "SIGTERM");
  if (child.exitCode === null) await Promise.race([ended, sleep(5000)]);
  signal(child, "SIGKILL");
  running.delete(child);
}

/** Starts `make dev` and waits until it answers. */
async function dev(folder, port) {
  const child = start("make", ["dev", `PORT=${port}`], folder);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => (output += chunk));
  const until = Date.now() + START_MS;
  while (Date.now() < until && child.exitCode === null) {
    if (/Postern is at http:/.test(output)) return child;
    await sleep(100);
  }
  await end(child);
  throw new Error(`make dev did not start:\n${output}`);
}

let started;
/**
 * A folder in which `make dev` has run once. That takes three times as long as to start it again,
 * so it is done once for all checkouts.
 */
async function startedOnce() {
  const folder = makeFolder();
  await end(await dev(folder, await freePort()));
  return folder;
}

const listens = (port) =>
  new Promise((done) => {
    const socket = connect(port, "localhost");
    socket.once("connect", () => done(true) ?? socket.destroy());
    socket.once("error", () => done(false));
  });

/** A shell into which commands are typed. */
class Shell {
  #child;
  #printed = "";
  #complaints = "";

  constructor(folder) {
    this.#child = start("bash", ["--noprofile", "--norc"], folder);
    this.#child.stdout.on("data", (chunk) => (this.#printed += chunk));
    this.#child.stderr.on("data", (chunk) => (this.#complaints += chunk));
    // An answer that is a refusal fails the command, so that none is overlooked.
    const line = `curl() { command curl -sS --fail-with-body "$@"; }\n`;
    this.#child.stdin.write(line);
    this.#child.stdin.write(`trap 'printf "failed: %s\\n" "$BASH_COMMAND" >&2' ERR\n`);
  }

  /** Types commands and waits until they are done. */
  async type(commands) {
    const mark = `end ${randomUUID()}`;
    this.#printed = "";
    this.#complaints = "";
    // Both streams get the mark, because a complaint may arrive after what was printed later.
    this.#child.stdin.write(`${commands}\necho; echo '${mark}'; echo '${mark}' >&2\n`);
    const isDone = () => this.#printed.includes(mark) && this.#complaints.includes(mark);
    for (const until = Date.now() + BLOCK_MS; !isDone(); await sleep(20)) {
      if (Date.now() > until || this.#child.exitCode !== null)
        throw new Error(`${commands}\ndid not end:\n${this.#printed}\n${this.#complaints}`);
    }
    const printed = this.#printed.slice(0, this.#printed.indexOf(mark)).trim();
    const complaints = this.#complaints.slice(0, this.#complaints.indexOf(mark));
    return { printed, complaints, failed: complaints.match(/^failed: .*$/gm) ?? [] };
  }

  stop() {
    return end(this.#child);
  }
}

/**
 * A fresh checkout in which `make dev` runs, and its shell, until the test (a context) is over.
 * `type` types commands. `tidy` does what pages ask for at their end, and opens another terminal.
 */
export async function startCheckout(context) {
  started ??= startedOnce();
  const folder = newFolder();
  cpSync(await started, folder, { recursive: true, verbatimSymlinks: true });
  const [port, application] = [await freePort(), await freePort()];
  const here = (text) =>
    text.replaceAll("localhost:8787", `localhost:${port}`).replaceAll(/\b9000\b/g, application);
  const variables = () => {
    const file = join(folder, ".dev.vars");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  };
  let server = await dev(folder, port);
  let read = variables();
  let shell = new Shell(folder);
  context.after(async () => {
    await shell.stop();
    await end(server);
    remove(folder);
    folders.delete(folder);
  });

  /**
   * Starts `make dev` again, as readers do after a page has changed its variables or removed its
   * state.
   */
  async function startAgain() {
    if (variables() === read && existsSync(join(folder, ".wrangler/state"))) return;
    await end(server);
    server = await dev(folder, port);
    read = variables();
  }

  return {
    async type(commands) {
      await startAgain();
      const typed = await shell.type(here(commands));
      if (/listen\(9000\)/.test(commands))
        for (let tries = 0; tries < 100 && !(await listens(application)); tries += 1)
          await sleep(50);
      return typed;
    },
    async tidy() {
      // This ends the application, too.
      await shell.stop();
      writeFileSync(join(folder, ".dev.vars"), variables().replaceAll(/^ORIGIN_.*\n/gm, ""));
      shell = new Shell(folder);
    },
  };
}
