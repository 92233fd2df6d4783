// `make smoke`: what it reports of a healthy deployment, which injected faults it finds, and that
// it leaves nothing behind.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sharedCache } from "../../scripts/lib/smoke/shared_cache.mjs";
import { admin, expectStatus, registerApp } from "./support/client.mjs";
import {
  ADMIN_PASSWORD,
  deployment,
  migrations,
  startIsolates,
  startPostern,
  stateFolder,
  top,
} from "./support/workerd.mjs";

const BOUND_S = 2;
const bindings = (changes) => deployment({ STALENESS_S: BOUND_S, ...changes });

const ROW = /^(ok|FAILED|not seen) {2,}(\S.*?) {2,}(\S.*)$/;
const PROMISES = 18;
const TIMED = [
  "a verification, warm",
  "a forged token",
  "a check, warm",
  "a check, cold (D1 is asked)",
  "a write",
];

/** Runs the command. `onOutput` gets what it has printed so far, and its process. */
function smoke(url, environment = {}, onOutput = () => {}) {
  const given = { URL: url, PASSWORD: ADMIN_PASSWORD, STALENESS_S: String(BOUND_S) };
  const env = { PATH: process.env.PATH, ...given, ...environment };
  const options = { env, stdio: ["ignore", "pipe", "pipe"] };
  const child = spawn(process.execPath, [join(top, "scripts/smoke.mjs")], options);
  let [table, printed] = ["", ""];
  child.stdout.on("data", (chunk) => (table += chunk));
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      printed += chunk;
      onOutput(printed, child);
    });
  }
  return new Promise((done) => {
    child.on("close", (code) => done({ code, rows: rowsOf(table.split("\n")), printed }));
  });
}

function rowsOf(lines) {
  return lines.flatMap((line, index) => {
    const [, verdict, promise, seen] = ROW.exec(line) ?? [];
    const [, wayOut] = /^ +→ (.*)/.exec(lines[index + 1] ?? "") ?? [];
    return verdict ? [{ verdict, promise, seen, wayOut }] : [];
  });
}

/** The row of the promise with these words. */
function row({ rows, printed }, words) {
  const found = rows.filter(({ promise }) => promise.includes(words));
  assert.equal(found.length, 1, `${words}: ${printed}`);
  return found[0];
}

const unlike = ({ rows }, wanted) => rows.filter(({ verdict }) => verdict !== wanted);

/** Asserts that exactly these promises failed, and that each failure names a way out. */
function expectFailed(run, ...words) {
  assert.equal(run.code, 1, run.printed);
  assert.equal(run.rows.length, PROMISES, run.printed);
  const failed = run.rows.filter(({ verdict }) => verdict === "FAILED");
  const expected = words.map((some) => row(run, some));
  assert.deepEqual(failed, expected, run.printed);
  for (const { promise, wayOut } of failed) assert.ok(wayOut, promise);
}

function expectAllOk(run) {
  assert.equal(run.code, 0, run.printed);
  assert.equal(run.rows.length, PROMISES, run.printed);
  assert.deepEqual(unlike(run, "ok"), [], run.printed);
}

/** Tables that a run writes, without the audit trail and the records of used ids. */
const TABLES = [
  "users",
  "sessions",
  "token_apps",
  "services",
  "grants",
  "machine_keys",
  "machine_key_secrets",
  "tombstones",
];

/** All rows of these tables. */
async function stateOf(postern) {
  const state = {};
  for (const table of TABLES) {
    state[table] = await postern.tool("query", { sql: `SELECT * FROM ${table} ORDER BY 1` });
  }
  return state;
}

/** Like `stateOf`, after the deployment's administrator has signed in once. */
async function stateAtFirst(postern) {
  expectStatus(await postern.send({ path: "/v1/users", headers: admin }), 200);
  return stateOf(postern);
}

/**
 * A proxy that answers with the result of `answer(request, pass)`, or closes the connection if
 * there is none. `pass(url)` sends the request to Postern at that URL.
 */
async function proxy(test, answer) {
  const server = http.createServer(async (request, response) => {
    const body = [];
    for await (const chunk of request) body.push(chunk);
    const given = await answer(request, (url) => passed(url, request, Buffer.concat(body)));
    if (!given) return request.socket.destroy();
    const headers = { ...given.headers, "content-length": given.body.length };
    return response.writeHead(given.status, headers).end(given.body);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

function passed(base, { method, url, headers }, body) {
  const options = { method, headers: { ...headers, host: new URL(base).host }, agent: false };
  return new Promise((done, failed) => {
    const request = http.request(new URL(url, base), options, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      const { "transfer-encoding": _, ...kept } = answer.headers;
      done({ status: answer.statusCode, headers: kept, body: Buffer.concat(chunks) });
    });
    request.on("error", failed);
    request.end(body);
  });
}

// A run mostly waits, so several run at the same time.
describe("make smoke", { concurrency: 3 }, () => {
  it("finds a bound that is longer than the operator wants, told and measured", async (test) => {
    const isolates = await startIsolates(test, 2, { changes: { STALENESS_S: 60 } });
    const before = await stateAtFirst(isolates[0]);
    let count = 0;
    const url = await proxy(test, (_, pass) => pass(isolates[count++ % 2].url));
    const run = await smoke(url);
    expectFailed(run, "bound on staleness", "revoked token");
    const { seen, wayOut } = row(run, "bound on staleness");
    assert.equal(seen, "STALENESS_S is 60, and you said 2");
    assert.match(wayOut, /^Set STALENESS_S = 2 in wrangler\.toml/);
    assert.match(row(run, "revoked token").seen, /^after \d\.\d s still 200; the bound is 2 s$/);
    assert.match(row(run, "revoked token").wayOut, /^Isolates use data that is older than 2 s/);
    assert.deepEqual(await stateOf(isolates[0]), before);
  });

  it("finds a proxy that keeps verdicts for longer than the bound, and names it", async (test) => {
    const postern = await startPostern(test, { bindings: bindings() });
    const before = await stateAtFirst(postern);
    const kept = new Map();
    const url = await proxy(test, async (request, pass) => {
      if (request.url !== "/v1/verify") return pass(postern.url);
      const { authorization } = request.headers;
      if (!kept.has(authorization)) kept.set(authorization, await pass(postern.url));
      return kept.get(authorization);
    });
    const run = await smoke(url);
    expectFailed(run, "revoked token");
    const { seen, wayOut } = row(run, "revoked token");
    assert.match(seen, /still 200; the bound is 2 s$/);
    assert.match(wayOut, /^Something between here and Postern keeps its answers/);
    assert.deepEqual(await stateOf(postern), before);
  });

  it("finds all kept in a healthy deployment, and leaves nothing there", async (test) => {
    const postern = await startPostern(test, { bindings: bindings() });
    await registerApp(postern);
    const before = await stateOf(postern);
    const run = await smoke(postern.url);
    expectAllOk(run);
    assert.match(row(run, "share").seen, /works/);
    assert.equal(row(run, "bound on staleness").seen, "2 s, and you said 2");
    const { seen } = row(run, "It answers");
    assert.match(seen, /^version \d+\.\d+\.\d+, as in this checkout$/);
    for (const kind of TIMED) {
      const line = run.printed.split("\n").find((one) => one.startsWith(`${kind} `));
      assert.match(line ?? "", / [\d.]+ ms +[\d.]+ ms +20$/, `${kind}: ${run.printed}`);
    }
    assert.deepEqual(await stateOf(postern), before);
  });

  it("needs no documented dialect and no open directory, and takes a key", async (test) => {
    const changes = { DIALECTS: [], DIRECTORY: "strict" };
    const postern = await startPostern(test, { bindings: bindings(changes) });
    const json = { name: "operator", may: ["administration"] };
    const made = await postern.send({ method: "POST", path: "/v1/keys", headers: admin, json });
    const { key } = expectStatus(made, 201).json;
    const before = await stateOf(postern);
    const run = await smoke(postern.url, { PASSWORD: key });
    expectAllOk(run);
    assert.equal(row(run, "signs in").seen, "by a key");
    const after = await stateOf(postern);
    // Only the day of the key's last use is written.
    const secrets = ({ machine_key_secrets }) => machine_key_secrets.map(({ key_id }) => key_id);
    assert.deepEqual(secrets(after), secrets(before));
    const rest = (state) => ({ ...state, machine_key_secrets: undefined });
    assert.deepEqual(rest(after), rest(before));
  });

  it("adds to the bound what proxies may keep", async (test) => {
    const changes = { VERDICT_MAX_AGE_S: 1 };
    const postern = await startPostern(test, { bindings: bindings(changes) });
    const run = await smoke(postern.url, { STALENESS_S: "" });
    expectAllOk(run);
    assert.equal(row(run, "bound on staleness").seen, "2 s");
    assert.match(row(run, "revoked token").seen, /the bound is 3 s$/);
  });

  it("finds a cache that keeps nothing, which is no fault on workers.dev", async (test) => {
    const postern = await startPostern(test, { bindings: bindings(), cache: false });
    const run = await smoke(postern.url);
    expectFailed(run, "share");
    assert.match(row(run, "share").seen, /inert/);
    assert.match(row(run, "share").wayOut, /custom domain/);

    const onWorkersDev = sharedCache("inert", "postern.somebody.workers.dev");
    assert.equal(onWorkersDev.verdict, "not seen");
    assert.match(onWorkersDev.seen, /as everywhere on workers\.dev/);
    const { verdict } = sharedCache("inert", "gate.example.com");
    assert.equal(verdict, "FAILED");
    for (const word of ["unknown", undefined]) {
      assert.equal(sharedCache(word, "gate.example.com").verdict, "not seen");
    }
  });

  it("finds that migrations are missing, all of them or the last one", async (test) => {
    const bare = await startPostern(test, { bindings: bindings(), migrate: false });
    const run = await smoke(bare.url);
    expectFailed(run, "migrations");
    assert.match(row(run, "migrations").wayOut, /make deploy/);
    assert.equal(row(run, "signs in").verdict, "not seen");
    assert.match(row(run, "signs in").seen, /when the migrations are applied/);

    const allButOne = migrations.slice(0, -1);
    const older = await startPostern(test, { bindings: bindings(), migrate: allButOne });
    const ofOlder = await smoke(older.url);
    assert.equal(ofOlder.code, 1, ofOlder.printed);
    assert.equal(row(ofOlder, "migrations").verdict, "FAILED");
    assert.equal(row(ofOlder, "migrations").seen, "some are missing");
  });

  it("finds a master key that is not that of the stored secrets", async (test) => {
    const one = { database: "kept", namespace: "kept", folder: stateFolder(test) };
    const first = await startPostern(test, { ...one, bindings: bindings() });
    await registerApp(first);
    const before = await stateOf(first);
    await first.stop();
    const postern = await startPostern(test, { ...one, bindings: bindings(), migrate: false });
    const run = await smoke(postern.url);
    expectFailed(run, "master key", "forged");
    const { seen, wayOut } = row(run, "master key");
    assert.equal(seen, "no master key opens 1 of the stored secrets");
    assert.match(wayOut, /MASTER_KEY_PREVIOUS/);
    assert.match(row(run, "forged").seen, /^503 .* in place of 401 bad_signature$/);
    assert.match(run.printed, /secret_unopened: secret of token app ERP/);
    assert.deepEqual(await stateOf(postern), before);
  });

  it("finds that secrets are missing, and names them", async (test) => {
    const changes = { MASTER_KEY: null, ADMIN_PASSWORD: null };
    const postern = await startPostern(test, { bindings: bindings(changes) });
    const run = await smoke(postern.url);
    expectFailed(run, "It answers");
    const { seen, wayOut } = row(run, "It answers");
    assert.match(seen, /^503 .*MASTER_KEY.*ADMIN_PASSWORD/);
    assert.match(wayOut, /wrangler secret put NAME.*\(MASTER_KEY, ADMIN_PASSWORD\)/);
    assert.equal(unlike(run, "not seen").length, 1, run.printed);
  });

  it("shows a variable that cannot be read, and the file to correct", async (test) => {
    const changes = { TOKEN_TTL_S: "soon" };
    const postern = await startPostern(test, { bindings: bindings(changes) });
    const run = await smoke(postern.url);
    expectFailed(run, "It answers");
    assert.match(row(run, "It answers").seen, /^503 .*TOKEN_TTL_S/);
    assert.match(row(run, "It answers").wayOut, /wrangler\.toml/);
  });

  it("removes what it has made when it is interrupted", async (test) => {
    const postern = await startPostern(test, { bindings: bindings() });
    const before = await stateAtFirst(postern);
    for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) {
      let isSent = false;
      const run = await smoke(postern.url, {}, (printed, child) => {
        if (isSent || !printed.includes("revoking a token")) return;
        isSent = true;
        child.kill(signal);
      });
      assert.equal(run.code, code, run.printed);
      assert.equal(row(run, "revoked token").seen, "the run was interrupted");
      assert.equal(row(run, "gone again").verdict, "ok", run.printed);
      assert.deepEqual(await stateOf(postern), before);
    }
  });

  it("removes what it has made though the answer was lost", async (test) => {
    const postern = await startPostern(test, { bindings: bindings() });
    const before = await stateAtFirst(postern);
    for (const lost of ["/v1/token-apps", "/v1/users", "/v1/services", "/v1/keys"]) {
      const url = await proxy(test, async (request, pass) => {
        const answer = await pass(postern.url);
        return request.method === "POST" && request.url === lost ? undefined : answer;
      });
      const run = await smoke(url);
      expectFailed(run, lost === "/v1/keys" ? "signs in" : "has signed is verified");
      assert.match(run.printed, /no answer/);
      assert.equal(row(run, "gone again").verdict, "ok", run.printed);
      assert.deepEqual(await stateOf(postern), before, lost);
    }
  });

  it("finds answers that are not what the README promises", async (test) => {
    const postern = await startPostern(test, { bindings: bindings() });
    const url = await proxy(test, async (request, pass) => {
      const answer = await pass(postern.url);
      const { "x-postern-bookmark": bookmark = "" } = request.headers;
      const allowed = (yes) => ({ ...answer, body: Buffer.from(JSON.stringify({ allowed: yes })) });
      // A faulty deployment: a key may do everything, a new grant is not in force, and unknown
      // bookmarks fail.
      if (request.url.includes("permission=DELETE")) return allowed(true);
      const isByUser = request.url.startsWith("/v1/check") && !request.url.includes("user=");
      if (isByUser && bookmark !== "") return allowed(false);
      if (!bookmark.startsWith("0000ffff-0000ffff-")) return answer;
      return { ...answer, headers: { ...answer.headers, "x-postern-stale": "1" } };
    });
    const run = await smoke(url);
    expectFailed(run, "A key for machines", "a write's bookmark", "made-up bookmark");
    assert.equal(row(run, "A key for machines").seen, "DELETE: true in place of false");
    assert.equal(row(run, "a write's bookmark").seen, "a new grant does not count: false");
    assert.equal(row(run, "made-up bookmark").seen, "answers with it rely on copies");
  });

  it("names what it cannot remove, and has failed then", async (test) => {
    const postern = await startPostern(test, { bindings: bindings() });
    const url = await proxy(test, ({ method, url: path }, pass) => {
      const isRefused = method === "DELETE" && path.startsWith("/v1/token-apps/");
      return isRefused ? { status: 403, headers: {}, body: "" } : pass(postern.url);
    });
    const run = await smoke(url);
    expectFailed(run, "gone again");
    const { seen } = row(run, "gone again");
    assert.match(seen, /^1 of 6 are left: the token app postern-smoke-\w+ \(403\)$/);
    const { users, token_apps: apps, machine_keys: keys } = await stateOf(postern);
    assert.deepEqual([users.length, apps.length, keys.length], [1, 1, 0]);
  });

  it("tells a wrong password, no Postern, nobody and a wrong argument apart", async (test) => {
    const postern = await startPostern(test, { bindings: bindings() });
    const wrong = await smoke(postern.url, { PASSWORD: "wrong" });
    expectFailed(wrong, "signs in");
    assert.equal(row(wrong, "signs in").seen, "401 wrong_password");
    assert.match(row(wrong, "signs in").wayOut, /USERNAME and PASSWORD/);

    const headers = { "content-type": "text/html" };
    const page = { status: 200, headers, body: "<h1>Welcome</h1>" };
    const other = await smoke(await proxy(test, () => page));
    expectFailed(other, "It answers");
    assert.match(row(other, "It answers").wayOut, /^Check that URL leads to Postern/);

    const nobody = await smoke("http://127.0.0.1:1");
    expectFailed(nobody, "It answers");
    assert.equal(row(nobody, "It answers").seen, "no answer (ECONNREFUSED)");

    for (const [url, environment, said] of [
      [postern.url, { STALENESS_S: "1" }, /STALENESS_S must be seconds from 2 to 300/],
      ["http://gate.example.com", {}, /URL must begin with https:\/\//],
      ["https://gate.example.com", { PASSWORD: "" }, /set PASSWORD in the environment/],
    ]) {
      const run = await smoke(url, environment);
      assert.equal(run.code, 1);
      assert.match(run.printed, said);
      assert.deepEqual(run.rows, []);
    }
  });

  it("is what make deploy names in the end, after migrations and upload", (test) => {
    const folder = stateFolder(test);
    for (const name of ["scripts/lib", ".build", "build", "node_modules/wrangler/bin"]) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    for (const name of ["Makefile", "scripts/deploy.sh", "scripts/lib/common.sh"]) {
      cpSync(join(top, name), join(folder, name));
    }
    const files = {
      "scripts/build.sh": "#!/bin/sh\n",
      ".build/env": "",
      "build/index_bg.wasm": "",
      "wrangler.toml": "",
      // A stand-in for wrangler that records its arguments.
      "node_modules/wrangler/bin/wrangler.js":
        'require("fs").appendFileSync("told", `${process.argv.slice(2).join(" ")}\\n`);',
    };
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(folder, name), text, { mode: 0o755 });
    }
    const { MAKEFLAGS, MAKELEVEL, ...env } = process.env;
    const options = { cwd: folder, encoding: "utf8", env };
    const { status, stdout, stderr } = spawnSync("make", ["deploy"], options);
    assert.equal(status, 0, stderr);
    const told = readFileSync(join(folder, "told"), "utf8");
    assert.equal(told, "d1 migrations apply DB --remote\ndeploy\n");
    assert.match(stdout.trimEnd().split("\n").at(-1), /make smoke URL=https:\/\/…$/);
  });
});
