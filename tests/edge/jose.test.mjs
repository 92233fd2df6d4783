// Interop with jose, an independent implementation of JOSE, both ways; and forgeries that it makes.

import { before, after, describe, it } from "node:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as jose from "jose";
import { admin, expectRefusal, expectStatus, nowInSeconds, registerApp, verifyBearer, verifyParameter } from "./support/client.mjs";
import { startWorkerd } from "./support/workerd.mjs";

const HASH_BYTES = { HS256: 32, HS384: 48, HS512: 64 };

/** A secret of printable characters, as long as the hash: RFC 7518, 3.2. */
const secretFor = (algorithm) => randomBytes(HASH_BYTES[algorithm]).toString("base64url").slice(0, HASH_BYTES[algorithm]);

const keyOf = (secret) => new TextEncoder().encode(secret);

const signedBy = (secret, algorithm, claims = {}) =>
  new jose.SignJWT({ loginname: "alice", name: "Alice Ünal", email: "alice@example.com", ...claims })
    .setProtectedHeader({ alg: algorithm, typ: "JWT" })
    .setIssuedAt();

let workerd;
let postern;
const apps = {};

before(async () => {
  workerd = await startWorkerd();
  [postern] = workerd.isolates;
  for (const algorithm of Object.keys(HASH_BYTES)) {
    apps[algorithm] = await registerApp(postern, { name: `app ${algorithm}`, algorithm, secret: secretFor(algorithm), expire: 3600 });
  }
});
after(() => workerd?.stop());

describe("a token that jose signs", () => {
  for (const algorithm of Object.keys(HASH_BYTES)) {
    it(`with ${algorithm} is verified, as a Bearer and in a parameter`, async () => {
      const { name, secret } = apps[algorithm];
      const exp = nowInSeconds() + 600;
      const token = await signedBy(secret, algorithm).setExpirationTime(exp).sign(keyOf(secret));
      for (const verify of [verifyBearer, verifyParameter]) {
        const { json } = expectStatus(await verify(postern, token), 200);
        assert.equal(json.active, true);
        assert.equal(json.kind, "jwt");
        assert.equal(json.app, name);
        assert.equal(json.expiresAt, exp);
        assert.equal(json.user.username, "alice");
        assert.equal(json.user.name, "Alice Ünal");
        assert.equal(json.user.email, "alice@example.com");
      }
    });
  }
});

describe("a token that the generate endpoint signs", () => {
  for (const algorithm of Object.keys(HASH_BYTES)) {
    it(`with ${algorithm} is verified by jose, with the documented header and claims`, async () => {
      const { name, secret, expire } = apps[algorithm];
      const payload = { username: "bob", name: "Bob", email: "bob@example.com", roles: ["A", "B"], age: 42 };
      const path = "/plugin/datafor-modeler/api/token/generate";
      const earliest = nowInSeconds();
      const answer = await postern.send({ method: "POST", path, headers: admin, json: { name, privateKey: secret, payload } });
      expectStatus(answer, 200);
      assert.deepEqual(Object.keys(answer.json).sort(), ["expire", "success", "token"]);
      assert.equal(answer.json.success, true);
      assert.equal(answer.json.expire, expire);

      const verified = await jose.jwtVerify(answer.json.token, keyOf(secret), { algorithms: [algorithm] });
      assert.equal(Buffer.from(answer.json.token.split(".")[0], "base64url").toString(), `{"typ":"JWT","alg":"${algorithm}"}`);
      const { iat, exp, ...claims } = verified.payload;
      assert.deepEqual(claims, { loginname: "bob", name: "Bob", email: "bob@example.com", roles: ["A", "B"], age: "42" });
      assert.ok(iat >= earliest && iat <= nowInSeconds(), `iat ${iat}`);
      assert.equal(exp, iat + expire);

      const back = expectStatus(await verifyParameter(postern, answer.json.token), 200);
      assert.equal(back.json.user.username, "bob");
    });
  }

  it("is refused by jose under another secret", async () => {
    const { name, secret } = apps.HS256;
    const json = { name, privateKey: secret, payload: { username: "bob" } };
    const answer = await postern.send({ method: "POST", path: "/plugin/datafor-modeler/api/token/generate", headers: admin, json });
    await assert.rejects(jose.jwtVerify(answer.json.token, keyOf(secretFor("HS256"))), jose.errors.JWSSignatureVerificationFailed);
  });
});

describe("a forgery", () => {
  const refused = async (token, reason) => {
    expectRefusal(await verifyBearer(postern, token), reason);
    expectRefusal(await verifyParameter(postern, token), reason);
  };
  const good = () => signedBy(apps.HS256.secret, "HS256").setExpirationTime("10m").sign(keyOf(apps.HS256.secret));

  it("would be taken if nothing were wrong with it", async () => {
    expectStatus(await verifyBearer(postern, await good()), 200);
  });

  it("under another secret is refused", async () => {
    const other = secretFor("HS256");
    await refused(await signedBy(other, "HS256").setExpirationTime("10m").sign(keyOf(other)), "bad_signature");
  });

  it("under the secret of an app with another algorithm is refused", async () => {
    const { secret } = apps.HS512;
    await refused(await signedBy(secret, "HS256").setExpirationTime("10m").sign(keyOf(secret)), "bad_signature");
  });

  it("of one app shown as another's is refused", async () => {
    const answer = await postern.send({ path: `/v1/verify?token=${await good()}&app=app%20HS512` });
    expectRefusal(answer, "unknown_app");
  });

  it("that is unsecured is refused", async () => {
    const unsecured = new jose.UnsecuredJWT({ loginname: "alice" }).setExpirationTime("10m").encode();
    await refused(unsecured, "malformed");
    const [, claims, signature] = (await good()).split(".");
    for (const alg of ["none", "None", "nOnE", "NONE"]) {
      const header = jose.base64url.encode(JSON.stringify({ alg }));
      await refused(`${header}.${claims}.`, "malformed");
      await refused(`${header}.${claims}.${signature}`, "malformed");
    }
  });

  it("signed with RS256 is refused where apps have secrets", async () => {
    const { privateKey } = await jose.generateKeyPair("RS256");
    const token = await signedBy(undefined, "RS256").setExpirationTime("10m").sign(privateKey);
    await refused(token, "unknown_app");
  });

  it("that has expired is refused, leeway included", async () => {
    const { secret } = apps.HS256;
    await refused(await signedBy(secret, "HS256").setExpirationTime(nowInSeconds() - 61).sign(keyOf(secret)), "expired");
    const within = await signedBy(secret, "HS256").setExpirationTime(nowInSeconds() - 10).sign(keyOf(secret));
    expectStatus(await verifyBearer(postern, within), 200);
  });

  it("that was issued longer ago than its app allows is refused, whatever exp says", async () => {
    const { secret, expire } = apps.HS256;
    const token = signedBy(secret, "HS256").setIssuedAt(nowInSeconds() - expire - 61).setExpirationTime("10m");
    await refused(await token.sign(keyOf(secret)), "expired");
  });

  it("that is not valid yet is refused", async () => {
    const { secret } = apps.HS256;
    const ahead = () => signedBy(secret, "HS256").setExpirationTime("10m");
    await refused(await ahead().setNotBefore(nowInSeconds() + 300).sign(keyOf(secret)), "not_yet_valid");
    await refused(await ahead().setIssuedAt(nowInSeconds() + 300).sign(keyOf(secret)), "not_yet_valid");
  });

  it("with an unknown crit is refused, though its signature is right", async () => {
    const { secret } = apps.HS256;
    const token = await new jose.SignJWT({ loginname: "alice" })
      .setExpirationTime("10m")
      .setProtectedHeader({ alg: "HS256", crit: ["urn:example:rule"], "urn:example:rule": true })
      .sign(keyOf(secret), { crit: { "urn:example:rule": true } });
    await refused(token, "malformed");
  });

  it("with an unencoded payload (RFC 7797) is refused", async () => {
    const { secret } = apps.HS256;
    const claims = JSON.stringify({ loginname: "alice", exp: nowInSeconds() + 600 });
    const jws = await new jose.FlattenedSign(keyOf(claims)).setProtectedHeader({ alg: "HS256", b64: false, crit: ["b64"] }).sign(keyOf(secret));
    const token = [jws.protected, jose.base64url.encode(claims), jws.signature].join(".");
    await refused(token, "malformed");
  });

  it("with changed claims is refused", async () => {
    const [header, claims, signature] = (await good()).split(".");
    const changed = { ...jose.decodeJwt(`${header}.${claims}.${signature}`), loginname: "admin" };
    await refused([header, jose.base64url.encode(JSON.stringify(changed)), signature].join("."), "bad_signature");
  });

  it("with a single changed bit anywhere in its signature is refused", async () => {
    const [header, claims, signature] = (await good()).split(".");
    const bytes = Buffer.from(signature, "base64url");
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Buffer.from(bytes);
      changed[index] ^= 1 << index % 8;
      expectRefusal(await verifyBearer(postern, [header, claims, changed.toString("base64url")].join(".")), "bad_signature");
    }
  });

  it("with a shortened or lengthened signature is refused", async () => {
    const [header, claims, signature] = (await good()).split(".");
    const bytes = Buffer.from(signature, "base64url");
    for (const changed of [bytes.subarray(0, 31), bytes.subarray(0, 16), Buffer.concat([bytes, bytes])]) {
      expectRefusal(await verifyBearer(postern, [header, claims, changed.toString("base64url")].join(".")), "bad_signature");
    }
    expectRefusal(await verifyBearer(postern, `${header}.${claims}.`), "bad_signature");
  });

  it("that is encrypted, and so has five parts, is refused", async () => {
    const { secret } = apps.HS256;
    const token = await new jose.EncryptJWT({ loginname: "alice" })
      .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
      .setExpirationTime("10m")
      .encrypt(keyOf(secret));
    assert.equal(token.split(".").length, 5);
    await refused(token, "malformed");
  });
});
