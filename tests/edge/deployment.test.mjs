// The files that deploy Postern: package.json, wrangler.toml and .dev.vars.example for the button,
// and a release's archive, which tests/all/release.test.mjs runs.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { table } from "../../bench/prices.mjs";
import { expectStatus } from "./support/client.mjs";
import { deployment, startPostern, stateFolder, top } from "./support/workerd.mjs";

const read = (path) => readFileSync(join(top, path), "utf8");
const manifest = JSON.parse(read("package.json"));
const secrets = Object.fromEntries(
  [...read(".dev.vars.example").matchAll(/^([A-Z_]+)="(.*)"$/gm)].map(([, name, value]) => [
    name,
    value,
  ]),
);

test("the button asks for the required secrets, and describes all that it makes", () => {
  const required = [
    ...read("docs/reference/variables.md").matchAll(/^\| `(\w+)` \| secret \| required \|/gm),
  ];
  assert.deepEqual(
    Object.keys(secrets),
    required.map(([, name]) => name),
  );
  const bindings = [
    ...read("wrangler.toml").matchAll(/^\[\[\w+\]\]\n(?:.+\n)*?(?:binding|name) = "(\w+)"$/gm),
  ];
  assert.deepEqual(Object.keys(manifest.cloudflare.bindings), [
    ...bindings.map(([, name]) => name),
    ...Object.keys(secrets),
  ]);
});

test("what the button deploys without secrets lets nobody in", async (t) => {
  const postern = await startPostern(t, { bindings: deployment(secrets) });
  const authorization = `Basic ${Buffer.from("admin:").toString("base64")}`;
  const { json } = expectStatus(
    await postern.send({ path: "/v1/verify", headers: { authorization } }),
    503,
  );
  for (const name of Object.keys(secrets)) assert.match(json.detail, new RegExp(name));
});

test("the button's machine gets Rust, and no other one does", async (t) => {
  const folder = stateFolder(t);
  const programs = join(folder, "programs");
  mkdirSync(programs);
  for (const file of readdirSync("/usr/bin"))
    if (!/^(cargo|rust|curl)/.test(file)) symlinkSync(join("/usr/bin", file), join(programs, file));
  // A stand-in for rustup. It records its arguments, and installs a cargo without a compiler.
  const installer =
    'echo "installing $*"; mkdir -p "$CARGO_HOME/bin"; ln -s /bin/true "$CARGO_HOME/bin/cargo"';
  writeFileSync(join(programs, "curl"), `#!/bin/sh\necho '${installer}'\n`);
  chmodSync(join(programs, "curl"), 0o755);
  cpSync(join(top, "scripts"), join(folder, "scripts"), { recursive: true });
  const env = { PATH: programs, HOME: folder, CARGO_HOME: join(folder, "cargo") };
  const setUp = (more) =>
    promisify(execFile)(join(folder, "scripts/setup.sh"), { env: { ...env, ...more } }).catch(
      (error) => error,
    );
  const here = await setUp({});
  assert.match(here.stderr, /not found: (.* )?cargo rustc/);
  assert.doesNotMatch(here.stdout, /installing/);
  const there = await setUp({ WORKERS_CI: "1" });
  assert.match(there.stdout, /installing -y .*--target wasm32-unknown-unknown/);
  assert.match(there.stderr, /not found: (.* )?rustc/);
  assert.doesNotMatch(there.stderr, /cargo rustc/);
});

test("the archive of a release has what its documents and commands name", async (t) => {
  const folder = stateFolder(t);
  await promisify(execFile)(process.execPath, [join(top, "scripts/release.mjs"), folder]);
  const name = readdirSync(folder).find((file) => file.endsWith(".tar.gz"));
  await promisify(execFile)("tar", ["-xzf", name], { cwd: folder });
  const root = join(folder, basename(name, ".tar.gz"));
  const files = readdirSync(root, { recursive: true }).filter((file) =>
    /\.(md|sh|mjs|toml)$/.test(file),
  );
  for (const file of files) {
    const text = readFileSync(join(root, file), "utf8");
    if (file.endsWith(".md")) {
      for (const [, link] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
        assert.ok(existsSync(join(root, dirname(file), link)), `${file} links to ${link}`);
      }
    }
    if (/^(scripts|wrangler)/.test(file))
      assert.doesNotMatch(
        text,
        /scripts\/run\.sh|\bmake (dev|deploy|smoke|backup|restore)\b/,
        file,
      );
    for (const [, module] of text.matchAll(/from "(\.[^"]+)"/g)) {
      if (/^(scripts|src|build)/.test(file))
        assert.ok(existsSync(join(root, dirname(file), module)), `${file} imports ${module}`);
    }
  }
  assert.doesNotMatch(readFileSync(join(root, "wrangler.toml"), "utf8"), /\[build\]/);
  assert.match(readFileSync(join(root, "README.md"), "utf8"), /^npm ci$/m);
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  assert.equal(packages["node_modules/wrangler"].version, manifest.devDependencies.wrangler);
  assert.equal(packages["node_modules/hono"], undefined);
});

test("the page about cost has the table that its script prints", () => {
  assert.ok(read("docs/design/scale.md").includes(table()), "run: node bench/prices.mjs");
});
