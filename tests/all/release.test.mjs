// The archive of `make release` runs, upgrades and deploys with Node and npm, and without Rust, a
// compiler, make or git.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { basic } from "../edge/support/client.mjs";
import { top } from "../edge/support/workerd.mjs";
import { freePort } from "./support/processes.mjs";

const START_MS = 60_000;
const scratch = mkdtempSync(join(tmpdir(), "postern-release-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const programs = join(scratch, "programs");
const packed = join(scratch, "dist");

/** The programs of a machine without development tools, and this Node with the machine's npm. */
const ABSENT = /^(cargo|rust|make|gmake|git|cc|c\+\+|c89|c99|gcc|g\+\+|clang|ld|lld)(?![a-z])/;

function providePrograms() {
  mkdirSync(programs);
  symlinkSync(process.execPath, join(programs, "node"));
  for (const name of ["/bin", "/usr/bin"].flatMap((folder) =>
    readdirSync(folder).map((file) => join(folder, file)),
  )) {
    const place = join(programs, basename(name));
    if (!ABSENT.test(basename(name)) && !existsSync(place)) symlinkSync(name, place, "file");
  }
}

/** Variables by which this machine reaches npm's registry. */
const NETWORK = /^(npm_config_.*|https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_.*)$/i;

const environment = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => NETWORK.test(name))),
  PATH: programs,
  HOME: join(scratch, "home"),
  // What npm has fetched already, and the user's settings of npm.
  npm_config_cache: process.env.npm_config_cache ?? join(homedir(), ".npm"),
  npm_config_userconfig: join(homedir(), ".npmrc"),
  WRANGLER_LOG_PATH: join(scratch, "logs"),
};

/** Runs a program in a folder. Returns `{ code, output }`. */
async function run(folder, program, ...args) {
  const ran = await promisify(execFile)(program, args, {
    cwd: folder,
    env: environment,
    timeout: 240_000,
  }).catch((error) => error);
  return { code: ran.code ?? 0, output: `${ran.stdout}${ran.stderr}` };
}

async function succeed(...what) {
  const { code, output } = await run(...what);
  assert.equal(code, 0, `${what.slice(1).join(" ")}: ${output}`);
  return output;
}

async function unpack(name) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  await succeed(folder, "tar", "-xzf", archive(), "--strip-components=1");
  return folder;
}

const archive = () =>
  join(
    packed,
    readdirSync(packed).find((name) => name.endsWith(".tar.gz")),
  );

/** Runs `npm run dev` until the test is over. Returns its address. */
async function dev(context, folder) {
  const port = await freePort();
  const child = spawn("npm", ["run", "dev", "--", `PORT=${port}`], {
    cwd: folder,
    env: environment,
    detached: true,
  });
  const ended = new Promise((done) => child.once("close", done));
  context.after(async () => {
    process.kill(-child.pid, "SIGTERM");
    await Promise.race([ended, sleep(5000)]);
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // All of its processes have ended.
    }
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => (output += chunk));
  for (
    const until = Date.now() + START_MS;
    Date.now() < until && child.exitCode === null;
    await sleep(200)
  ) {
    if (/Postern is at (http:\S+)\./.test(output)) return `http://127.0.0.1:${port}`;
  }
  throw new Error(`npm run dev did not start:\n${output}`);
}

const users = (url, password) =>
  fetch(`${url}/v1/users`, { headers: { authorization: basic("admin", password) } });

before(async () => {
  providePrograms();
  const pack = (folder) =>
    promisify(execFile)(process.execPath, [join(top, "scripts/release.mjs"), folder]);
  await pack(packed);
  for (const absent of ["cargo", "rustc", "make", "git", "cc"]) {
    assert.notEqual((await run(scratch, "sh", "-c", `command -v ${absent}`)).code, 0, absent);
  }
  await succeed(packed, "sha256sum", "-c", `${basename(archive())}.sha256`);
});

test("it runs, and its commands do what they do in the sources", async (context) => {
  const folder = await unpack("fresh");
  const early = await run(folder, "npm", "run", "dev");
  assert.match(early.output, /run: npm ci/);
  await succeed(folder, "npm", "ci");
  const url = await dev(context, folder);
  const [, password] = /^ADMIN_PASSWORD='(.+)'$/m.exec(
    readFileSync(join(folder, ".dev.vars"), "utf8"),
  );
  assert.equal((await users(url, password)).status, 200);
  assert.equal((await users(url, "wrong")).status, 401);
  assert.equal((await fetch(`${url}/v1/openapi.json`)).status, 200);

  const app = {
    name: "ERP",
    token_name: "token",
    secret: "abcd",
    expire: 86400,
    algorithm: "HS256",
    enable: "1",
    inituser: "1",
  };
  const fieldmap = { username: "loginname", name: "name", email: "email" };
  const register = {
    method: "POST",
    headers: { authorization: basic("admin", password) },
    body: JSON.stringify({ ...app, fieldmap, initroles: ["SYS_Reader"] }),
  };
  assert.equal(
    (await fetch(`${url}/plugin/datafor-modeler/api/token/updateAuthorization`, register)).status,
    200,
  );
  const token = (
    await succeed(
      folder,
      "node",
      "scripts/sign.mjs",
      "--secret",
      "abcd",
      "loginname=alice",
      "exp=+600",
    )
  ).trim();
  assert.equal(
    (await (await fetch(`${url}/v1/verify?token=${token}`)).json()).user.username,
    "alice",
  );

  await succeed(folder, "npm", "run", "backup", "--", `URL=${url}`, "FILE=state.ndjson");
  assert.match(readFileSync(join(folder, "state.ndjson"), "utf8"), /"username":"alice"/);
  await succeed(folder, "npm", "run", "restore", "--", `URL=${url}`, "FILE=state.ndjson");
  const smoke = await succeed(folder, "npm", "run", "smoke", "--", `URL=${url}`);
  assert.doesNotMatch(smoke, /FAILED/);
  const misspelled = await run(folder, "npm", "run", "backup", "--", "state.ndjson");
  assert.match(misspelled.output, /npm run backup -- URL=/);
  assert.notEqual(misspelled.code, 0);
});

test("it deploys, once wrangler.toml names a database", async () => {
  const folder = await unpack("deployed");
  await succeed(folder, "npm", "ci");
  const dry = await succeed(folder, "npm", "run", "deploy", "--", "DRY=1");
  assert.match(dry, /dry-run: exiting now/);
  assert.match(dry, /Workers Paid/);
  assert.match(dry, /env\.DB .*D1 Database/);
  assert.ok(
    readdirSync(join(folder, ".build/upload")).some((name) => name.endsWith("-index_bg.wasm")),
  );
  const { code, output } = await run(folder, "npm", "run", "deploy");
  assert.notEqual(code, 0);
  assert.match(output, /placeholder ids/);
  writeFileSync(join(folder, "wrangler.jsonc"), "{}");
  assert.match(
    (await run(folder, "npm", "run", "deploy", "--", "DRY=1")).output,
    /wrangler would read only wrangler.jsonc/,
  );
});

test("it takes over the state and the configuration of an older release", async (context) => {
  const facts = JSON.parse(readFileSync(join(top, "tests/upgrade/0.1.0.json"), "utf8"));
  const { MASTER_KEY, ADMIN_PASSWORD } = facts.variables;
  const old = await unpack("old");
  await succeed(old, "npm", "ci");
  const load = [
    "d1",
    "execute",
    "DB",
    "--local",
    "--persist-to",
    ".wrangler/state",
    "--yes",
    "--file",
    join(top, "tests/upgrade/0.1.0.sql"),
  ];
  await succeed(old, "npx", "wrangler", ...load);
  writeFileSync(
    join(old, ".dev.vars"),
    `MASTER_KEY='${MASTER_KEY}'\nADMIN_PASSWORD='${ADMIN_PASSWORD}'\n`,
  );
  const toml = readFileSync(join(old, "wrangler.toml"), "utf8");
  assert.doesNotMatch(toml, /\[build\]/);
  writeFileSync(
    join(old, "wrangler.toml"),
    toml.replace("STALENESS_S = 10\n", "STALENESS_S = 20\n"),
  );

  const folder = await unpack("newer");
  for (const kept of [".dev.vars", ".wrangler", "wrangler.toml"])
    cpSync(join(old, kept), join(folder, kept), { recursive: true });
  await succeed(folder, "npm", "ci");
  const url = await dev(context, folder);
  const answer = await users(url, ADMIN_PASSWORD);
  const names = ({ items }) => items.map(({ id, username }) => [id, username]);
  assert.deepEqual(names(await answer.json()), names(JSON.parse(facts.answers["/v1/users"])));
  assert.equal((await (await fetch(`${url}/health`)).json()).stalenessS, 20);
});

test("two archives of one commit have the same bytes, wherever its files lie", async () => {
  // A copy with other times and permissions, and another order of its folders.
  const copy = join(scratch, "copy");
  const tracked = (await promisify(execFile)("git", ["ls-files"], { cwd: top })).stdout
    .trim()
    .split("\n");
  for (const path of [...tracked.reverse(), ".git"])
    cpSync(join(top, path), join(copy, path), { recursive: true });
  cpSync(join(top, "build"), join(copy, "build"), { recursive: true });
  const again = join(scratch, "again");
  // If these sources are a worktree, the copy shares its index with them, so git must not change
  // the index.
  const env = { ...process.env, GIT_OPTIONAL_LOCKS: "0" };
  await promisify(execFile)(process.execPath, [join(copy, "scripts/release.mjs"), again], { env });
  const digest = (folder) =>
    createHash("sha256")
      .update(readFileSync(join(folder, basename(archive()))))
      .digest("hex");
  assert.equal(digest(again), digest(packed));
});
