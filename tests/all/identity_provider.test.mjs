// Tokens of a real identity provider, oidc-provider, which the Worker finds over https: whose are
// taken, and that none is refused while the provider replaces its key.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as jose from "jose";
import { admin, expectRefusal, expectStatus, verifyBearer } from "../edge/support/client.mjs";
import { startWorkerd } from "../edge/support/workerd.mjs";
import { ISSUER, startIdentityProvider } from "./support/identity_provider.mjs";

const REPORTS = "https://reports.example/api";
const CRM = "https://crm.example/api";

/** How long an isolate asks an issuer no second time for a key that its set does not have. */
const PAUSE_MS = 30_000;

let provider;
let workerd;
let postern;
let count = 0;

async function newKey() {
  const { privateKey } = await jose.generateKeyPair("RS256", { extractable: true });
  count += 1;
  return { ...(await jose.exportJWK(privateKey)), kid: `key ${count}`, alg: "RS256", use: "sig" };
}

const keyOf = (token) => jose.decodeProtectedHeader(token).kid;

let first;

before(async () => {
  first = await newKey();
  provider = await startIdentityProvider([first]);
  workerd = await startWorkerd({ isolates: [{ outbound: provider.outbound }] });
  [postern] = workerd.isolates;
  const json = {
    name: "Reports",
    algorithm: "RS256",
    issuer: ISSUER,
    secret: `${ISSUER}/jwks`,
    audiences: [REPORTS],
    authorizedParties: ["reports-web"],
    claims: { username: "sub", roles: "/realm/roles" },
    roleMap: { "bi-authors": "SYS_Creator" },
  };
  const path = "/v1/token-apps";
  expectStatus(await postern.send({ method: "POST", path, headers: admin, json }), 201);
});

after(async () => {
  await workerd?.stop();
  await provider?.stop();
});

describe("a real identity provider", () => {
  it("has its clients told apart", async () => {
    const right = await provider.token("reports-web", REPORTS);
    assert.equal(jose.decodeProtectedHeader(right).typ, "at+jwt");
    const { json } = expectStatus(await verifyBearer(postern, right), 200);
    const { username, type, roles } = json.user;
    const expected = { username: "reports-web", type: "SYS_Creator", roles: ["SYS_Creator"] };
    assert.deepEqual({ username, type, roles }, expected);
    assert.equal(json.app, "Reports");

    const others = await provider.token("crm-web", CRM);
    expectRefusal(await verifyBearer(postern, others), "audience_mismatch");
    const anotherAudience = await provider.token("reports-web", CRM);
    expectRefusal(await verifyBearer(postern, anotherAudience), "audience_mismatch");
    const anotherParty = await provider.token("crm-web", REPORTS);
    expectRefusal(await verifyBearer(postern, anotherParty), "party_refused");
  });

  it("replaces its key while 20 requests a second go on, and none is refused", async () => {
    const second = await newKey();
    const answers = [];
    const ask = async () => {
      const token = await provider.token("reports-web", REPORTS);
      const { status, text } = await verifyBearer(postern, token);
      answers.push({ kid: keyOf(token), status, text });
    };
    const old = await provider.token("reports-web", REPORTS);
    const asking = [];
    const timer = setInterval(() => asking.push(ask()), 50);
    const askedBefore = provider.asked.length;
    // The provider replaces its key once the pause after the first fetch is over.
    await sleep(PAUSE_MS + 1000);
    provider.use([second, first]);
    await sleep(4000);
    clearInterval(timer);
    await Promise.all(asking);

    const refused = answers.filter(({ status }) => status !== 200);
    assert.deepEqual(refused, []);
    const signedBy = (key) => answers.filter(({ kid }) => kid === key.kid).length;
    assert.ok(signedBy(first) > 100, `${signedBy(first)} tokens of the old key`);
    assert.ok(signedBy(second) > 40, `${signedBy(second)} tokens of the new key`);
    assert.equal(provider.asked.length - askedBefore, 1, "the set was read once more");
    // What the old key signed counts on, because the set still has it.
    expectStatus(await verifyBearer(postern, old), 200);

    await withdrawn(second, old);
  });
});

/** Withdraws every key but this one, after which an old token must be refused, and no new one. */
async function withdrawn(key, old) {
  provider.use([key]);
  const [, claims, signature] = old.split(".");
  const header = Buffer.from(JSON.stringify({ alg: "RS256", kid: "unknown" })).toString("base64url");
  const unknown = [header, claims, signature].join(".");
  const end = Date.now() + PAUSE_MS + 5000;
  for (let answer; answer?.status !== 401; await sleep(250)) {
    assert.ok(Date.now() < end, "the withdrawn key still counts");
    // A key id that nobody has makes the isolate read the set again, once the pause is over.
    await verifyBearer(postern, unknown);
    answer = await verifyBearer(postern, old);
    expectStatus(await verifyBearer(postern, await provider.token("reports-web", REPORTS)), 200);
  }
  expectRefusal(await verifyBearer(postern, old), "bad_signature");
}
