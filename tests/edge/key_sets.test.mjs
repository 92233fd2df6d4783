// Issuers that publish their keys. What the Worker fetches is answered here, by the URL: workerd takes no certificate that a test could make.

import { before, after, beforeEach, describe, it } from "node:test";
import assert from "node:assert/strict";
import * as jose from "jose";
import { admin, configuration, expectRefusal, expectStatus, registerApp, verifyBearer } from "./support/client.mjs";
import { startWorkerd } from "./support/workerd.mjs";

const MAX_SET_BYTES = 256 * 1024;

let workerd;
let postern;
/** What answers, by URL: an answer, or a function that makes one. */
let web = {};
let asked = [];

const outbound = async (request) => {
  asked.push(request.url);
  const answer = web[request.url];
  return typeof answer === "function" ? answer(request) : answer;
};

const json = (value, headers = {}) => ({ status: 200, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) });

before(async () => {
  workerd = await startWorkerd({ isolates: [{ outbound }] });
  [postern] = workerd.isolates;
});
after(() => workerd?.stop());
beforeEach(() => {
  asked = [];
});

let count = 0;

/** An app of its own, with the URL of its set: no test meets what another one fetched. */
async function issuer(algorithm) {
  count += 1;
  const { privateKey, publicKey } = await jose.generateKeyPair(algorithm, { extractable: true });
  const url = `https://issuer.test/${count}/jwks.json`;
  const { name } = await registerApp(postern, { name: `issuer ${count}`, algorithm, secret: url });
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: `key ${count}`, alg: algorithm, use: "sig" };
  const token = await new jose.SignJWT({ loginname: "alice" }).setProtectedHeader({ alg: algorithm, kid: jwk.kid }).setExpirationTime("10m").sign(privateKey);
  const verify = (one = token) =>
    postern.send({ path: `/v1/verify?app=${encodeURIComponent(name)}`, headers: { authorization: `Bearer ${one}` } });
  return { name, url, jwk, token, verify, privateKey };
}

describe("the set at an app's URL", () => {
  for (const algorithm of ["RS256", "PS384", "ES256", "ES512", "EdDSA"]) {
    it(`verifies tokens that jose signs under ${algorithm}, and is fetched once`, async () => {
      const { url, jwk, verify, token } = await issuer(algorithm);
      web = { [url]: json({ keys: [{ kty: "future" }, jwk] }, { "cache-control": "max-age=600" }) };
      for (let again = 0; again < 3; again += 1) expectStatus(await verify(), 200);
      assert.deepEqual(asked, [url]);
      const other = await issuer(algorithm);
      web = { [other.url]: json({ keys: [other.jwk] }) };
      expectRefusal(await other.verify(token), "bad_signature");
    });
  }

  it("is followed through redirects to https, and not to http", async () => {
    const one = await issuer("EdDSA");
    const to = (location) => ({ status: 302, headers: { location } });
    web = { [one.url]: to("/elsewhere/keys"), "https://issuer.test/elsewhere/keys": to("https://other.test/"), "https://other.test/": json({ keys: [one.jwk] }) };
    expectStatus(await one.verify(), 200);
    assert.deepEqual(asked, [one.url, "https://issuer.test/elsewhere/keys", "https://other.test/"]);
    for (const location of ["http://issuer.test/keys", "//user:password@issuer.test/keys", "data:application/json,{}", "file:///keys"]) {
      const other = await issuer("EdDSA");
      asked = [];
      web = { [other.url]: to(location), "http://issuer.test/keys": json({ keys: [other.jwk] }) };
      expectStatus(await other.verify(), 503, location);
      assert.deepEqual(asked, [other.url]);
    }
    const endless = await issuer("EdDSA");
    asked = [];
    web = { [endless.url]: to(endless.url) };
    expectStatus(await endless.verify(), 503);
    assert.equal(asked.length, 4);
  });

  it("is not read to its end where it is too long, declared or not", async () => {
    const one = await issuer("EdDSA");
    const body = JSON.stringify({ keys: [one.jwk], padding: "x".repeat(MAX_SET_BYTES) });
    web = { [one.url]: { status: 200, body } };
    const answer = expectStatus(await one.verify(), 503);
    assert.equal(answer.json.detail, "the token's issuer does not answer; try again");
    const other = await issuer("EdDSA");
    let chunks = 0;
    const pull = (controller) => ((chunks += 1) > 8 ? controller.close() : controller.enqueue(new Uint8Array(64 * 1024).fill(0x20)));
    web = { [other.url]: { status: 200, body: new ReadableStream({ pull }) } };
    expectStatus(await other.verify(), 503);
  });

  it("counts as silent where the answer is a failure, no JSON, or does not come within five seconds", async () => {
    const never = () => new Promise(() => {});
    const start = (controller) => controller.enqueue(new TextEncoder().encode('{"keys":['));
    const stalls = () => ({ status: 200, body: new ReadableStream({ start }) });
    const silent = async (answer) => {
      const one = await issuer("EdDSA");
      web = { ...web, [one.url]: answer };
      expectStatus(await one.verify(), 503);
    };
    await Promise.all([never, stalls, { status: 500 }, { status: 404 }, { status: 200, body: "<html>" }, { status: 204 }].map(silent));
  });

  it("serves while the issuer does not answer, and is not fetched for an unknown kid within 30 seconds", async () => {
    const one = await issuer("ES256");
    web = { [one.url]: json({ keys: [one.jwk] }, { "cache-control": "max-age=60" }) };
    expectStatus(await one.verify(), 200);
    web = {};
    const unknown = await new jose.SignJWT({ loginname: "alice" }).setProtectedHeader({ alg: "ES256", kid: "unknown" }).setExpirationTime("10m").sign(one.privateKey);
    expectRefusal(await one.verify(unknown), "bad_signature");
    expectStatus(await one.verify(), 200);
    assert.deepEqual(asked, [one.url]);
  });

  it("must be at an https URL", async () => {
    for (const secret of ["http://issuer.test/keys", "https://user@issuer.test/keys"]) {
      const json = configuration({ name: "wrong", algorithm: "RS256", secret });
      const answer = await postern.send({ method: "POST", path: "/plugin/datafor-modeler/api/token/update", headers: admin, json });
      expectStatus(answer, 400);
      assert.match(answer.json.msg, /^secret must be /);
    }
  });

  it("is not looked for where the token's header says", async () => {
    const [one, two] = [await issuer("EdDSA"), await issuer("EdDSA")];
    web = { [one.url]: json({ keys: [one.jwk] }), "https://evil.test/": json({ keys: [two.jwk] }) };
    const header = { alg: "EdDSA", kid: two.jwk.kid, jku: "https://evil.test/", jwk: two.jwk };
    const forged = await new jose.SignJWT({ loginname: "admin" }).setProtectedHeader(header).setExpirationTime("10m").sign(two.privateKey);
    expectRefusal(await one.verify(forged), "bad_signature");
    assert.deepEqual(asked, [one.url]);
    // Whoever has no candidates asks nobody.
    expectRefusal(await verifyBearer(postern, await new jose.SignJWT({}).setProtectedHeader({ alg: "PS512" }).sign((await jose.generateKeyPair("PS512")).privateKey)), "wrong_algorithm");
    assert.deepEqual(asked, [one.url]);
  });
});
