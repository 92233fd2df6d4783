// Foreign programs: where they are, and how those that serve a port are started and stopped.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import net from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_MS = 30_000;
const STOP_MS = 5000;
const ATTEMPTS = 5;

/**
 * The folder into which scripts/lib/proxies.sh fetches programs, and the other places where they
 * are searched.
 */
const fetched = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern/proxies");

const folders = [
  ...(process.env.PATH ?? "").split(delimiter),
  ...["/usr/sbin", "/usr/local/sbin"],
  fetched,
];

/** A folder of packages that scripts/lib/proxies.sh has unpacked. */
export function unpacked(name) {
  const folder = join(fetched, name);
  accessSync(folder, constants.R_OK);
  return folder;
}

export function program(name) {
  const found = folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  assert.ok(found, `${name} is not installed: make test-all and make bench fetch it`);
  return found;
}

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

/**
 * Starts a program that serves a port, with `{ args, env, ends }` from `configure`. `ends` is the
 * signal that stops it. Returns `{ url, port, pid, stop }`.
 */
export async function startProgram(path, configure) {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const { args, env, ends = "SIGTERM" } = configure(port);
    const child = spawn(path, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    running.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => (output += chunk));
    const ended = new Promise((done) => child.once("close", done).once("error", done)).then(() =>
      running.delete(child),
    );
    const stop = async () => {
      child.kill(ends);
      const patience = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await ended;
      clearTimeout(patience);
    };
    if (await answers(port, child))
      return { url: `http://127.0.0.1:${port}`, port, pid: child.pid, stop };
    await stop();
    // The port was free a moment ago, but another program may have taken it since.
    if (attempt === ATTEMPTS || !/address already in use/i.test(output))
      throw new Error(`${path} did not start: ${output}`);
  }
}

export function freePort() {
  return new Promise((done, failed) => {
    const server = net.createServer().once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

async function answers(port, child) {
  const connects = () =>
    new Promise((done) => {
      const socket = net.connect(port, "127.0.0.1", () => done(true));
      socket.once("error", () => done(false)).once("close", () => done(false));
      socket.once("connect", () => socket.destroy());
    });
  for (
    const until = Date.now() + START_MS;
    Date.now() < until && child.exitCode === null;
    await sleep(20)
  ) {
    if (await connects()) return true;
  }
  return false;
}
