// What the build relies on: parts of matching versions, and one configuration.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { stateFolder, top } from "./support/workerd.mjs";

const installed = (name) =>
  JSON.parse(readFileSync(join(top, "node_modules", name, "package.json"), "utf8"));

/** A stand-in for the runtime's module, which this process lacks. */
const RUNTIME = "data:text/javascript,export class WorkerEntrypoint {}";

test("the entry refuses to start on a generated module that lacks what it needs", async (t) => {
  const folder = stateFolder(t);
  mkdirSync(join(folder, "src/edge"), { recursive: true });
  mkdirSync(join(folder, "build"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const entry = readFileSync(join(top, "src/edge/entry.mjs"), "utf8");
  writeFileSync(join(folder, "src/edge/entry.mjs"), entry.replace("cloudflare:workers", RUNTIME));
  const made = ["fetch", "gate", "scheduled"].map((name) => `export const ${name} = () => {};\n`);
  const text = made.join("");
  writeFileSync(join(folder, "build/index.js"), text);
  await assert.rejects(
    import(pathToFileURL(join(folder, "src/edge/entry.mjs"))),
    /build\/index\.js exports no function onPanic/,
  );
});

test("the tests run on the miniflare and the workerd that wrangler runs on", () => {
  const wrangler = installed("wrangler").dependencies;
  assert.equal(installed("miniflare").version, wrangler.miniflare);
  assert.equal(installed("workerd").version, wrangler.workerd);
});

test("the set-up refuses a file that wrangler would read as its configuration", async (t) => {
  for (const name of ["wrangler.json", "wrangler.jsonc"]) {
    const folder = stateFolder(t);
    cpSync(join(top, "scripts"), join(folder, "scripts"), { recursive: true });
    writeFileSync(join(folder, name), "{}");
    await assert.rejects(promisify(execFile)(join(folder, "scripts/setup.sh")), (error) => {
      assert.ok(error.stderr.includes(`${name} lies beside wrangler.toml`), error.stderr);
      return true;
    });
  }
});

test("the set-up finds the same programs when its own programs call it again", async () => {
  const env = () => readFileSync(join(top, ".build/env"), "utf8");
  const before = env();
  // The Node that runs this test comes first in PATH, whether it is the machine's or the set-up's.
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
  await promisify(execFile)(join(top, "scripts/setup.sh"), { env: { ...process.env, PATH } });
  assert.equal(env(), before);
});
