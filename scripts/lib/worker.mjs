// Starts the built Worker with `wrangler dev`, as often as asked, and stops it again.
//
// Not for `make dev`: nothing here reads .dev.vars or the default state folder. Build first
// (scripts/build.sh).

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("../../", import.meta.url));
const wrangler = join(top, "node_modules/wrangler/bin/wrangler.js");
const running = new Set();
const folders = new Set();

process.on("exit", () => {
  running.forEach((child) => child.signal("SIGKILL"));
  folders.forEach((folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => process.exit(1));
}

/** Secrets for a temporary Worker. */
export function throwAwaySecrets() {
  return {
    MASTER_KEY: randomBytes(32).toString("base64"),
    ADMIN_PASSWORD: randomBytes(18).toString("base64url"),
  };
}

/** A new empty folder, which is removed when Node ends, or earlier by the caller. */
export function throwAwayFolder() {
  const folder = mkdtempSync(join(tmpdir(), "postern-"));
  folders.add(folder);
  return folder;
}

/** Applies the migrations to the local D1 in `stateDir`. */
export async function applyMigrations(stateDir) {
  const scratch = throwAwayFolder();
  try {
    const args = ["d1", "migrations", "apply", "DB", "--local", "--persist-to", resolve(stateDir)];
    const child = run(args, scratch);
    const code = await child.ended;
    if (code !== 0) throw new Error(`the migrations could not be applied:\n${child.output()}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Starts a Worker and waits until it listens.
 *
 * `stateDir` keeps D1 and KV; two Workers may share one. `bindings` are variables and secrets that
 * replace those of wrangler.toml. `entry` is another entry module, such as the one of
 * `scripts/build.sh probe`. `config` is the wrangler.toml of another Worker. Workers with the same
 * `registry` folder find each other by their names. Returns `url`, `output()` (all that it has
 * printed), `stop()` (in order) and `kill()` (SIGKILL to all of it). A request for `/__scheduled`
 * runs the scheduled event.
 */
export async function startWorker(options) {
  for (let attempt = 1; ; attempt += 1) {
    const child = launch(options);
    const url = await Promise.race([
      child.printed(/Ready on (http:\/\/\S+)/),
      child.ended.then(() => undefined),
    ]);
    if (url) return control(child, url);
    child.signal("SIGKILL");
    // If two workerds open a new state at the same moment, the second one finds SQLite locked, and
    // gives up at once.
    const locked = child.output().includes("SQLITE_BUSY");
    if (!locked || attempt === 5)
      throw new Error(`wrangler dev ended before it was ready:\n${child.output()}`);
  }
}

function launch({ stateDir, bindings = {}, entry, config, registry, port = 0 }) {
  const scratch = throwAwayFolder();
  mkdirSync(stateDir, { recursive: true });
  // In a file, because everyone on the machine can read arguments. A named file also keeps wrangler
  // from reading .dev.vars.
  const bindingsFile = join(scratch, "bindings.env");
  const lines = Object.entries(bindings).map(([name, value]) => `${name}='${value}'\n`);
  writeFileSync(bindingsFile, lines.join(""), { mode: 0o600 });

  const args = [
    ...["dev", ...(entry ? [entry] : []), ...(config ? ["--config", config] : [])],
    ...["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"],
    ...["--persist-to", resolve(stateDir), "--env-file", bindingsFile, "--test-scheduled"],
  ];
  const child = run(args, scratch, registry);
  child.ended.then(() => rmSync(scratch, { recursive: true, force: true }));
  return child;
}

function control(child, url) {
  // A Worker that is not stopped, for example by a failing test, must not keep Node from ending.
  // The `exit` handler kills it then.
  child.holdNode(false);
  return {
    url,
    output: child.output,
    async stop() {
      child.holdNode(true);
      child.signal("SIGTERM");
      const patience = setTimeout(() => child.signal("SIGKILL"), 5000);
      await child.ended;
      clearTimeout(patience);
      // Kills processes of the group that have outlived its leader.
      child.signal("SIGKILL");
    },
    async kill() {
      child.holdNode(true);
      child.signal("SIGKILL");
      await child.ended;
    },
  };
}

function run(args, scratch, registry = join(scratch, "registry")) {
  const child = spawn(process.execPath, [wrangler, ...args], {
    cwd: top,
    // A process group of its own, because wrangler starts workerd and esbuild, and all of them must
    // end.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      CI: "1",
      POSTERN_BUILT: "1",
      NO_COLOR: "1",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_LOG_PATH: join(scratch, "logs"),
      // Otherwise two Workers with the same name would find each other.
      WRANGLER_REGISTRY_PATH: registry,
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
    },
  });
  const chunks = [];
  const listeners = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      chunks.push(chunk);
      listeners.forEach((listener) => listener());
    });
  }
  const output = () => Buffer.concat(chunks).toString();
  const handle = {
    output,
    ended: new Promise((done) => child.on("exit", (code) => done(code))),
    signal(name) {
      try {
        process.kill(-child.pid, name);
      } catch {
        // The group has ended already.
      }
    },
    holdNode(yes) {
      for (const each of [child, child.stdout, child.stderr]) yes ? each.ref() : each.unref();
    },
    printed: (pattern) =>
      new Promise((found) => {
        const look = () => {
          const match = pattern.exec(output());
          if (!match) return;
          listeners.delete(look);
          found(match[1]);
        };
        listeners.add(look);
        look();
      }),
  };
  running.add(handle);
  handle.ended.then(() => running.delete(handle));
  return handle;
}
