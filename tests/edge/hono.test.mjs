// The example for Hono, unchanged, on a Worker with a binding to Postern.

import { test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { applyMigrations, startWorker, throwAwaySecrets } from "../../scripts/lib/worker.mjs";
import { TYPES, openapi, typesOf } from "../../scripts/types.mjs";
import { startBound } from "./support/bound.mjs";
import { admin, expectStatus, nowInSeconds, registerApp, sign, signIn } from "./support/client.mjs";
import { send } from "./support/http.mjs";
import { stateFolder, top } from "./support/workerd.mjs";

const SECRET = "a shared secret of thirty-two b!";
const example = join(top, "examples/hono");
const require = createRequire(join(top, "package.json"));

const tokenOf = (loginname, claims = {}) =>
  sign(SECRET, { loginname, exp: nowInSeconds() + 600, ...claims });

/** Bundles the example into one module, as wrangler does. */
function bundled(test, contents) {
  const folder = stateFolder(test);
  const { buildSync } = createRequire(require.resolve("wrangler/package.json"))("esbuild");
  const path = join(folder, "app.mjs");
  buildSync({
    ...(contents
      ? { stdin: { contents, resolveDir: example, loader: "ts" } }
      : { entryPoints: [join(example, "index.ts")] }),
    bundle: true,
    format: "esm",
    outfile: path,
    logLevel: "warning",
  });
  return { modules: [{ type: "ESModule", path }], modulesRoot: folder };
}

async function start(test, options = {}) {
  const started = await startBound(test, { caller: bundled(test), ...options });
  const { postern, bound } = started;
  await registerApp(postern, { secret: SECRET });
  const get = (path, headers = {}, method = "GET") => bound.send({ method, path, headers });
  const as = (token) => ({ authorization: `Bearer ${token}` });
  return { ...started, get, as };
}

const refusal = ({ status, headers, json }) => [
  status,
  headers["www-authenticate"],
  json?.reason ?? json?.detail,
];

test("the types are those of the OpenAPI document", () => {
  assert.equal(readFileSync(TYPES, "utf8"), typesOf(openapi()), "run: node scripts/types.mjs");
});

test("the example compiles with its types", () => {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", example], { stdio: "pipe", encoding: "utf8" });
});

test("the types refuse a question that Postern would refuse", (t) => {
  const folder = stateFolder(t);
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin/tsc");
  const wrong = [
    "gate.verify({})",
    "gate.verify({ token: 5 })",
    "gate.verify({ token: 'x', tokne: 'y' })",
    "gate.check({ permission: 'VIEW', user: 2 })",
    "gate.checkBatch([])",
    "gate.verify({ token: 'x' }).then((answer) => answer.user)",
  ];
  const right = [
    "gate.check({ service: 1n, permission: 'VIEW', username: 'a' })",
    "gate.verify({ token: 'x' }).then((answer) => answer.ok && answer.user?.username)",
  ];
  const lines = [
    `import type { Gate } from ${JSON.stringify(TYPES.replace(/\.d\.ts$/, ""))};`,
    "declare const gate: Gate;",
  ];
  const text = [
    ...lines,
    ...wrong.map((line) => `// @ts-expect-error\n${line};`),
    ...right.map((line) => `${line};`),
  ].join("\n");
  const file = join(folder, "questions.ts");
  writeFileSync(file, text);
  execFileSync(
    process.execPath,
    [
      tsc,
      "--noEmit",
      "--strict",
      "--target",
      "es2022",
      "--module",
      "esnext",
      "--moduleResolution",
      "bundler",
      "--types",
      "",
      file,
    ],
    { stdio: "pipe", encoding: "utf8" },
  );
});

test("the middleware admits Postern's users, and tells others what is wrong", async (t) => {
  const { get, as } = await start(t);
  expectStatus(await get("/"), 200);
  const me = expectStatus(await get("/me", as(tokenOf("alice"))), 200).json;
  assert.deepEqual([me.username, me.type], ["alice", "SYS_Reader"]);
  const asked = 'Bearer realm="postern"';
  const because = (why) => `${asked}, error="invalid_token", error_description="${why}"`;
  const table = [
    [{}, [401, asked, "there is no credential"]],
    [
      as(tokenOf("alice", { exp: nowInSeconds() - 600 })),
      [401, because("the token is expired"), "expired"],
    ],
    [
      as(`${tokenOf("alice")}x`),
      [401, because("the token's signature does not verify"), "bad_signature"],
    ],
    [as("unknown"), [401, because("the token is unknown or was revoked"), "revoked"]],
    [{ authorization: "Bearer" }, [401, asked, "there is no credential"]],
    [{ authorization: `Basic ${tokenOf("alice")}` }, [401, asked, "there is no credential"]],
    [admin, [401, asked, "there is no credential"]],
  ];
  for (const [headers, expected] of table) {
    const answer = await get("/me", headers);
    assert.deepEqual(refusal(answer), expected, `${JSON.stringify(headers)} ${answer.text}`);
    assert.equal(answer.headers["content-type"], "application/problem+json");
    assert.equal(answer.headers["cache-control"], "no-store");
  }
});

test("a cookie is accepted only where a route says so, and from its own origin", async (t) => {
  const { bound, get, as } = await start(t);
  const cookie = `other=1; app_token=${tokenOf("alice")}`;
  const own = new URL(bound.url).origin;
  expectStatus(await get("/me", { cookie }), 200);
  expectStatus(
    await get("/me", { cookie, origin: own, "sec-fetch-site": "same-origin" }, "POST"),
    200,
  );
  expectStatus(await get("/me", { cookie }, "POST"), 200);
  // CORS decides what a page of another origin may read. The middleware decides what it may change.
  expectStatus(await get("/me", { cookie, origin: "https://evil.example" }), 200);
  const socket = { upgrade: "websocket", connection: "upgrade" };
  expectStatus(await get("/me", { cookie, ...socket, origin: "https://evil.example" }), 403);
  for (const headers of [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ]) {
    expectStatus(await get("/me", { cookie, ...headers }, "POST"), 403, JSON.stringify(headers));
    expectStatus(
      await get("/me", { ...as(tokenOf("alice")), ...headers }, "POST"),
      200,
      "a token that no browser sends by itself",
    );
  }
  expectStatus(await get("/me", { cookie: `${cookie}; app_token=x` }), 400);
  expectStatus(await get("/me", { cookie: "app_token=" }), 401);
  expectStatus(await get("/me", { cookie: `xapp_token=${tokenOf("alice")}` }), 401);
  // An invalid header is refused; the cookie is not tried instead.
  expectStatus(await get("/me", { cookie, authorization: "Bearer unknown" }), 401);
  expectStatus(await get("/me", { cookie, authorization: "Basic x" }), 401);
  // Routes that do not name a cookie accept none.
  expectStatus(await get("/reports", { cookie }), 401);
});

test("a permission is asked for by the token, so that its groups count", async (t) => {
  const { postern, get, as } = await start(t);
  const administer = async (method, path, json) => {
    const answer = await postern.send({ method, path, headers: admin, json });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  };
  const [alice, bob] = [tokenOf("alice"), tokenOf("bob")];
  const { json: user } = expectStatus(await get("/me", as(alice)), 200);
  const grant = (type, id) => ({ authObjectType: type, authObjectId: id, permissions: ["VIEW"] });
  await administer("POST", "/v1/services/1/grants", grant("USER", user.id));
  assert.equal(expectStatus(await get("/reports", as(alice)), 200).text, "Reports for alice");
  const refused = await get("/reports", as(bob));
  assert.deepEqual(refusal(refused), [
    403,
    'Bearer realm="postern", error="insufficient_scope"',
    "the user lacks the permission",
  ]);
  expectStatus(await get("/services/1", as(alice)), 200);
  expectStatus(await get("/services/2", as(alice)), 403);
  expectStatus(await get("/services/one", as(alice)), 400);

  // A group that only the token names.
  const { id: group } = await administer("POST", "/v1/groups", { name: "readers" });
  await administer("POST", "/v1/services/1/grants", grant("GROUP", group));
  await administer("POST", "/v1/token-apps", {
    name: "grouped",
    algorithm: "HS256",
    secret: "another shared secret of 32 bytes",
    claims: { username: "sub", groups: "groups" },
    groupMap: { readers: group },
  });
  const grouped = (groups) =>
    sign("another shared secret of 32 bytes", { sub: "carol", groups, exp: nowInSeconds() + 600 });
  expectStatus(await get("/reports", as(grouped(["readers"]))), 200);
  expectStatus(await get("/reports", as(grouped([]))), 403);
});

test("a permission is that of the admitted user, also if two apps take the token", async (t) => {
  const contents = `
    import { Hono } from "hono";
    import { permission, signedIn, type Postern } from "./postern";
    const app = new Hono<Postern>();
    app.get("/", signedIn({ app: "Z" }), permission(1, "VIEW"), (c) => c.text(c.var.user.username));
    export default app;`;
  const { postern, bound } = await startBound(t, { caller: bundled(t, contents) });
  const administer = async (path, json) =>
    expectStatus(await postern.send({ method: "POST", path, headers: admin, json }), 201).json;
  for (const name of ["A", "Z"])
    await administer("/v1/token-apps", {
      name,
      algorithm: "HS256",
      secret: SECRET,
      claims: { username: name.toLowerCase() },
    });
  const both = sign(SECRET, { a: "granted", z: "alice", exp: nowInSeconds() + 600 });
  const { user } = (
    await postern.send({ path: "/v1/verify?app=A", headers: { authorization: `Bearer ${both}` } })
  ).json;
  assert.equal(user.username, "granted");
  const grant = { authObjectType: "USER", authObjectId: user.id, permissions: ["VIEW"] };
  await administer("/v1/services/1/grants", grant);
  const get = (token) => bound.send({ path: "/", headers: { authorization: `Bearer ${token}` } });
  expectStatus(await get(both), 403);
  const own = sign(SECRET, { z: "granted", exp: nowInSeconds() + 600 });
  assert.equal(expectStatus(await get(own), 200).text, "granted");
  const { credential } = await signIn(postern);
  expectStatus(await get(credential["x-auth-token"]), 401, "a token of no app");
});

test("a key for machines is no user", async (t) => {
  const { postern, get, as } = await start(t);
  const made = await postern.send({
    method: "POST",
    path: "/v1/keys",
    headers: admin,
    json: { name: "asker", may: ["decisions"] },
  });
  assert.deepEqual(refusal(await get("/me", as(made.json.key))), [
    403,
    undefined,
    "a key for machines is no user",
  ]);
});

test("a Postern that breaks off a call lets nobody in", async (t) => {
  const { get, as } = await start(t, { entry: "probe" });
  for (const token of ["/panic", "/panic/later", "/trap"]) {
    const { status, json } = await get("/me", as(token));
    assert.deepEqual([status, json?.detail], [503, "Postern does not answer; try again"], token);
    expectStatus(await get("/me", as(tokenOf("alice"))), 200);
  }
});

test("a Postern without its secrets lets nobody in", async (t) => {
  const { bound } = await startBound(t, { caller: bundled(t), changes: { MASTER_KEY: null } });
  const answer = await bound.send({ path: "/me", headers: { authorization: "Bearer x" } });
  assert.equal(answer.status, 503, answer.text);
});

test("two `wrangler dev` find each other, as the example's README says", {
  timeout: 120_000,
}, async (t) => {
  const [stateDir, registry] = [stateFolder(t), stateFolder(t)];
  await applyMigrations(stateDir);
  const secrets = throwAwaySecrets();
  const config = join(example, "wrangler.toml");
  const [postern, app] = await Promise.all([
    startWorker({ stateDir, registry, bindings: secrets }),
    startWorker({ stateDir: stateFolder(t), registry, config }),
  ]);
  t.after(() => Promise.all([postern.stop(), app.stop()]));
  const credentials = { username: "admin", password: secrets.ADMIN_PASSWORD };
  const signedIn = await send(postern.url, {
    method: "POST",
    path: "/imanager/cloud/security/tokens.json",
    json: credentials,
  });
  expectStatus(signedIn, 200);
  const me = () =>
    send(app.url, { path: "/me", headers: { authorization: `Bearer ${signedIn.text}` } });
  // wrangler looks for the other Worker in the background.
  let answer = await me();
  for (
    const deadline = Date.now() + 30_000;
    answer.status === 503 && Date.now() < deadline;
    answer = await me()
  )
    await pause(200);
  assert.equal(expectStatus(answer, 200).json.username, "admin");
  expectStatus(await send(app.url, { path: "/me" }), 401);
});
