// authlib introspects and revokes at Postern, and Postern introspects at oidc-provider.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import * as jose from "jose";
import {
  admin,
  expectRefusal,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  verifyBearer,
} from "../edge/support/client.mjs";
import { startPostern, startWorkerd, top } from "../edge/support/workerd.mjs";
import { ISSUER, startIdentityProvider } from "./support/identity_provider.mjs";
import { fromPypi, succeed } from "./support/programs.mjs";

async function administer(postern, method, path, json) {
  const answer = await postern.send({ method, path, headers: admin, json });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.json;
}

test("authlib introspects and revokes, with an id and a secret that need escaping", async (t) => {
  const postern = await startPostern(t);
  await registerApp(postern);
  const body = { name: "order service", may: ["administration"] };
  const { key } = await administer(postern, "POST", "/v1/keys", body);
  // authlib encodes neither part, which Postern recognizes. It sends letters beyond ASCII as
  // Latin-1, which Postern refuses.
  const [username, password] = ["svc+orders@example.com", "p%2Bss:w/rd +&="];
  const user = { username, password, type: "Administrator" };
  await administer(postern, "POST", "/v1/users", user);
  const signed = (of) => sign("abcd", { loginname: "alice", exp: nowInSeconds() + 600, of });
  const table = [
    ["order service", key, signed(1), "alice"],
    ["order service", key, (await signIn(postern)).token, "admin"],
    [username, password, signed(2), "alice"],
  ];
  for (const [id, secret, token, whose] of table) {
    const calls = join(top, "tests/all/support/authlib_calls.py");
    const url = postern.url.replace(/\/$/, "");
    const printed = await succeed(fromPypi("python"), [calls, url, id, secret, token]);
    const told = JSON.parse(printed);
    const { active, username: named } = told.before[1];
    assert.deepEqual([told.before[0], active, named], [200, true, whose], printed);
    assert.deepEqual([told.wrong[0], told.wrong[1].error], [401, "invalid_client"], printed);
    assert.deepEqual(told.revoked, [200, ""]);
    assert.deepEqual(told.after, [200, { active: false }]);
    expectRefusal(await verifyBearer(postern, token), "revoked");
  }
});

test("a real identity provider is asked about its opaque tokens", async (t) => {
  const { privateKey } = await jose.generateKeyPair("RS256", { extractable: true });
  const jwk = { ...(await jose.exportJWK(privateKey)), kid: "1", alg: "RS256", use: "sig" };
  const provider = await startIdentityProvider([jwk]);
  t.after(() => provider.stop());
  const workerd = await startWorkerd({ isolates: [{ outbound: provider.outbound }] });
  t.after(() => workerd.stop());
  const [postern] = workerd.isolates;
  const app = {
    name: "IdP",
    algorithm: "introspection",
    introspectionEndpoint: `${ISSUER}/token/introspection`,
    introspectionClientId: "gate",
    secret: "the secret of gate",
    introspectionCacheS: 0,
    issuer: ISSUER,
    // oidc-provider's opaque tokens have no audience if no resource was asked for.
    anyAudience: true,
    authorizedParties: ["reports-web"],
    claims: { username: "client_id" },
  };
  const made = await administer(postern, "POST", "/v1/token-apps", app);
  assert.equal(made.warnings, undefined, JSON.stringify(made));

  const token = await provider.token("reports-web");
  assert.doesNotMatch(token, /\./, "it means nothing by itself");
  const { json } = expectStatus(await verifyBearer(postern, token), 200);
  assert.deepEqual([json.app, json.user.username], ["IdP", "reports-web"]);
  expectRefusal(await verifyBearer(postern, await provider.token("crm-web")), "party_refused");
  expectRefusal(await verifyBearer(postern, `${token}x`), "revoked");

  await provider.revoke("reports-web", token);
  expectRefusal(await verifyBearer(postern, token), "revoked");
});
