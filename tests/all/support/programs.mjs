// Where scripts/lib/programs.sh installs programs, and how they are run.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { top } from "../../edge/support/workerd.mjs";

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern");
const npm = join(cache, "test-all/npm/node_modules");
const python = join(cache, "test-all/python/bin");

/** The folder of a program's packages, which generated code imports. */
export const npmPackages = npm;

/** The folder in which cargo builds the last release's sources, once per machine. */
export const lastReleaseTarget = join(cache, "test-all/last-release");

function installed(path) {
  assert.ok(existsSync(path), `${path} is missing: make test-all installs it`);
  return path;
}

export const fromNpm = (name) => installed(join(npm, ".bin", name));
export const fromPypi = (name) => installed(join(python, name));

/** An empty folder below .build/, in which packages from npm are found. */
export function workFolder(name) {
  const folder = join(top, ".build/test-all", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  symlinkSync(npm, join(folder, "node_modules"));
  return folder;
}

/** No program may look for updates, send statistics, or colour output that a test reads. */
const QUIET = {
  REDOCLY_TELEMETRY: "off",
  REDOCLY_SUPPRESS_UPDATE_NOTICE: "true",
  NO_COLOR: "1",
  CI: "1",
};

/** Runs a program to its end. Returns `{ code, stdout, stderr }`. */
export function run(program, args, { cwd = top, env = {} } = {}) {
  // Generators call formatters from their own folder.
  const PATH = `${python}${delimiter}${process.env.PATH}`;
  const options = {
    cwd,
    env: { ...process.env, ...QUIET, PATH, ...env },
    maxBuffer: 64 * 1024 * 1024,
  };
  return new Promise((done) => {
    execFile(program, args, options, (error, stdout, stderr) =>
      done({ code: error ? (error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

/** Runs a program that must succeed. Returns what it printed. */
export async function succeed(program, args, options) {
  const { code, stdout, stderr } = await run(program, args, options);
  assert.equal(
    code,
    0,
    `${program} ${args.join(" ")}: ${code}\n${stdout.slice(-8000)}\n${stderr.slice(-8000)}`,
  );
  return stdout;
}
