// Tokens of a real identity provider, oidc-provider, which the Worker fetches over https: which
// tokens are accepted, and that none is refused while the provider replaces its key.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as jose from "jose";
import { admin, expectRefusal, expectStatus, verifyBearer } from "../edge/support/client.mjs";
import { startWorkerd } from "../edge/support/workerd.mjs";
import { ISSUER, startIdentityProvider } from "./support/identity_provider.mjs";

const REPORTS = "https://reports.example/api";
const CRM = "https://crm.example/api";

/** Milliseconds in which an isolate does not ask an issuer again for a key that its set lacks. */
const PAUSE_MS = 10_000;

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
    discover: true,
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
  it("is found by its issuer", () => {
    const found = ["/.well-known/openid-configuration", "/jwks"].map((path) => ISSUER + path);
    assert.deepEqual(provider.asked, found, "at registration");
  });

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
    const old = await provider.token("reports-web", REPORTS);
    const fetchedBefore = provider.asked.length;
    const traffic = startTraffic();
    // The provider replaces its key after the pause that follows the first fetch.
    await sleep(PAUSE_MS + 1000);
    provider.use([second, first]);
    await sleep(4000);
    const answers = await traffic.stop();

    const refused = answers.filter(({ status }) => status !== 200);
    assert.deepEqual(refused, []);
    const signedBy = (key) => answers.filter(({ kid }) => kid === key.kid).length;
    assert.ok(signedBy(first) > 100, `${signedBy(first)} tokens of the old key`);
    assert.ok(signedBy(second) > 40, `${signedBy(second)} tokens of the new key`);
    assert.equal(provider.asked.length - fetchedBefore, 1, "the set was read once more");
    // A token with the old key is still valid, because the set still has the key.
    expectStatus(await verifyBearer(postern, old), 200);
  });

  it("replaces its key again within the pause, and tokens have to wait at most", async () => {
    const [second, third] = [await provider.token("reports-web", REPORTS), await newKey()];
    const traffic = startTraffic();
    // The set was read some 4 seconds ago, when the second key came.
    provider.use([third, first]);
    await sleep(PAUSE_MS - 2000);
    const answers = await traffic.stop();

    const refused = answers.filter(({ status }) => status !== 200 && status !== 503);
    assert.deepEqual(refused, []);
    const late = answers.filter(({ status }) => status === 503);
    assert.ok(late.length > 20, `${late.length} answers of 503`);
    for (const { retryAfter } of late) {
      assert.ok(retryAfter >= 1 && retryAfter <= PAUSE_MS / 1000, `Retry-After: ${retryAfter}`);
    }
    assert.equal(answers.at(-1).status, 200);
    expectStatus(await verifyBearer(postern, late.at(-1).token), 200);
    // The set lacks the second key now. A token signed with it makes the isolate ask once more.
    await refusedAtLast(second);
  });

  it("withdraws a key, and its tokens are refused once the set is read again", async () => {
    const old = await provider.token("reports-web", REPORTS);
    const fourth = await newKey();
    provider.use([fourth]);
    expectStatus(await verifyBearer(postern, old), 200, "the set that is known still has the key");
    await sleep(PAUSE_MS);
    const fresh = await provider.token("reports-web", REPORTS);
    expectStatus(await verifyBearer(postern, fresh), 200, "the set is read for the new key");
    await refusedAtLast(old);
  });
});

/**
 * Asserts that a token whose key is in no set is refused, after at most one answer to try again.
 */
async function refusedAtLast(token) {
  const answer = await verifyBearer(postern, token);
  if (answer.status === 503) await sleep(Number(answer.headers["retry-after"]) * 1000);
  expectRefusal(
    answer.status === 503 ? await verifyBearer(postern, token) : answer,
    "bad_signature",
  );
}

/** Verifies a fresh token every 50 ms, until it is stopped. */
function startTraffic() {
  const answers = [];
  const ask = async () => {
    const token = await provider.token("reports-web", REPORTS);
    const { status, text, headers } = await verifyBearer(postern, token);
    answers.push({
      token,
      kid: keyOf(token),
      status,
      text,
      retryAfter: Number(headers["retry-after"]),
    });
  };
  const asking = [];
  const timer = setInterval(() => asking.push(ask()), 50);
  const stop = async () => {
    clearInterval(timer);
    await Promise.all(asking);
    return answers;
  };
  return { stop };
}
