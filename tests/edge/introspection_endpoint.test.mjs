// Token apps whose issuer is asked about each token (RFC 7662). The test answers what the Worker
// fetches.

import assert from "node:assert/strict";
import { after, before, beforeEach, it } from "node:test";
import {
  admin,
  expectRefusal,
  expectStatus,
  nowInSeconds,
  verifyBearer,
} from "./support/client.mjs";
import { startWorkerd } from "./support/workerd.mjs";

const ENDPOINT = "https://idp.test/oauth/introspect?tenant=a";

let workerd;
let postern;
let answer;
let asked = [];

const json = (value, status = 200) => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

const active = (more = {}) => {
  const now = nowInSeconds();
  return json({
    active: true,
    token_type: "Bearer",
    username: "alice",
    aud: "gate",
    iat: now,
    exp: now + 600,
    ...more,
  });
};

const outbound = async (request) => {
  asked.push({
    url: request.url,
    method: request.method,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  });
  return typeof answer === "function" ? answer(request) : answer;
};

before(async () => {
  workerd = await startWorkerd({ isolates: [{ outbound }] });
  [postern] = workerd.isolates;
  answer = json({ active: false });
  const app = {
    name: "IdP",
    algorithm: "introspection",
    introspectionEndpoint: ENDPOINT,
    introspectionClientId: "gate: a+b",
    secret: "p%ss w/\u00e4",
    audiences: ["gate"],
    claims: { username: "username" },
  };
  const made = await postern.send({
    method: "POST",
    path: "/v1/token-apps",
    headers: admin,
    json: app,
  });
  assert.equal(expectStatus(made, 201).json.warnings, undefined);
});
after(() => workerd?.stop());
beforeEach(() => {
  asked = [];
});

let count = 0;
const token = () => `opaque+${++count}/=`;

it("lets in whom the issuer names, and asks once in ten seconds", async () => {
  answer = () => active();
  const shown = token();
  for (let again = 0; again < 5; again += 1)
    assert.equal(expectStatus(await verifyBearer(postern, shown), 200).json.user.username, "alice");
  const [{ url, method, headers, body }, ...more] = asked;
  assert.deepEqual([url, method, more.length], [ENDPOINT, "POST", 0]);
  assert.equal(headers["content-type"], "application/x-www-form-urlencoded");
  assert.equal(headers.accept, "application/json");
  const credential = Buffer.from(headers.authorization.replace("Basic ", ""), "base64").toString();
  assert.deepEqual(credential.split(":").map(decodeURIComponent), ["gate: a+b", "p%ss w/\u00e4"]);
  assert.equal(new URLSearchParams(body).get("token"), shown);
});

it("lets in nobody by an answer that is none, and follows no redirect", async () => {
  const answers = [
    { status: 302, headers: { location: "https://evil.test/introspect" } },
    { status: 307, headers: { location: "https://evil.test/introspect" } },
    {
      status: 200,
      headers: { "content-type": "text/html" },
      body: "<!doctype html><title>Sign in</title>",
    },
    active({ active: "true" }),
    json({ error: "invalid_client" }, 401),
    json({ active: true }, 201),
    json({ active: true }, 500),
    { status: 200, body: `{"active":true,"x":"${"x".repeat(300_000)}"}` },
  ];
  for (const one of answers) {
    answer = one;
    const refused = await verifyBearer(postern, token());
    expectStatus(refused, 503, JSON.stringify(one).slice(0, 100));
    assert.equal(refused.headers["retry-after"], "1");
  }
  assert.deepEqual([...new Set(asked.map(({ url }) => url))], [ENDPOINT]);
  answer = json({ active: false });
  expectRefusal(await verifyBearer(postern, token()), "revoked");
  answer = active({ username: "admin" });
  assert.equal(expectStatus(await verifyBearer(postern, token()), 403).json.reason, "user_refused");
});

it("gives up after five seconds", { timeout: 30_000 }, async () => {
  answer = () => new Promise((done) => setTimeout(done, 8_000, active()));
  const begun = performance.now();
  expectStatus(await verifyBearer(postern, token()), 503);
  const took = performance.now() - begun;
  assert.ok(took > 4_500 && took < 7_500, `${took} ms`);
});

it("asks once for many requests at once", async () => {
  answer = () => new Promise((done) => setTimeout(done, 300, active()));
  const shown = token();
  const answers = await Promise.all(Array.from({ length: 20 }, () => verifyBearer(postern, shown)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal(asked.length, 1);
});
