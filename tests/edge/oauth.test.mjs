// OAuth 2.0 software asks Postern. openid-client finds introspection and revocation by the
// metadata, and sends a client id and a secret that must be escaped in Basic.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as client from "openid-client";
import {
  admin,
  expectRefusal,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  verifyBearer,
} from "./support/client.mjs";
import { send } from "./support/http.mjs";
import { deployment, startWorkerd } from "./support/workerd.mjs";

const ORIGIN = "https://gate.test";

/**
 * Characters that form encoding changes: plus, percent sign, colon, slash, space and letters beyond
 * ASCII.
 */
const PASSWORD = "p%2Bss:w/rd +\u00e4&=";

const tokenOf = (loginname, more = {}) =>
  sign("abcd", { loginname, exp: nowInSeconds() + 600, ...more });

async function start(test, count = 1) {
  const bindings = deployment({ PUBLIC_ORIGIN: ORIGIN });
  const one = { entry: "observed", bindings, database: "shared", namespace: "shared" };
  const workerd = await startWorkerd({ isolates: Array.from({ length: count }, () => one) });
  test.after(() => workerd.stop());
  await registerApp(workerd.isolates[0]);
  return workerd.isolates;
}

async function administer(postern, method, path, json) {
  const answer = await postern.send({ method, path, headers: admin, json });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.json;
}

/** openid-client with Postern's public origin as the issuer. */
async function discovered(postern, id, secret) {
  const fetched = async (url, options) => {
    assert.equal(new URL(url).origin, ORIGIN);
    const { method, body } = options;
    const headers = Object.fromEntries(new Headers(options.headers));
    const path = new URL(url).pathname;
    const answer = await send(postern.url, {
      method,
      path,
      headers,
      body: body === undefined ? undefined : String(body),
    });
    return new Response(answer.text || null, {
      status: answer.status,
      headers: { "content-type": answer.headers["content-type"] ?? "" },
    });
  };
  const how = { algorithm: "oauth2", [client.customFetch]: fetched };
  return client.discovery(new URL(ORIGIN), id, undefined, client.ClientSecretBasic(secret), how);
}

test("openid-client introspects and revokes, whatever its id and secret", async (t) => {
  const [postern] = await start(t);
  const username = "svc+orders@example.com";
  await administer(postern, "POST", "/v1/users", {
    username,
    password: PASSWORD,
    type: "Administrator",
  });
  const { key } = await administer(postern, "POST", "/v1/keys", {
    name: "order service",
    may: ["administration"],
  });
  for (const [id, secret] of [
    [username, PASSWORD],
    ["order service", key],
  ]) {
    const config = await discovered(postern, id, secret);
    const { introspection_endpoint, revocation_endpoint } = config.serverMetadata();
    assert.deepEqual(
      [introspection_endpoint, revocation_endpoint],
      [`${ORIGIN}/v1/introspect`, `${ORIGIN}/v1/revoke`],
    );
    const { token: opaque } = await signIn(postern);
    const signed = tokenOf("alice", { for: id, scope: "read", jti: id });
    const told = await client.tokenIntrospection(config, signed);
    assert.deepEqual(
      [told.active, told.username, told.client_id, told.scope, told.jti],
      [true, "alice", "ERP", "read", id],
    );
    for (const token of [opaque, signed]) {
      assert.equal(
        (await client.tokenIntrospection(config, token, { token_type_hint: "access_token" }))
          .active,
        true,
      );
      await client.tokenRevocation(config, token, { token_type_hint: "access_token" });
      assert.deepEqual(await client.tokenIntrospection(config, token), { active: false });
      expectRefusal(await verifyBearer(postern, token), "revoked");
      await client.tokenRevocation(config, token);
    }
  }
});

test("openid-client is told that its secret is wrong", async (t) => {
  const [postern] = await start(t);
  const { key } = await administer(postern, "POST", "/v1/keys", {
    name: "order service",
    may: ["decisions"],
  });
  for (const [id, secret] of [
    ["another service", key],
    ["admin", "wrong + secret"],
  ]) {
    const config = await discovered(postern, id, secret);
    await assert.rejects(
      client.tokenIntrospection(config, "x"),
      ({ status, error }) => status === 401 && error === "invalid_client",
    );
  }
});

test("a revoked JWT is refused in another isolate within the bound, then without I/O", {
  timeout: 60_000,
}, async (t) => {
  const [here, there] = await start(t, 2);
  const { key } = await administer(here, "POST", "/v1/keys", { name: "asker", may: ["decisions"] });
  const asker = { authorization: `Bearer ${key}` };
  const [revoked, other] = [tokenOf("alice"), tokenOf("alice", { n: 2 })];
  const introspect = async (postern, token) =>
    expectStatus(
      await postern.send({
        method: "POST",
        path: "/v1/introspect",
        headers: asker,
        form: { token },
      }),
      200,
    ).json.active;
  for (const postern of [here, there]) {
    for (const token of [revoked, other]) {
      expectStatus(await verifyBearer(postern, token), 200);
      assert.equal(await introspect(postern, token), true);
    }
  }
  expectStatus(
    await here.send({
      method: "POST",
      path: "/v1/revoke",
      headers: admin,
      form: { token: revoked },
    }),
    200,
  );
  const begun = performance.now();
  expectRefusal(await verifyBearer(here, revoked), "revoked");
  while ((await verifyBearer(there, revoked)).status === 200) {
    assert.ok(
      performance.now() - begun < 12_000,
      "it is refused within 10 s, and 2 s for this machine",
    );
    await sleep(100);
  }
  expectRefusal(await verifyBearer(there, revoked), "revoked");
  assert.equal(await introspect(there, revoked), false);
  assert.equal(await introspect(there, other), true);
  await there.send({ path: "/testing" });
  for (let again = 0; again < 10; again += 1) {
    expectRefusal(await verifyBearer(there, revoked), "revoked");
    assert.equal(await introspect(there, revoked), false);
  }
  assert.deepEqual((await there.send({ path: "/testing" })).json, { d1: 0, kv: 0 });
});
