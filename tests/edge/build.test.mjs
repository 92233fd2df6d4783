// What the build relies on: parts that fit each other, and one configuration.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { stateFolder, top } from "./support/workerd.mjs";

const dependencies = (name) => JSON.parse(readFileSync(join(top, "node_modules", name, "package.json"), "utf8"));

test("the tests run on the miniflare and the workerd that wrangler runs on", () => {
  const wrangler = dependencies("wrangler").dependencies;
  assert.equal(dependencies("miniflare").version, wrangler.miniflare);
  assert.equal(dependencies("workerd").version, wrangler.workerd);
});

test("the set-up refuses a configuration that wrangler would read in place of wrangler.toml", async (t) => {
  for (const name of ["wrangler.json", "wrangler.jsonc"]) {
    const folder = stateFolder(t);
    cpSync(join(top, "scripts"), join(folder, "scripts"), { recursive: true });
    writeFileSync(join(folder, name), "{}");
    await assert.rejects(promisify(execFile)(join(folder, "scripts/setup.sh")), (error) => {
      assert.match(error.stderr, new RegExp(`${name.replace(".", "\\.")} lies beside wrangler\\.toml`));
      return true;
    });
  }
});
