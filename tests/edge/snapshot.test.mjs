// The snapshot in KV. The scheduled event writes and seals it, and verification uses it while D1
// does not answer.

import { test } from "node:test";
import assert from "node:assert/strict";
import {
  admin,
  configuration,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  verifyBearer,
  verifyParameter,
} from "./support/client.mjs";
import { startPostern, stateFolder } from "./support/workerd.mjs";

const APP = "ERP of the snapshot";
const SECRET = "distinctive secret of the snapshot's app";

const token = (claims = {}) =>
  sign(SECRET, { loginname: "alice", exp: nowInSeconds() + 600, ...claims });

const setStates = async (isolate, json) =>
  expectStatus(await isolate.send({ method: "POST", path: "/testing", json }), 204);

const SHARED = { database: "shared", namespace: "shared" };

/**
 * A state with an app, the users alice, root (an administrator) and mallory (disabled), and a
 * snapshot of them.
 */
async function withSnapshot(test) {
  const folder = stateFolder(test);
  const postern = await startPostern(test, { ...SHARED, folder });
  const create = async (json) =>
    expectStatus(
      await postern.send({ method: "POST", path: "/v1/users", headers: admin, json }),
      201,
    );
  await registerApp(postern, { name: APP, secret: SECRET, speaks_for: "everybody" });
  const { token: opaque } = await signIn(postern);
  expectStatus(await verifyBearer(postern, token()), 200);
  await create({ username: "root", type: "Administrator" });
  const last = await create({ username: "mallory", enabled: false });
  const revocation = { token: token({ jti: "revoked" }) };
  expectStatus(
    await postern.send({ method: "POST", path: "/v1/revocations", json: revocation }),
    204,
  );
  assert.equal((await postern.scheduled()).outcome, "ok");
  const records = await postern.records();
  await postern.stop();
  return {
    folder,
    bindings: postern.bindings,
    opaque,
    records,
    revoked: revocation.token,
    bookmark: last.headers["x-postern-bookmark"],
  };
}

/** A new isolate on that state. Its D1 and KV are in these states before its first request. */
async function restarted(test, { folder, bindings }, states, changes = {}) {
  const one = {
    ...SHARED,
    folder,
    migrate: false,
    entry: "observed",
    bindings: { ...bindings, ...changes },
  };
  const postern = await startPostern(test, one);
  await setStates(postern, states);
  return postern;
}

test("the scheduled event writes a sealed record and a note about it", async (test) => {
  const { records, bindings } = await withSnapshot(test);
  assert.deepEqual(records.map(({ name }) => name).sort(), [
    "trust/renewed/v2",
    "trust/snapshot/v2",
  ]);
  const { expiration, value: record } = records.find(({ name }) => name === "trust/snapshot/v2");
  const note = records.find(({ name }) => name === "trust/renewed/v2").value;
  assert.ok(note.startsWith("v1.") && note.length < 500, note);
  assert.ok(expiration > nowInSeconds(), "it vanishes by itself");
  assert.ok(record.length > 500, `the record has only ${record.length} characters`);
  for (const word of [SECRET, APP, "alice", "loginname", bindings.MASTER_KEY]) {
    const encoded = Buffer.from(word)
      .toString("base64")
      .replace(/..?=*$/, "");
    assert.ok(!record.includes(word) && !record.includes(encoded), `the record shows ${word}`);
  }
});

test("without D1, known users verify from the snapshot, and writes are 503", async (test) => {
  const state = await withSnapshot(test);
  const postern = await restarted(test, state, { d1: "down" });

  for (const verify of [verifyBearer, verifyParameter]) {
    const { json } = expectStatus(await verify(postern, token()), 200);
    assert.equal(json.app, APP);
    assert.equal(json.user.username, "alice");
  }
  expectStatus(
    await verifyBearer(postern, sign("wrong", { loginname: "alice", exp: nowInSeconds() + 600 })),
    401,
  );
  expectStatus(await verifyBearer(postern, token({ exp: nowInSeconds() - 600 })), 401);
  expectStatus(await verifyBearer(postern, token({ loginname: "mallory" })), 403);
  assert.equal(
    expectStatus(await verifyBearer(postern, state.revoked), 401).json.reason,
    "revoked",
  );

  // Nobody can judge these tokens: the users are not in the snapshot, and D1 does not answer.
  expectStatus(await verifyBearer(postern, token({ loginname: "newcomer" })), 503);
  expectStatus(await verifyBearer(postern, state.opaque), 503);
  expectStatus(await postern.send({ path: "/v1/verify", headers: admin }), 503);

  const rootCredential = { authorization: `Bearer ${token({ loginname: "root" })}` };
  expectStatus(await postern.send({ path: "/v1/verify", headers: rootCredential }), 200);
  const path = "/plugin/datafor-modeler/api/token/update";
  const write = expectStatus(
    await postern.send({
      method: "POST",
      path,
      headers: rootCredential,
      json: configuration({ name: "CRM" }),
    }),
    503,
  );
  assert.equal(write.json.success, false);
  assert.equal(write.json.code, "503");
  const user = await postern.send({
    method: "POST",
    path: "/v1/users",
    headers: rootCredential,
    json: { username: "bob" },
  });
  assert.equal(expectStatus(user, 503).headers["content-type"], "application/problem+json");
  const account = { username: "admin", password: state.bindings.ADMIN_PASSWORD };
  expectStatus(
    await postern.send({
      method: "POST",
      path: "/imanager/cloud/security/tokens.json",
      json: account,
    }),
    503,
  );

  const health = expectStatus(await postern.send({ path: "/health" }), 200);
  const { version, ...told } = health.json;
  assert.match(version, /^\d+\.\d+\.\d+$/);
  const bound = { stalenessS: 10, sharedCache: "unknown" };
  assert.deepEqual(told, { status: "degraded", d1: "down", kv: "ok", ...bound });
});

test("without D1, what changed since the record was written is in force", async (test) => {
  const { folder, bindings, records } = await withSnapshot(test);
  const before = await restarted(test, { folder, bindings }, {});
  const { json } = expectStatus(
    await before.send({ path: "/v1/users?username=alice", headers: admin }),
    200,
  );
  const path = `/v1/users/${json.items[0].id}`;
  expectStatus(
    await before.send({ method: "PATCH", path, headers: admin, json: { enabled: false } }),
    200,
  );
  expectStatus(await verifyBearer(before, token({ loginname: "newcomer" })), 200);
  assert.equal((await before.scheduled()).outcome, "ok");
  const record = (of) => of.find(({ name }) => name === "trust/snapshot/v2").value;
  const after = await before.records();
  assert.equal(record(after), record(records), "the record is the same");
  assert.ok(
    after.find(({ name }) => name === "trust/changes/v2").value.length < record(records).length,
  );
  await before.stop();

  const postern = await restarted(test, { folder, bindings }, { d1: "down" });
  expectStatus(await verifyBearer(postern, token()), 403);
  expectStatus(await verifyBearer(postern, token({ loginname: "newcomer" })), 200);
  expectStatus(await verifyBearer(postern, token({ loginname: "root" })), 200);
});

test("when D1 answers again, everything works without a restart", async (test) => {
  const state = await withSnapshot(test);
  const postern = await restarted(test, state, { d1: "down" });
  expectStatus(await verifyBearer(postern, token({ loginname: "newcomer" })), 503);
  await setStates(postern, {});
  // A bookmark makes the request read D1 itself, also during the pause of 2 s after a failure.
  const headers = {
    authorization: `Bearer ${token({ loginname: "newcomer" })}`,
    "x-postern-bookmark": state.bookmark,
  };
  expectStatus(await postern.send({ path: "/v1/verify", headers }), 200);
  expectStatus(await verifyBearer(postern, token({ loginname: "newcomer" })), 200);
});

test("without D1, a snapshot older than STALE_IF_ERROR_S is not used", async (test) => {
  const postern = await restarted(
    test,
    await withSnapshot(test),
    { d1: "down" },
    { STALE_IF_ERROR_S: "0" },
  );
  expectStatus(await verifyBearer(postern, token()), 503);
  assert.equal(expectStatus(await postern.send({ path: "/health" }), 503).json.status, "down");
});

test("without D1 and without KV, verification fails closed", async (test) => {
  const postern = await restarted(test, await withSnapshot(test), { d1: "down", kv: "down" });
  expectStatus(await verifyBearer(postern, token()), 503);
  assert.equal(expectStatus(await postern.send({ path: "/health" }), 503).json.status, "down");
});

test("without KV nothing changes for callers", async (test) => {
  const state = await withSnapshot(test);
  const postern = await restarted(test, state, { kv: "down" });
  expectStatus(await verifyBearer(postern, token()), 200);
  expectStatus(await verifyBearer(postern, state.opaque), 200);
  expectStatus(await verifyBearer(postern, token({ loginname: "newcomer" })), 200);
  await registerApp(postern, { name: "CRM" });
  await signIn(postern);
  const health = expectStatus(await postern.send({ path: "/health" }), 200);
  assert.equal(health.json.status, "degraded");
  assert.equal(health.json.kv, "down");
});

test("a warm isolate goes on with its memory when D1 and KV are lost", async (test) => {
  const state = await withSnapshot(test);
  const postern = await restarted(test, state, {});
  const rootCredential = { authorization: `Bearer ${token({ loginname: "root" })}` };
  expectStatus(await postern.send({ path: "/v1/verify", headers: rootCredential }), 200);
  expectStatus(await verifyBearer(postern, token()), 200);
  expectStatus(await verifyBearer(postern, state.opaque), 200);
  assert.equal(
    expectStatus(await verifyBearer(postern, state.revoked), 401).json.reason,
    "revoked",
  );
  await setStates(postern, { d1: "down", kv: "down" });
  // Nobody knows whether this write took effect, so memory counts as expired. What follows does not
  // use the fast path any more.
  const json = { username: "bob" };
  expectStatus(
    await postern.send({ method: "POST", path: "/v1/users", headers: rootCredential, json }),
    503,
  );
  expectStatus(await verifyBearer(postern, token()), 200);
  expectStatus(await verifyBearer(postern, state.opaque), 200);
  assert.equal(
    expectStatus(await verifyBearer(postern, state.revoked), 401).json.reason,
    "revoked",
  );
  expectStatus(await verifyBearer(postern, token({ loginname: "newcomer" })), 503);
});
