// What a verification costs: nothing when warm, and one round trip when cold. An entry that only
// tests use counts the calls.

import { test } from "node:test";
import assert from "node:assert/strict";
import * as jose from "jose";
import {
  admin,
  expectStatus,
  nowInSeconds,
  registerApp,
  sessionOf,
  sign,
  signIn,
  signInBrowser,
  verifyBearer,
  verifyParameter,
} from "./support/client.mjs";
import { startIsolates } from "./support/workerd.mjs";

const callsSince = async (isolate) => (await isolate.send({ path: "/testing" })).json;

/**
 * Asks twice in an isolate that has seen no request. Another isolate has created everything that
 * the request needs.
 */
async function coldAndWarm(test, prepare, changes = {}) {
  const [writer, cold] = await startIsolates(test, 2, { entry: "observed", changes });
  const ask = await prepare(writer);
  expectStatus(await ask(writer), 200);
  assert.ok((await callsSince(writer)).d1 > 0, "what the writer did was counted");

  assert.deepEqual(await callsSince(cold), { d1: 0, kv: 0 });
  expectStatus(await ask(cold), 200);
  assert.deepEqual(
    await callsSince(cold),
    { d1: 1, kv: 0 },
    "a cold verification is one round trip to D1",
  );
  for (let again = 0; again < 10; again += 1) expectStatus(await ask(cold), 200);
  assert.deepEqual(
    await callsSince(cold),
    { d1: 0, kv: 0 },
    "a warm verification reads and writes nothing",
  );
}

const token = () => sign("abcd", { loginname: "alice", exp: nowInSeconds() + 600 });

test("a token in a parameter costs one round trip when cold and none when warm", (test) =>
  coldAndWarm(test, async (writer) => {
    await registerApp(writer);
    return (isolate) => verifyParameter(isolate, token());
  }));

test("a token app's token as a Bearer costs one round trip when cold and none when warm", (test) =>
  coldAndWarm(test, async (writer) => {
    await registerApp(writer);
    return (isolate) => verifyBearer(isolate, token());
  }));

test("a token by a public key costs one round trip when cold and none when warm", (test) =>
  coldAndWarm(test, async (writer) => {
    const { privateKey, publicKey } = await jose.generateKeyPair("ES256", { extractable: true });
    await registerApp(writer, { algorithm: "ES256", secret: await jose.exportSPKI(publicKey) });
    const token = await new jose.SignJWT({ loginname: "alice" })
      .setProtectedHeader({ alg: "ES256" })
      .setExpirationTime("10m")
      .sign(privateKey);
    return (isolate) => verifyBearer(isolate, token);
  }));

test("a token at forward-auth costs one round trip when cold and none when warm", (test) =>
  coldAndWarm(test, async (writer) => {
    await registerApp(writer);
    return (isolate) =>
      isolate.send({
        path: "/v1/forward-auth",
        headers: { "x-forwarded-uri": `/some/page?a=b&token=${token()}` },
      });
  }));

test("an opaque token costs one round trip when cold and none when warm", (test) =>
  coldAndWarm(test, async (writer) => {
    const { token } = await signIn(writer);
    return (isolate) => verifyBearer(isolate, token);
  }));

test("a session by a password costs one round trip when cold and none when warm", (test) =>
  coldAndWarm(
    test,
    async (writer) => {
      const cookie = await signInBrowser(writer);
      return (isolate) => isolate.send({ path: "/v1/verify", headers: { cookie } });
    },
    { LOGIN_URL: "password" },
  ));

test("a session by a token costs one round trip when cold and none when warm", (test) =>
  coldAndWarm(test, async (writer) => {
    await registerApp(writer);
    const page = { "x-forwarded-uri": `/page?token=${token()}`, "sec-fetch-mode": "navigate" };
    const cookie = sessionOf(
      expectStatus(await writer.send({ path: "/v1/forward-auth", headers: page }), 200),
    );
    return (isolate) =>
      isolate.send({
        path: "/v1/forward-auth",
        headers: { "x-forwarded-uri": "/style.css", cookie },
      });
  }));

test("a password that was right a moment ago costs no round trip", async (test) => {
  const [isolate] = await startIsolates(test, 1, { entry: "observed" });
  const ask = async () =>
    expectStatus(await isolate.send({ path: "/v1/verify", headers: admin }), 200);
  // The first request creates the administrator, which changes the user. The second one is cached.
  await ask();
  await ask();
  await callsSince(isolate);
  await ask();
  assert.deepEqual(await callsSince(isolate), { d1: 0, kv: 0 });
});

test("a refused token costs no round trip when warm, whoever it claims to be", async (test) => {
  const [isolate] = await startIsolates(test, 1, { entry: "observed" });
  await registerApp(isolate);
  expectStatus(await verifyBearer(isolate, token()), 200);
  await callsSince(isolate);
  for (const username of ["alice", "nobody-yet"]) {
    const forged = sign("wrong", { loginname: username, exp: nowInSeconds() + 600 });
    expectStatus(await verifyBearer(isolate, forged), 401);
  }
  assert.deepEqual(await callsSince(isolate), { d1: 0, kv: 0 });
});

test("a reading is tried three times if D1 fails at once, once if it fails late", async (test) => {
  const isolates = await startIsolates(test, 2, { entry: "observed" });
  for (const [index, [d1, tries]] of [
    ["down", 3],
    ["late", 1],
  ].entries()) {
    const isolate = isolates[index];
    expectStatus(await isolate.send({ method: "POST", path: "/testing", json: { d1 } }), 204);
    expectStatus(await verifyBearer(isolate, token()), 503);
    assert.equal((await callsSince(isolate)).d1, tries, d1);
  }
});
