// The assertion in X-Postern-Assertion. The example for applications checks it with jose against
// the real Worker.

import { test } from "node:test";
import assert from "node:assert/strict";
import { exportJWK, generateKeyPair } from "jose";
import { assertionsFrom } from "../../examples/check-assertion.mjs";
import { expectStatus, nowInSeconds, registerApp, sign } from "./support/client.mjs";
import { startOrigin } from "./support/origin.mjs";
import { deployment, startPostern } from "./support/workerd.mjs";

const SECRET = "a secret of thirty-two bytes, or more";
const NAME = "Alice Ünal";

const bearer = () => {
  const claims = { loginname: "alice", name: NAME, exp: nowInSeconds() + 600 };
  return { authorization: `Bearer ${sign("abcd", claims)}` };
};

const privateJwk = async () => {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  return JSON.stringify(await exportJWK(privateKey));
};

/** Starts Postern with this key in front of an origin that keeps the last headers it got. */
async function inFrontOf(t, variables) {
  const origin = await startOrigin(t);
  const bindings = deployment({ ORIGIN_URL: origin.url, ...variables });
  const postern = await startPostern(t, { bindings });
  await registerApp(postern);
  const told = async (headers = {}) => {
    expectStatus(await postern.send({ path: "/x", headers: { ...bearer(), ...headers } }), 200);
    return origin.requests.at(-1).headers["x-postern-assertion"];
  };
  const at = { postern: new URL(postern.url).origin, application: origin.url };
  return { origin, postern, told, at };
}

function isAlice(claims, { postern, application }) {
  const { iss, aud, sub, preferred_username: username, name, roles, app, iat, exp } = claims;
  assert.deepEqual([iss, aud, sub, username], [postern, application, "2", "alice"]);
  assert.deepEqual([name, roles, app], [NAME, ["SYS_Reader"], "ERP"]);
  assert.equal(exp - iat, 60);
}

test("an assertion by a private key holds by the published one", async (t) => {
  const { told, at } = await inFrontOf(t, { ORIGIN_ASSERTION_KEY: await privateJwk() });
  const assertion = await told({ "x-postern-assertion": "forged", X_POSTERN_ASSERTION: "forged" });
  isAlice(await assertionsFrom(at)(assertion), at);
  assert.equal(await told(), assertion, "it is sent again within its time");

  const refused = (change, header = assertion) =>
    assert.rejects(assertionsFrom({ ...at, ...change })(header));
  await refused({ application: "https://other.example.com" });
  await refused({ secret: SECRET });
  await refused({}, null);
  await refused({}, bearer().authorization.slice("Bearer ".length));
  const [header, , signature] = assertion.split(".");
  const claims = Buffer.from(JSON.stringify({ sub: "1" })).toString("base64url");
  await refused({}, `${header}.${claims}.${signature}`);
});

test("an assertion by a shared secret holds by that secret only", async (t) => {
  const { told, at } = await inFrontOf(t, { ORIGIN_ASSERTION_KEY: SECRET });
  const assertion = await told();
  isAlice(await assertionsFrom({ ...at, secret: SECRET })(assertion), at);
  await assert.rejects(assertionsFrom({ ...at, secret: `${SECRET}.` })(assertion));
  await assert.rejects(assertionsFrom(at)(assertion), "there is no key set");
});

test("assertions by the key that was replaced hold while it is the previous one", async (t) => {
  const [old, fresh] = [await privateJwk(), await privateJwk()];
  const before = await inFrontOf(t, { ORIGIN_ASSERTION_KEY: old });
  const assertion = await before.told();
  const after = await inFrontOf(t, {
    ORIGIN_ASSERTION_KEY: fresh,
    ORIGIN_ASSERTION_KEY_PREVIOUS: old,
  });
  const { json, headers } = expectStatus(
    await after.postern.send({ path: "/.well-known/jwks.json" }),
    200,
  );
  assert.equal(headers["cache-control"], "public, max-age=300");
  assert.equal(json.keys.length, 2);
  const { kid } = JSON.parse(Buffer.from(assertion.split(".")[0], "base64url"));
  assert.equal(json.keys[1].kid, kid);
  isAlice(await assertionsFrom(after.at)(await after.told()), after.at);
});

test("a private key whose public half is another's is a 503 that names it", async (t) => {
  const [one, other] = [JSON.parse(await privateJwk()), JSON.parse(await privateJwk())];
  const mixed = JSON.stringify({ ...one, d: other.d });
  const { postern, origin } = await inFrontOf(t, { ORIGIN_ASSERTION_KEY: mixed });
  const { json } = expectStatus(await postern.send({ path: "/x", headers: bearer() }), 503);
  assert.match(json.detail, /ORIGIN_ASSERTION_KEY/);
  assert.equal(origin.requests.length, 0);
});
