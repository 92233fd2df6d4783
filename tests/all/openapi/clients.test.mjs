// Clients that three generators make from the document. They compile or import, and do the main job
// on a running Postern.

import assert from "node:assert/strict";
import { copyFileSync, cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { nowInSeconds, sign } from "../../edge/support/client.mjs";
import { ADMIN_PASSWORD, startWorkerd, top } from "../../edge/support/workerd.mjs";
import { fromNpm, fromPypi, succeed, workFolder } from "../support/programs.mjs";

const here = join(top, "tests/all/openapi");
const DOCUMENT = join(top, "public/v1/openapi.json");
const CALLS = 10;

let workerd;
let isolates;

before(async () => {
  workerd = await startWorkerd({ isolates: [{}, {}, {}] });
  isolates = workerd.isolates.values();
});
after(() => workerd?.stop());

/**
 * The environment of a program of calls: an empty Postern, its administrator, and a token that the
 * app ERP has signed.
 */
function environment() {
  const { url } = isolates.next().value;
  const token = sign("abcd", {
    loginname: "alice",
    name: "Alice",
    email: "alice@example.com",
    exp: nowInSeconds() + 600,
  });
  return {
    POSTERN: url.replace(/\/$/, ""),
    USERNAME: "admin",
    PASSWORD: ADMIN_PASSWORD,
    TOKEN: token,
  };
}

/** Asserts the output: a program of calls prints a line for each call with a right answer. */
function expectCalls(output) {
  const lines = output.trim().split("\n");
  assert.equal(lines.filter((line) => line.startsWith("ok ")).length, CALLS, output);
}

const TSCONFIG = {
  compilerOptions: {
    target: "ES2022",
    module: "ESNext",
    moduleResolution: "Bundler",
    lib: ["ES2022", "DOM", "DOM.Iterable"],
    types: [],
    strict: true,
    noEmit: true,
  },
};

/** Checks the types of a program and all its imports, then runs it. */
async function checkAndRun(folder, program) {
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ ...TSCONFIG, include: ["."], exclude: ["node_modules"] }),
  );
  copyFileSync(join(here, program), join(folder, program));
  cpSync(join(here, "environment.ts"), join(folder, "environment.ts"));
  await succeed(fromNpm("tsc"), ["--project", folder]);
  const bundle = join(folder, "calls.mjs");
  const esbuild = join(top, "node_modules/.bin/esbuild");
  await succeed(esbuild, [
    join(folder, program),
    "--bundle",
    "--format=esm",
    "--platform=node",
    `--outfile=${bundle}`,
    "--log-level=warning",
  ]);
  expectCalls(await succeed(process.execPath, [bundle], { env: environment() }));
}

describe("a generated client", { concurrency: false }, () => {
  it("of openapi-typescript has right types, and its calls are answered", async () => {
    const folder = workFolder("openapi-fetch");
    await succeed(fromNpm("openapi-typescript"), [
      DOCUMENT,
      "--output",
      join(folder, "schema.d.ts"),
    ]);
    await checkAndRun(folder, "openapi_fetch_calls.ts");
  });

  it("of hey-api has right types, and its calls are answered", async () => {
    const folder = workFolder("hey-api");
    const args = [
      "--input",
      DOCUMENT,
      "--output",
      join(folder, "client"),
      "--client",
      "@hey-api/client-fetch",
      "--no-log-file",
    ];
    await succeed(fromNpm("openapi-ts"), args);
    await checkAndRun(folder, "hey_api_calls.ts");
  });

  it("of openapi-python-client imports module by module, and its calls are answered", async () => {
    const folder = workFolder("python");
    const args = [
      "generate",
      "--path",
      DOCUMENT,
      "--output-path",
      join(folder, "postern_client"),
      "--meta",
      "none",
    ];
    const config = ["--config", join(here, "python_client.yaml"), "--fail-on-warning"];
    await succeed(fromPypi("openapi-python-client"), [...args, ...config]);
    copyFileSync(join(here, "python_calls.py"), join(folder, "calls.py"));
    // Python looks for the client in the program's folder.
    expectCalls(
      await succeed(fromPypi("python"), ["-B", join(folder, "calls.py")], { env: environment() }),
    );
  });
});
