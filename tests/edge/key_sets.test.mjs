// Issuers that publish their keys. The test answers what the Worker fetches, by URL, because
// workerd accepts no certificate that a test could make.

import { before, after, beforeEach, describe, it } from "node:test";
import assert from "node:assert/strict";
import * as jose from "jose";
import {
  admin,
  configuration,
  expectRefusal,
  expectStatus,
  registerApp,
  verifyBearer,
} from "./support/client.mjs";
import { startWorkerd } from "./support/workerd.mjs";

const MAX_SET_BYTES = 256 * 1024;

let workerd;
let postern;
/** Answers by URL: an answer, or a function that makes one. */
let web = {};
let asked = [];

const outbound = async (request) => {
  asked.push(request.url);
  const answer = web[request.url];
  return typeof answer === "function" ? answer(request) : answer;
};

const json = (value, headers = {}) => ({
  status: 200,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(value),
});

before(async () => {
  workerd = await startWorkerd({ isolates: [{ outbound }] });
  [postern] = workerd.isolates;
});
after(() => workerd?.stop());
beforeEach(() => {
  asked = [];
});

let count = 0;

/** Registers an app with its own key set's URL, so that no test gets what another one fetched. */
async function issuer(algorithm) {
  // A copy for this call, because other calls increase `count` while it waits.
  const number = ++count;
  const { privateKey, publicKey } = await jose.generateKeyPair(algorithm, { extractable: true });
  const url = `https://issuer.test/${number}/jwks.json`;
  const { name } = await registerApp(postern, { name: `issuer ${number}`, algorithm, secret: url });
  // The registration also fetches, and gets no answer yet.
  asked = [];
  const jwk = {
    ...(await jose.exportJWK(publicKey)),
    kid: `key ${number}`,
    alg: algorithm,
    use: "sig",
  };
  const token = await new jose.SignJWT({ loginname: "alice" })
    .setProtectedHeader({ alg: algorithm, kid: jwk.kid })
    .setExpirationTime("10m")
    .sign(privateKey);
  const verify = (one = token) =>
    postern.send({
      path: `/v1/verify?app=${encodeURIComponent(name)}`,
      headers: { authorization: `Bearer ${one}` },
    });
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
      expectRefusal(await other.verify(token), "no_app");
    });
  }

  it("is followed through redirects to https, and not to http", async () => {
    const one = await issuer("EdDSA");
    const to = (location) => ({ status: 302, headers: { location } });
    web = {
      [one.url]: to("/elsewhere/keys"),
      "https://issuer.test/elsewhere/keys": to("https://other.test/"),
      "https://other.test/": json({ keys: [one.jwk] }),
    };
    expectStatus(await one.verify(), 200);
    assert.deepEqual(asked, [one.url, "https://issuer.test/elsewhere/keys", "https://other.test/"]);
    for (const location of [
      "http://issuer.test/keys",
      "//user:password@issuer.test/keys",
      "data:application/json,{}",
      "file:///keys",
    ]) {
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
    const pull = (controller) =>
      ++chunks > 8 ? controller.close() : controller.enqueue(new Uint8Array(64 * 1024).fill(0x20));
    web = { [other.url]: { status: 200, body: new ReadableStream({ pull }) } };
    expectStatus(await other.verify(), 503);
  });

  it("is down if it answers with a failure, with no JSON, or not within five seconds", async () => {
    const never = () => new Promise(() => {});
    const start = (controller) => controller.enqueue(new TextEncoder().encode('{"keys":['));
    const stalls = () => ({ status: 200, body: new ReadableStream({ start }) });
    const silent = async (answer) => {
      const one = await issuer("EdDSA");
      web = { ...web, [one.url]: answer };
      expectStatus(await one.verify(), 503);
    };
    await Promise.all(
      [
        never,
        stalls,
        { status: 500 },
        { status: 404 },
        { status: 200, body: "<html>" },
        { status: 204 },
      ].map(silent),
    );
  });

  it("serves while its issuer is down, and is not fetched for unknown kids in 10 s", async () => {
    const one = await issuer("ES256");
    web = { [one.url]: json({ keys: [one.jwk] }, { "cache-control": "max-age=60" }) };
    expectStatus(await one.verify(), 200);
    web = {};
    const unknown = await new jose.SignJWT({ loginname: "alice" })
      .setProtectedHeader({ alg: "ES256", kid: "unknown" })
      .setExpirationTime("10m")
      .sign(one.privateKey);
    const answer = expectStatus(await one.verify(unknown), 503);
    assert.match(answer.headers["retry-after"], /^([1-9]|10)$/);
    assert.equal(
      answer.json.detail,
      "the token names a key that its issuer did not have a moment ago; try again",
    );
    expectStatus(await one.verify(), 200);
    assert.deepEqual(asked, [one.url]);
  });

  it("is asked for with a User-Agent, and as JSON", async () => {
    const one = await issuer("EdDSA");
    let headers;
    web = {
      [one.url]: (request) => {
        headers = request.headers;
        return json({ keys: [one.jwk] });
      },
    };
    expectStatus(await one.verify(), 200);
    assert.match(headers.get("user-agent"), /^Postern\/\d+\.\d+\.\d+/);
    assert.equal(headers.get("accept"), "application/jwk-set+json, application/json");
  });

  it("must be at an https URL", async () => {
    for (const secret of ["http://issuer.test/keys", "https://user@issuer.test/keys"]) {
      const json = configuration({ name: "wrong", algorithm: "RS256", secret });
      const answer = await postern.send({
        method: "POST",
        path: "/plugin/datafor-modeler/api/token/update",
        headers: admin,
        json,
      });
      expectStatus(answer, 400);
      assert.match(answer.json.msg, /^secret must be /);
    }
  });

  it("is not looked for where the token's header says", async () => {
    const [one, two] = [await issuer("EdDSA"), await issuer("EdDSA")];
    web = { [one.url]: json({ keys: [one.jwk] }), "https://evil.test/": json({ keys: [two.jwk] }) };
    const header = { alg: "EdDSA", kid: two.jwk.kid, jku: "https://evil.test/", jwk: two.jwk };
    const forged = await new jose.SignJWT({ loginname: "admin" })
      .setProtectedHeader(header)
      .setExpirationTime("10m")
      .sign(two.privateKey);
    expectRefusal(await one.verify(forged), "no_app");
    assert.deepEqual(asked, [one.url]);
    // A token without candidate apps causes no fetch.
    expectRefusal(
      await verifyBearer(
        postern,
        await new jose.SignJWT({})
          .setProtectedHeader({ alg: "PS512" })
          .sign((await jose.generateKeyPair("PS512")).privateKey),
      ),
      "wrong_algorithm",
    );
    assert.deepEqual(asked, [one.url]);
  });
});

describe("requests that need a set which is being fetched", () => {
  /** Answers after a while. */
  const after = (milliseconds, answer) => () =>
    new Promise((done) => setTimeout(() => done(answer), milliseconds));

  it("wait for it: forty tokens at once on a cold isolate cause one fetch", async () => {
    for (const algorithm of ["RS256", "EdDSA"]) {
      const one = await issuer(algorithm);
      asked = [];
      web = { [one.url]: after(300, json({ keys: [one.jwk] })) };
      const answers = await Promise.all(Array.from({ length: 40 }, () => one.verify()));
      assert.deepEqual(
        answers.map(({ status }) => status),
        Array.from({ length: 40 }, () => 200),
      );
      assert.deepEqual(asked, [one.url]);
    }
  });

  it("are answered when the client whose request began the fetch goes away", async () => {
    const one = await issuer("EdDSA");
    // Creates the user, and loads the app into the isolate's memory.
    web = { [one.url]: after(700, json({ keys: [one.jwk] })) };
    const cancelled = new AbortController();
    const headers = { authorization: `Bearer ${one.token}` };
    const url = new URL(`/v1/verify?app=${encodeURIComponent(one.name)}`, postern.url);
    const first = fetch(url, { headers, signal: cancelled.signal }).then(
      () => assert.fail("it was answered"),
      (error) => assert.equal(error.name, "AbortError"),
    );
    while (!asked.includes(one.url)) await new Promise((done) => setTimeout(done, 10));
    const begun = performance.now();
    const waiting = Array.from({ length: 5 }, () => one.verify());
    await new Promise((done) => setTimeout(done, 100));
    cancelled.abort();
    await first;
    for (const answer of await Promise.all([...waiting, one.verify()])) expectStatus(answer, 200);
    assert.deepEqual(asked, [one.url]);
    assert.ok(performance.now() - begun < 4000, "nobody had to wait until the fetch was given up");
  });

  it("must come back while an issuer is down, and are accepted when it answers", async () => {
    const one = await issuer("EdDSA");
    web = { [one.url]: () => new Promise(() => {}) };
    const answers = await Promise.all(Array.from({ length: 10 }, () => one.verify()));
    for (const answer of answers) {
      assert.equal(
        expectStatus(answer, 503).json.detail,
        "the token's issuer does not answer; try again",
      );
      assert.match(answer.headers["retry-after"], /^[1-5]$/);
    }
    assert.deepEqual(asked, [one.url]);
    web = { [one.url]: json({ keys: [one.jwk] }) };
    await new Promise((done) => setTimeout(done, 1000 * Number(answers[0].headers["retry-after"])));
    expectStatus(await one.verify(), 200);
  });

  it("accept a new key within ten seconds, whatever key ids others invent", async () => {
    const one = await issuer("EdDSA");
    const { privateKey, publicKey } = await jose.generateKeyPair("EdDSA", { extractable: true });
    const fresh = { ...(await jose.exportJWK(publicKey)), kid: "fresh" };
    const signed = (kid, key) =>
      new jose.SignJWT({ loginname: "alice" })
        .setProtectedHeader({ alg: "EdDSA", kid })
        .setExpirationTime("10m")
        .sign(key);
    web = { [one.url]: json({ keys: [one.jwk] }, { "cache-control": "max-age=3600" }) };
    expectStatus(await one.verify(), 200);
    web = { [one.url]: json({ keys: [one.jwk, fresh] }, { "cache-control": "max-age=3600" }) };
    const [rotated, good] = [performance.now(), await signed("fresh", privateKey)];
    const madeUp = await Promise.all(
      Array.from({ length: 1000 }, (_, number) => signed(`made up ${number}`, one.privateKey)),
    );
    let answer;
    do {
      const noise = await Promise.all(madeUp.splice(0, 20).map((token) => one.verify(token)));
      for (const { status } of noise) assert.ok(status === 503 || status === 401, String(status));
      expectStatus(await one.verify(), 200);
      answer = await one.verify(good);
      if (answer.status !== 200) {
        assert.ok(Number(expectStatus(answer, 503).headers["retry-after"]) <= 10);
        await new Promise((done) => setTimeout(done, 200));
      }
    } while (answer.status !== 200);
    const seconds = (performance.now() - rotated) / 1000;
    assert.ok(seconds < 11, `${seconds} s`);
    assert.equal(asked.filter((url) => url === one.url).length, 2);
  });
});
