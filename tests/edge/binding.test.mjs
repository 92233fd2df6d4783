// Other Workers call Postern by a service binding. The answers are those of HTTP, and a refusal is
// an answer, not an exception.

import { test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { startBound } from "./support/bound.mjs";
import {
  admin,
  expectStatus,
  listUsers,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
} from "./support/client.mjs";

const SECRET = "a shared secret of thirty-two b!";
const BOUND_MS = 15_000;

const bearer = (token) => ({ authorization: `Bearer ${token}` });
const tokenOf = (loginname, claims = {}) =>
  sign(SECRET, { loginname, exp: nowInSeconds() + 600, ...claims });

async function administer(postern, method, path, json) {
  const answer = await postern.send({ method, path, headers: admin, json });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.json;
}

/** A machine key with the rights of a binding. */
const keyFor = async (postern) =>
  (await administer(postern, "POST", "/v1/keys", { name: "asker", may: ["decisions"] })).key;

/** Registers an app, alice with VIEW on the service 1, and bob without a grant. */
async function prepare(postern) {
  await registerApp(postern, { secret: SECRET });
  for (const name of ["alice", "bob"]) {
    expectStatus(await postern.send({ path: "/v1/verify", headers: bearer(tokenOf(name)) }), 200);
  }
  const users = await listUsers(postern);
  const [alice, bob] = ["alice", "bob"].map(
    (name) => users.find(({ username }) => username === name).id,
  );
  const grant = { authObjectType: "USER", authObjectId: alice, permissions: ["VIEW"] };
  await administer(postern, "POST", "/v1/services/1/grants", grant);
  return { alice, bob };
}

/** Headers of an answer that describe a failure. */
const FAILURE_HEADERS = ["www-authenticate", "retry-after", "x-postern-reason"];

test("a binding answers what the paths answer", async (t) => {
  const { postern, ask } = await startBound(t);
  const ids = await prepare(postern);
  const key = await keyFor(postern);
  const { token: opaque } = await signIn(postern);
  const alice = tokenOf("alice");
  const verify = (question, { app, ...json } = question) => [
    "verify",
    question,
    { method: "POST", path: `/v1/verify${app ? `?app=${app}` : ""}`, json },
  ];
  const checkAs =
    (credential) =>
    (question, { token: _, ...query } = question) => [
      "check",
      question,
      { path: `/v1/check?${new URLSearchParams(query)}`, headers: bearer(credential) },
    ];
  const check = checkAs(key);
  const batch = (question) => [
    "checkBatch",
    question,
    { method: "POST", path: "/v1/check/batch", headers: bearer(key), json: question },
  ];
  const one = { service: 1, permission: "VIEW", user: ids.alice };
  const table = [
    verify({ token: alice }),
    verify({ token: alice, app: "ERP" }),
    verify({ token: alice, app: "CRM" }),
    verify({ token: opaque }),
    verify({ token: key }),
    verify({ token: "" }),
    verify({ token: "no token" }),
    verify({ token: "a.b.c" }),
    verify({ token: `${alice}x` }),
    verify({ token: tokenOf("alice", { exp: nowInSeconds() - 600 }) }),
    verify({ token: tokenOf("alice", { nbf: nowInSeconds() + 600 }) }),
    verify({ token: sign("another", { loginname: "alice", exp: nowInSeconds() + 600 }) }),
    verify({ token: tokenOf("x".repeat(20_000)) }),
    verify({ token: 5 }),
    verify({ token: alice, tokne: 1 }),
    check(one),
    check({ ...one, user: ids.bob }),
    check({ ...one, user: 999_999 }),
    check({ ...one, permission: "modify" }),
    check({ service: 1, permission: "VIEW", username: "alice" }),
    check({ service: 1, permission: "VIEW", username: "bob" }),
    check({ service: 1, permission: "VIEW", username: "nobody" }),
    check({ ...one, username: "alice" }),
    check({ service: 1, permission: "VIEW" }),
    check({ ...one, permission: "SEE" }),
    check({ ...one, service: "one" }),
    check({ ...one, user: "9223372036854775808" }),
    checkAs(alice)({ service: 1, permission: "VIEW", token: alice }),
    checkAs(alice)({ service: 1, permission: "MODIFY", token: alice }),
    checkAs("a.b.c")({ service: 1, permission: "VIEW", token: "a.b.c" }),
    checkAs(key)({ service: 1, permission: "VIEW", token: key }),
    batch({
      checks: [one, { service: 1, permission: "VIEW", username: "bob" }, { ...one, service: 2 }],
    }),
    batch({ checks: Array(100).fill(one) }),
    batch({ checks: Array(101).fill(one) }),
    batch({ checks: [] }),
    batch({ checks: null }),
    batch({ checks: one }),
    batch({ checks: [one, null] }),
    batch({ checks: [one, { service: 1, permission: "VIEW" }] }),
    batch({ checks: [one, { ...one, service: "x" }] }),
    batch({ checks: [one, { ...one, user: null }] }),
    batch({ checks: [one, { ...one, users: 1 }] }),
    batch({ checks: [{ service: 1, permission: "VIEW", username: "nobody" }] }),
    batch({}),
  ];
  for (const [method, question, request] of table) {
    const [path, answer] = [await postern.send(request), await ask(method, question)];
    const what = `${method} ${JSON.stringify(question).slice(0, 200)}: ${path.status} ${path.text}`;
    const { ok, headers, ...body } = answer;
    assert.equal(ok, path.status === 200, what);
    assert.deepEqual(body, path.json, what);
    // A binding takes no passwords, so its challenges do not offer Basic.
    const withoutBasic = (value) => value.replace(/, Basic realm=.*/, "");
    const of = (all) =>
      Object.fromEntries(
        FAILURE_HEADERS.filter((name) => all[name]).map((name) => [name, withoutBasic(all[name])]),
      );
    if (ok) assert.equal(headers, undefined, what);
    else
      assert.deepEqual(
        headers,
        { ...of(path.headers), "x-request-id": headers["x-request-id"] },
        what,
      );
  }
  const statuses = await Promise.all(
    table.map(async ([method, question]) => (await ask(method, question)).status ?? 200),
  );
  for (const status of [200, 400, 401, 404])
    assert.ok(statuses.includes(status), `the table has a ${status}`);
});

test("an introspection has RFC 7662's members, and none for a refused token", async (t) => {
  const { postern, ask } = await startBound(t);
  const ids = await prepare(postern);
  await administer(postern, "POST", "/v1/token-apps", {
    name: "scoped",
    algorithm: "HS256",
    secret: "another shared secret of 32 bytes",
    claims: { username: "sub" },
    passClaims: ["scope"],
  });
  const exp = nowInSeconds() + 600;
  const introspect = async (token) => {
    const { ok, ...answer } = await ask("introspect", { token });
    assert.equal(ok, true);
    return answer;
  };
  assert.deepEqual(await introspect(tokenOf("alice", { exp })), {
    active: true,
    token_type: "Bearer",
    sub: String(ids.alice),
    username: "alice",
    client_id: "ERP",
    exp,
  });
  const scoped = await introspect(
    sign("another shared secret of 32 bytes", { sub: "carol", exp, scope: "read write" }),
  );
  assert.equal(scoped.scope, "read write", JSON.stringify(scoped));
  const { token: opaque } = await signIn(postern);
  const ofSession = await introspect(opaque);
  assert.equal(ofSession.client_id, "postern");
  assert.equal(ofSession.username, "admin");
  assert.ok(ofSession.exp > nowInSeconds());
  // A key is not a user, and opens only Postern's own endpoints.
  assert.deepEqual(await introspect(await keyFor(postern)), { active: false });

  const refused = ["", "a.b.c", "unknown", tokenOf("alice", { exp: 1 }), `${tokenOf("alice")}x`];
  for (const token of refused) assert.deepEqual(await introspect(token), { active: false });
  await administer(postern, "PATCH", `/v1/users/${ids.bob}`, { enabled: false });
  assert.deepEqual(await introspect(tokenOf("bob")), { active: false });
  for (const question of [
    {},
    { token: null },
    { token: 5 },
    { token: "x", token_type_hint: "access_token" },
  ]) {
    const { ok, status, field } = await ask("introspect", question);
    assert.deepEqual(
      [ok, status, field],
      [false, 400, question.token_type_hint ? "token_type_hint" : "token"],
    );
  }
});

test("what is no question is refused with the field's name, and never by an exception", {
  timeout: 60_000,
}, async (t) => {
  const { postern, tell, ask } = await startBound(t);
  await prepare(postern);
  const table = [
    ["verify", "nothing", "question"],
    ["verify", "itself", "token"],
    ["verify", "cyclic", "token"],
    ["verify", "function", "token"],
    ["verify", "bytes", "token"],
    ["verify", "map", "token"],
    ["verify", "headers", "token"],
    ["verify", "toJSON", "toJSON"],
    ["verify", "longToken", "question"],
    ["verify", "longName", "question"],
    ["verify", "manyMembers", "question"],
    ["verify", "loneSurrogate", "body"],
    ["introspect", "cyclic", "token"],
    ["checkBatch", "cyclicList", "checks"],
    ["checkBatch", "shared", "question"],
    ["checkBatch", "sparse", "question"],
    ["check", "date", "service"],
    // JSON would turn both of them into null.
    ["check", "notANumber", "service", "service must be a whole number"],
    ["check", "infinite", "user", "user must be a whole number"],
    ["check", "tooBigUser", "user"],
    ["check", "hugeUser", "user"],
  ];
  for (const [
    method,
    odd,
    field,
    words = field === "body" ? "body is no JSON" : `${field} `,
  ] of table) {
    const { answer, thrown } = await tell({ method, odd });
    assert.equal(thrown, undefined, `${method} ${odd}`);
    assert.deepEqual(
      [answer.ok, answer.status, answer.field],
      [false, 400, field],
      `${method} ${odd}: ${JSON.stringify(answer)}`,
    );
    assert.ok(answer.detail.startsWith(words), answer.detail);
  }
  for (const question of [
    null,
    5,
    -0,
    1e300,
    true,
    "token",
    "token=x",
    "",
    [],
    [{ token: "x" }],
    '{"token":"x"}',
  ]) {
    for (const method of ["verify", "check", "checkBatch", "introspect"]) {
      const answer = await ask(method, question);
      assert.deepEqual(
        [answer.ok, answer.status, answer.field],
        [false, 400, "question"],
        `${method} ${JSON.stringify(question)}`,
      );
    }
  }
  // A number that JavaScript has rounded is refused. The same value as a text is accepted.
  for (const user of [2 ** 53, -(2 ** 53), 2 ** 60]) {
    const answer = await ask("check", { service: 1, permission: "VIEW", user });
    assert.equal(
      answer.detail,
      "user may have been rounded by JavaScript: send a BigInt, or the digits in a string",
    );
    assert.equal(
      (await ask("checkBatch", { checks: [{ service: 1, permission: "VIEW", user }] })).field,
      "checks[0].user",
    );
    assert.equal(
      (await ask("check", { service: 1, permission: "VIEW", user: String(user) })).ok,
      true,
    );
  }
  assert.equal(
    (await ask("check", { service: 1, permission: "VIEW", user: 2 ** 53 - 1 })).ok,
    true,
  );
  assert.equal((await tell({ method: "check", odd: "bigUser" })).answer.ok, true);
  assert.equal((await tell({ method: "check", odd: "leftOut" })).answer.allowed, true);
  for (const [question, field] of [
    [{ service: 1, permission: "VIEW", token: "x", user: 2 }, "token"],
    [{ service: 1, permission: "VIEW", token: "x", username: "alice" }, "token"],
    [{ service: 1, permission: "VIEW", user: 2, app: "ERP" }, "app"],
    [{ service: 1, permission: "VIEW", userId: 2 }, "userId"],
  ]) {
    const answer = await ask("check", question);
    assert.deepEqual([answer.status, answer.field], [400, field], JSON.stringify(answer));
  }
});

test("no HTTP and no other name reaches the entrypoint", async (t) => {
  const { postern, tell } = await startBound(t);
  for (const method of ["fetch", "ask", "#ask", "scheduled", "env", "ctx", "constructor", "gate"]) {
    const { thrown } = await tell({ method, question: { token: "x" } });
    assert.ok(thrown, method);
  }
  for (const path of ["/Gate", "/Gate/verify", "/v1/gate"]) {
    expectStatus(await postern.send({ method: "POST", path, json: { token: "x" } }), 404);
  }
});

test("a first sign-in by the binding creates the user once, and calls write nothing", async (t) => {
  const { postern, tell } = await startBound(t);
  const { alice: id } = await prepare(postern);
  const state = async () => {
    const rows = (sql) => postern.tool("query", { sql });
    const [[changes], [audit], users] = await Promise.all([
      rows("SELECT COUNT(*) AS n FROM changes"),
      rows("SELECT COUNT(*) AS n FROM audit_events"),
      rows("SELECT username FROM users"),
    ]);
    return { changes: changes.n, audit: audit.n, users: users.length };
  };
  const before = await state();
  const asked = [
    { method: "verify", question: { token: tokenOf("alice") } },
    { method: "verify", question: { token: "a.b.c" } },
    { method: "introspect", question: { token: tokenOf("alice") } },
    { method: "check", question: { service: 1, permission: "VIEW", user: id } },
    { method: "check", question: { service: 7, permission: "VIEW", username: "nobody" } },
    {
      method: "checkBatch",
      question: { checks: [{ service: 1, permission: "VIEW", username: "alice" }] },
    },
  ];
  await tell({ calls: asked });
  assert.deepEqual(await state(), before, "nothing was written");

  const calls = Array.from({ length: 50 }, () => ({
    method: "verify",
    question: { token: tokenOf("newcomer") },
  }));
  const outcomes = await tell({ calls });
  const seen = new Set(outcomes.map(({ answer }) => answer?.user?.id));
  assert.equal(seen.size, 1, JSON.stringify(outcomes));
  assert.equal((await state()).users, before.users + 1);
});

test("many calls at once each get their own answer", async (t) => {
  const { postern, tell } = await startBound(t);
  const ids = await prepare(postern);
  const calls = Array.from({ length: 300 }, (_, index) => {
    const name = `user-${index % 100}`;
    if (index % 3 === 0) return { method: "verify", question: { token: tokenOf(name) } };
    if (index % 3 === 1)
      return {
        method: "check",
        question: { service: 1, permission: "VIEW", user: index % 2 ? ids.alice : ids.bob },
      };
    return { method: "verify", question: { token: `a.${index}` } };
  });
  const outcomes = await tell({ calls });
  for (const [index, { answer }] of outcomes.entries()) {
    const what = `${index}: ${JSON.stringify(outcomes[index])}`;
    if (index % 3 === 0) assert.equal(answer.user?.username, `user-${index % 100}`, what);
    else if (index % 3 === 1)
      assert.deepEqual(
        [answer.allowed, answer.user],
        index % 2 ? [true, ids.alice] : [false, ids.bob],
        what,
      );
    else assert.equal(answer.status, 401, what);
  }
});

test("what another isolate takes back, the binding refuses within 10 s", {
  timeout: 90_000,
}, async (t) => {
  const { posterns, ask } = await startBound(t, { count: 2 });
  const there = posterns[1];
  const ids = await prepare(there);
  const [revoked, ended] = [tokenOf("alice"), tokenOf("bob")];
  const asks = {
    revoked: async () => (await ask("verify", { token: revoked })).ok,
    inactive: async () => (await ask("introspect", { token: revoked })).active,
    disabled: async () => (await ask("verify", { token: ended })).ok,
    byToken: async () =>
      (
        await ask("check", {
          service: 1,
          permission: "VIEW",
          token: tokenOf("alice", { jti: "2" }),
        })
      ).allowed,
    byId: async () =>
      (await ask("check", { service: 1, permission: "VIEW", user: ids.alice })).allowed,
    byName: async () =>
      (await ask("check", { service: 1, permission: "VIEW", username: "alice" })).allowed,
  };
  for (const [what, holds] of Object.entries(asks)) assert.equal(await holds(), true, what);
  await administer(there, "POST", "/v1/revocations", { token: revoked });
  await administer(there, "PATCH", `/v1/users/${ids.bob}`, { enabled: false });
  const { items } = await administer(there, "GET", "/v1/services/1/grants");
  for (const { id } of items) await administer(there, "DELETE", `/api/v1/services/auth/${id}`);
  const deadline = Date.now() + BOUND_MS;
  for (const [what, holds] of Object.entries(asks)) {
    while (await holds()) {
      assert.ok(Date.now() < deadline, `${what} still holds`);
      await pause(100);
    }
    assert.equal(await holds(), false, what);
  }
  const { reason } = await ask("verify", { token: revoked });
  assert.equal(reason, "revoked");
});

test("a call that panics is rejected without details, and the next one is answered", async (t) => {
  const { postern, tell, ask } = await startBound(t, { entry: "probe" });
  await prepare(postern);
  for (const question of [
    "/panic",
    "/panic/later",
    "/trap",
    "/trap/later",
    "/throw",
    "/throw/later",
    "/panic",
  ]) {
    const { answer, thrown } = await tell({ method: "verify", question: { token: question } });
    assert.equal(answer, undefined, question);
    assert.doesNotMatch(thrown, /panick|probe|\.rs|wasm|unreachable/, question);
    assert.equal((await ask("verify", { token: tokenOf("alice") })).ok, true, `after ${question}`);
    expectStatus(await postern.send({ path: "/health" }), 200);
  }
});

test("without its secrets a deployment answers 503 by the binding as well", async (t) => {
  const { postern, ask } = await startBound(t, { changes: { MASTER_KEY: null } });
  const path = await postern.send({ method: "POST", path: "/v1/verify", json: { token: "x" } });
  expectStatus(path, 503);
  const { ok, headers, ...problem } = await ask("introspect", { token: "x" });
  assert.equal(ok, false);
  assert.deepEqual(problem, path.json);
  assert.ok(headers["x-request-id"]);
});
