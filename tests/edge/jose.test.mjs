// Interoperability with jose, an independent implementation of JOSE, in both directions; and
// forgeries made with it.

import { before, after, describe, it } from "node:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as jose from "jose";
import {
  admin,
  configuration,
  expectRefusal,
  expectStatus,
  nowInSeconds,
  registerApp,
  verifyBearer,
  verifyParameter,
} from "./support/client.mjs";
import { startWorkerd } from "./support/workerd.mjs";

const HASH_BYTES = { HS256: 32, HS384: 48, HS512: 64 };

/** A secret of printable characters, as long as the hash (RFC 7518, 3.2). */
const secretFor = (algorithm) =>
  randomBytes(HASH_BYTES[algorithm]).toString("base64url").slice(0, HASH_BYTES[algorithm]);

const keyOf = (secret) => new TextEncoder().encode(secret);

/** Options for algorithms whose key is not fixed by the algorithm. */
const KEY_PAIRS = {
  RS256: { modulusLength: 2048 },
  RS384: { modulusLength: 3072 },
  RS512: { modulusLength: 4096 },
  PS256: { modulusLength: 2048 },
  PS384: { modulusLength: 2048 },
  PS512: { modulusLength: 2048 },
  ES256: {},
  ES384: {},
  ES512: {},
  EdDSA: { crv: "Ed25519" },
};

const keyPair = (algorithm) =>
  jose.generateKeyPair(algorithm, { ...KEY_PAIRS[algorithm], extractable: true });

const signedBy = (algorithm, claims = {}) =>
  new jose.SignJWT({
    loginname: "alice",
    name: "Alice Ünal",
    email: "alice@example.com",
    ...claims,
  })
    .setProtectedHeader({ alg: algorithm, typ: "JWT" })
    .setIssuedAt();

let workerd;
let postern;
const apps = {};

before(async () => {
  workerd = await startWorkerd();
  [postern] = workerd.isolates;
  for (const algorithm of Object.keys(HASH_BYTES)) {
    apps[algorithm] = await registerApp(postern, {
      name: `app ${algorithm}`,
      algorithm,
      secret: secretFor(algorithm),
      expire: 3600,
    });
  }
});
after(() => workerd?.stop());

describe("a token that jose signs", () => {
  for (const algorithm of Object.keys(HASH_BYTES)) {
    it(`with ${algorithm} is verified, as a Bearer and in a parameter`, async () => {
      const { name, secret } = apps[algorithm];
      const exp = nowInSeconds() + 600;
      const token = await signedBy(algorithm).setExpirationTime(exp).sign(keyOf(secret));
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
      const payload = {
        username: "bob",
        name: "Bob",
        email: "bob@example.com",
        roles: ["A", "B"],
        age: 42,
      };
      const path = "/plugin/datafor-modeler/api/token/generate";
      const earliest = nowInSeconds();
      const answer = await postern.send({
        method: "POST",
        path,
        headers: admin,
        json: { name, privateKey: secret, payload },
      });
      expectStatus(answer, 200);
      assert.deepEqual(Object.keys(answer.json).sort(), ["expire", "success", "token"]);
      assert.equal(answer.json.success, true);
      assert.equal(answer.json.expire, expire);

      const verified = await jose.jwtVerify(answer.json.token, keyOf(secret), {
        algorithms: [algorithm],
      });
      assert.equal(
        Buffer.from(answer.json.token.split(".")[0], "base64url").toString(),
        `{"typ":"JWT","alg":"${algorithm}"}`,
      );
      const { iat, exp, ...claims } = verified.payload;
      assert.deepEqual(claims, {
        loginname: "bob",
        name: "Bob",
        email: "bob@example.com",
        roles: ["A", "B"],
        age: "42",
      });
      assert.ok(iat >= earliest && iat <= nowInSeconds(), `iat ${iat}`);
      assert.equal(exp, iat + expire);

      const back = expectStatus(await verifyParameter(postern, answer.json.token), 200);
      assert.equal(back.json.user.username, "bob");
    });
  }

  it("is refused by jose under another secret", async () => {
    const { name, secret } = apps.HS256;
    const json = { name, privateKey: secret, payload: { username: "bob" } };
    const answer = await postern.send({
      method: "POST",
      path: "/plugin/datafor-modeler/api/token/generate",
      headers: admin,
      json,
    });
    await assert.rejects(
      jose.jwtVerify(answer.json.token, keyOf(secretFor("HS256"))),
      jose.errors.JWSSignatureVerificationFailed,
    );
  });
});

describe("a forgery", () => {
  const refused = async (token, reason) => {
    expectRefusal(await verifyBearer(postern, token), reason);
    expectRefusal(await verifyParameter(postern, token), reason);
  };
  const good = () => signedBy("HS256").setExpirationTime("10m").sign(keyOf(apps.HS256.secret));

  it("would be taken if nothing were wrong with it", async () => {
    expectStatus(await verifyBearer(postern, await good()), 200);
  });

  it("under another secret is refused", async () => {
    const other = secretFor("HS256");
    await refused(
      await signedBy("HS256").setExpirationTime("10m").sign(keyOf(other)),
      "bad_signature",
    );
  });

  it("under the secret of an app with another algorithm is refused", async () => {
    const { secret } = apps.HS512;
    await refused(
      await signedBy("HS256").setExpirationTime("10m").sign(keyOf(secret)),
      "bad_signature",
    );
  });

  it("of one app shown as another's is refused", async () => {
    const answer = await postern.send({ path: `/v1/verify?token=${await good()}&app=app%20HS512` });
    expectRefusal(answer, "no_app");
  });

  it("that is unsecured is refused", async () => {
    const unsecured = new jose.UnsecuredJWT({ loginname: "alice" })
      .setExpirationTime("10m")
      .encode();
    await refused(unsecured, "unknown_algorithm");
    const [, claims, signature] = (await good()).split(".");
    for (const alg of ["none", "None", "nOnE", "NONE"]) {
      const header = jose.base64url.encode(JSON.stringify({ alg }));
      await refused(`${header}.${claims}.`, "unknown_algorithm");
      await refused(`${header}.${claims}.${signature}`, "unknown_algorithm");
    }
  });

  it("signed with RS256 is refused where apps have secrets", async () => {
    const { privateKey } = await jose.generateKeyPair("RS256");
    const token = await signedBy("RS256").setExpirationTime("10m").sign(privateKey);
    await refused(token, "wrong_algorithm");
  });

  it("that has expired is refused, leeway included", async () => {
    const { secret } = apps.HS256;
    await refused(
      await signedBy("HS256")
        .setExpirationTime(nowInSeconds() - 61)
        .sign(keyOf(secret)),
      "expired",
    );
    const within = await signedBy("HS256")
      .setExpirationTime(nowInSeconds() - 10)
      .sign(keyOf(secret));
    expectStatus(await verifyBearer(postern, within), 200);
  });

  it("that was issued longer ago than its app allows is refused, whatever exp says", async () => {
    const { secret, expire } = apps.HS256;
    const token = signedBy("HS256")
      .setIssuedAt(nowInSeconds() - expire - 61)
      .setExpirationTime("10m");
    await refused(await token.sign(keyOf(secret)), "expired");
  });

  it("that is not valid yet is refused", async () => {
    const { secret } = apps.HS256;
    const ahead = () => signedBy("HS256").setExpirationTime("10m");
    await refused(
      await ahead()
        .setNotBefore(nowInSeconds() + 300)
        .sign(keyOf(secret)),
      "not_yet_valid",
    );
    await refused(
      await ahead()
        .setIssuedAt(nowInSeconds() + 300)
        .sign(keyOf(secret)),
      "not_yet_valid",
    );
  });

  it("with an unknown crit is refused, though its signature is right", async () => {
    const { secret } = apps.HS256;
    const token = await new jose.SignJWT({ loginname: "alice" })
      .setExpirationTime("10m")
      .setProtectedHeader({ alg: "HS256", crit: ["urn:example:rule"], "urn:example:rule": true })
      .sign(keyOf(secret), { crit: { "urn:example:rule": true } });
    await refused(token, "critical_extension");
  });

  it("with an unencoded payload (RFC 7797) is refused", async () => {
    const { secret } = apps.HS256;
    const claims = JSON.stringify({ loginname: "alice", exp: nowInSeconds() + 600 });
    const jws = await new jose.FlattenedSign(keyOf(claims))
      .setProtectedHeader({ alg: "HS256", b64: false, crit: ["b64"] })
      .sign(keyOf(secret));
    const token = [jws.protected, jose.base64url.encode(claims), jws.signature].join(".");
    await refused(token, "critical_extension");
  });

  it("with changed claims is refused", async () => {
    const [header, claims, signature] = (await good()).split(".");
    const changed = { ...jose.decodeJwt(`${header}.${claims}.${signature}`), loginname: "admin" };
    await refused(
      [header, jose.base64url.encode(JSON.stringify(changed)), signature].join("."),
      "bad_signature",
    );
  });

  it("with a single changed bit anywhere in its signature is refused", async () => {
    const [header, claims, signature] = (await good()).split(".");
    const bytes = Buffer.from(signature, "base64url");
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Buffer.from(bytes);
      changed[index] ^= 1 << (index % 8);
      expectRefusal(
        await verifyBearer(postern, [header, claims, changed.toString("base64url")].join(".")),
        "bad_signature",
      );
    }
  });

  it("with a shortened or lengthened signature is refused", async () => {
    const [header, claims, signature] = (await good()).split(".");
    const bytes = Buffer.from(signature, "base64url");
    for (const changed of [
      bytes.subarray(0, 31),
      bytes.subarray(0, 16),
      Buffer.concat([bytes, bytes]),
    ]) {
      expectRefusal(
        await verifyBearer(postern, [header, claims, changed.toString("base64url")].join(".")),
        "bad_signature",
      );
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
    await refused(token, "not_three_parts");
  });
});

describe("a token that jose signs with a private key", () => {
  for (const algorithm of Object.keys(KEY_PAIRS)) {
    it(`under ${algorithm} is verified in each form of the key, and else refused`, async () => {
      const [ours, theirs] = await Promise.all([keyPair(algorithm), keyPair(algorithm)]);
      const jwk = {
        ...(await jose.exportJWK(ours.publicKey)),
        kid: "ours",
        use: "sig",
        alg: algorithm,
      };
      const pem = await jose.exportSPKI(ours.publicKey);
      const decoy = { ...(await jose.exportJWK(theirs.publicKey)), kid: "decoy" };
      const forms = {
        pem,
        bare: pem.replaceAll(/-----.*-----/g, ""),
        jwk: JSON.stringify(jwk),
        set: JSON.stringify({ keys: [decoy, jwk] }),
      };
      const exp = nowInSeconds() + 600;
      const signed = (key, header = {}) =>
        new jose.SignJWT({ loginname: "alice" })
          .setProtectedHeader({ alg: algorithm, kid: "ours", ...header })
          .setExpirationTime(exp)
          .sign(key);
      const token = await signed(ours.privateKey);
      for (const [form, secret] of Object.entries(forms)) {
        const { name } = await registerApp(postern, {
          name: `app ${algorithm}`,
          algorithm,
          secret,
        });
        for (let again = 0; again < 2; again += 1) {
          const { json } = expectStatus(await verifyBearer(postern, token), 200, form);
          assert.deepEqual([json.app, json.user.username, json.expiresAt], [name, "alice", exp]);
        }
        expectRefusal(
          await verifyBearer(postern, await signed(theirs.privateKey)),
          "bad_signature",
        );
        const jku = {
          jku: "https://evil.example/keys",
          jwk: await jose.exportJWK(theirs.publicKey),
        };
        expectRefusal(
          await verifyBearer(postern, await signed(theirs.privateKey, jku)),
          "bad_signature",
        );
      }
      const [header, claims, signature] = token.split(".");
      const bytes = Buffer.from(signature, "base64url");
      const flipped = Buffer.from(bytes);
      flipped[bytes.length - 9] ^= 1;
      const wrong = [
        flipped,
        bytes.subarray(1),
        Buffer.concat([bytes, Buffer.alloc(1)]),
        Buffer.alloc(0),
      ];
      // All zeros means r = s = 0 for ECDSA. All ones is beyond each modulus and order.
      for (const changed of [
        ...wrong,
        Buffer.alloc(bytes.length),
        Buffer.alloc(bytes.length, 0xff),
        Buffer.alloc(bytes.length, 1),
      ]) {
        expectRefusal(
          await verifyBearer(postern, [header, claims, changed.toString("base64url")].join(".")),
          "bad_signature",
        );
      }
      // The attacker signs with the public key as the shared secret.
      for (const secret of [pem, pem.trim(), `\n${pem}`, forms.bare, forms.jwk]) {
        const confused = await new jose.SignJWT({ loginname: "admin" })
          .setProtectedHeader({ alg: "HS256" })
          .setExpirationTime(exp)
          .sign(keyOf(secret));
        expectRefusal(await verifyBearer(postern, confused), "bad_signature");
      }
    });
  }

  it("is refused under another algorithm of the same key", async () => {
    const { privateKey, publicKey } = await keyPair("RS256");
    await registerApp(postern, {
      name: "app RS256",
      algorithm: "RS256",
      secret: await jose.exportSPKI(publicKey),
    });
    const as384 = await jose.importPKCS8(await jose.exportPKCS8(privateKey), "RS384");
    const token = await signedBy("RS384").setExpirationTime("10m").sign(as384);
    const answer = await postern.send({
      path: "/v1/verify?app=app%20RS256",
      headers: { authorization: `Bearer ${token}` },
    });
    expectRefusal(answer, "no_app");
  });
});

describe("a key that WebCrypto does not take", () => {
  const refused = async (changes, why) => {
    const json = configuration({ name: "unusable", ...changes });
    const answer = await postern.send({
      method: "POST",
      path: "/plugin/datafor-modeler/api/token/update",
      headers: admin,
      json,
    });
    expectStatus(answer, 400);
    assert.match(answer.json.msg, why);
  };

  it("is refused at registration: a point that is not on its curve", async () => {
    for (const algorithm of ["ES256", "ES384", "ES512"]) {
      const jwk = await jose.exportJWK((await keyPair(algorithm)).publicKey);
      await refused(
        { algorithm, secret: JSON.stringify({ ...jwk, y: jwk.x }) },
        /WebCrypto does not take its numbers/,
      );
    }
  });

  it("is taken or refused at registration by the length of an RSA key", async () => {
    const n = (bits) => Buffer.alloc(bits / 8, 0xff).toString("base64url");
    const secret = (bits) => JSON.stringify({ kty: "RSA", n: n(bits), e: "AQAB" });
    for (const bits of [2048, 8192])
      await registerApp(postern, { name: "length", algorithm: "RS256", secret: secret(bits) });
    await refused({ algorithm: "RS256", secret: secret(8200) }, /at most 8192 bits, not 8200/);
  });

  it("is refused at registration: a short RSA key", async () => {
    const { publicKey } = await crypto.subtle.generateKey(
      {
        name: "RSASSA-PKCS1-v1_5",
        modulusLength: 1024,
        publicExponent: new Uint8Array([1, 0, 1]),
        hash: "SHA-256",
      },
      true,
      ["sign", "verify"],
    );
    const secret = Buffer.from(await crypto.subtle.exportKey("spki", publicKey)).toString("base64");
    await refused({ algorithm: "RS256", secret }, /at least 2048 bits .* not 1024/);
  });
});
