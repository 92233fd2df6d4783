// Secrets, passwords and tokens are never stored or logged in the clear, whatever was done with
// them.

import { test } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  admin,
  basic,
  configuration,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  signInBrowser,
  verifyBearer,
  verifyParameter,
} from "./support/client.mjs";
import { Recorder, filesIn, occurrences, sha256Hex } from "./support/leaks.mjs";
import { deployment, startPostern, stateFolder } from "./support/workerd.mjs";

const APPS = "/plugin/datafor-modeler/api/token";
const TOKENS = "/imanager/cloud/security/tokens.json";

const tokenOf = (username, secret) =>
  sign(secret, { loginname: username, exp: nowInSeconds() + 600 });

async function post(postern, path, json, headers = admin, method = "POST") {
  return postern.send({ method, path, headers, json });
}

async function everythingWithTokenApps(postern) {
  await registerApp(postern, {
    secret: "distinctive-secret-one",
    initpwd: "distinctive-initpwd-one",
  });
  await registerApp(postern, {
    secret: "distinctive-secret-two",
    initpwd: "distinctive-initpwd-two",
  });
  const form = new URLSearchParams({
    ...configuration({ name: "FORM", secret: "distinctive-secret-of-a-form" }),
    fieldmap: "{",
  });
  expectStatus(
    await postern.send({
      method: "POST",
      path: `${APPS}/update`,
      headers: admin,
      body: String(form),
    }),
    400,
  );
  const broken = `{"name":"ERP","secret":"distinctive-secret-in-broken-json"`;
  expectStatus(
    await postern.send({ method: "POST", path: `${APPS}/update`, headers: admin, body: broken }),
    400,
  );
  expectStatus(
    await post(
      postern,
      `${APPS}/update`,
      configuration({ secret: "distinctive-secret-refused", expire: 0 }),
    ),
    400,
  );

  const generate = {
    name: "ERP",
    privateKey: "distinctive-secret-two",
    payload: { username: "carol" },
  };
  const generated = expectStatus(await post(postern, `${APPS}/generate`, generate), 200).json.token;
  expectStatus(await verifyParameter(postern, generated), 200);
  expectStatus(await verifyBearer(postern, tokenOf("alice", "distinctive-secret-two")), 200);
  expectStatus(await verifyParameter(postern, tokenOf("alice", "distinctive-secret-wrong")), 401);
  expectStatus(
    await post(postern, "/v1/verify", { token: tokenOf("dave", "distinctive-secret-two") }, {}),
    200,
  );
  const forwarded = {
    "x-forwarded-uri": `/page?token=${tokenOf("erin", "distinctive-secret-two")}`,
  };
  expectStatus(await postern.send({ path: "/v1/forward-auth", headers: forwarded }), 200);
  // The first sign-in creates the user with initpwd as the password.
  await signIn(postern, "alice", "distinctive-initpwd-two");
  await registerApp(postern, { name: "GONE", secret: "distinctive-secret-of-a-deleted-app" });
  expectStatus(await post(postern, `${APPS}/delete`, { name: "GONE" }), 200);
}

async function everythingWithUsers(postern) {
  const bob = { username: "bob-the-visible", password: "distinctive-password-one" };
  const { id } = expectStatus(await post(postern, "/v1/users", bob), 201).json;
  expectStatus(
    await post(postern, "/v1/users", { ...bob, password: "distinctive-password-of-a-double" }),
    409,
  );
  const { credential, cookie } = await signIn(postern, bob.username, bob.password);
  expectStatus(
    await postern.send({
      path: "/imanager/cloud/web/nodes/server",
      headers: { cookie: `JSESSIONID=${cookie}` },
    }),
    403,
  );
  const session = await signInBrowser(postern, bob.username, bob.password);
  expectStatus(await postern.send({ path: "/v1/verify", headers: { cookie: session } }), 200);
  const change = { password: "distinctive-password-two", currentPassword: bob.password };
  expectStatus(await post(postern, `/v1/users/${id}/password`, change, credential, "PUT"), 204);
  const wrong = { ...change, currentPassword: "distinctive-password-not-current" };
  expectStatus(await post(postern, `/v1/users/${id}/password`, wrong, credential, "PUT"), 400);

  expectStatus(
    await post(
      postern,
      TOKENS,
      { username: bob.username, password: "distinctive-password-wrong" },
      {},
    ),
    401,
  );
  expectStatus(
    await post(
      postern,
      TOKENS,
      { username: "nobody", password: "distinctive-password-of-nobody" },
      {},
    ),
    401,
  );
  const typed = { authorization: basic(bob.username, "distinctive-password-in-basic") };
  expectStatus(await postern.send({ path: "/v1/verify", headers: typed }), 401);
  expectStatus(await verifyBearer(postern, "0f0e0d0c-0b0a-4908-8706-050403020100"), 401);
  await signIn(postern, bob.username, change.password);
  expectStatus(await postern.send({ path: "/imanager/security/logout", headers: credential }), 200);
}

async function everythingWithApplications(postern) {
  const create = async (json) =>
    expectStatus(await post(postern, "/v1/applications", json), 201).json;
  await create({ organization: "o1", accessKey: "target" });
  const { accessKey, secret } = await create({ organization: "o1", authorizeApplications: true });
  const digest = (...parts) => createHash("sha256").update(parts.join("")).digest("hex");
  const proof = (timestamp, more = {}) => ({
    appKey: accessKey,
    timestamp,
    encryption: digest(accessKey, timestamp, secret),
    ...more,
  });
  const ask = async (name, json, status = 200) =>
    expectStatus(await post(postern, `/apim-token-service/v2.0/token/${name}`, json, {}), status)
      .json.data;
  const { accessToken } = await ask("get", proof(Date.now()));
  await ask("get", proof(Date.now() - 1, { encryption: digest(accessKey, secret) }), 401);
  const refreshed = await ask("refresh", proof(Date.now() + 1, { accessToken }));
  const body = JSON.stringify({ appId: "target", dataAuthorizeType: ["USER"] });
  for (const [token, status] of [
    [refreshed.accessToken, 200],
    [accessToken, 401],
  ]) {
    const timestamp = Date.now();
    const signature = digest(token, "orgIdo1", body, timestamp, secret);
    const headers = {
      "apim-accesstoken": token,
      "apim-timestamp": timestamp,
      "apim-signature": signature,
    };
    expectStatus(
      await postern.send({
        method: "POST",
        path: "/app-portal-service/v2.3/app/authorization/set?orgId=o1",
        headers,
        body,
      }),
      status,
    );
  }
  expectStatus(await post(postern, `/v1/applications/${accessKey}/secret`, {}), 200);
  const node = {
    nodeSpec: "MEDIUM",
    nodeCount: 1,
    nodeName: "iserver",
    password: "distinctive-password-of-a-node",
  };
  expectStatus(await post(postern, "/imanager/cloud/web/nodes/server.json", node), 200);
  expectStatus(
    await post(postern, "/imanager/cloud/web/nodes/server.json", { ...node, nodeCount: 0 }),
    400,
  );
}

/** Failures are logged, so this makes every request fail. */
async function everythingWhileD1IsDown(postern) {
  const headers = {
    authorization: `Bearer ${tokenOf("zoe-while-down", "distinctive-secret-two")}`,
  };
  expectStatus(
    await postern.send({ method: "POST", path: "/testing", json: { d1: "down", kv: "down" } }),
    204,
  );
  expectStatus(
    await verifyParameter(postern, tokenOf("zoe-while-down", "distinctive-secret-two")),
    503,
  );
  expectStatus(await postern.send({ path: "/v1/verify", headers }), 503);
  expectStatus(
    await post(
      postern,
      TOKENS,
      { username: "admin", password: "distinctive-password-while-down" },
      {},
    ),
    503,
  );
  expectStatus(
    await post(
      postern,
      `${APPS}/update`,
      configuration({ secret: "distinctive-secret-while-down" }),
    ),
    503,
  );
  await postern.scheduled();
  expectStatus(await postern.send({ method: "POST", path: "/testing", json: {} }), 204);
}

test("no secret, password, token or cookie is in the state or in the log", async (test) => {
  const folder = stateFolder(test);
  const recorder = new Recorder();
  let log = "";
  const onOutput = (text) => (log += text);
  const start = async (bindings, migrate = false) => {
    const one = {
      entry: "observed",
      bindings,
      database: "kept",
      namespace: "kept",
      folder,
      migrate,
      onOutput,
    };
    return recorder.listen(await startPostern(test, one));
  };
  const bindings = deployment({ LOGIN_URL: "password" });
  const first = await start(bindings, true);
  await everythingWithTokenApps(first);
  await everythingWithUsers(first);
  await everythingWithApplications(first);
  await first.scheduled();
  await everythingWhileD1IsDown(first);
  await first.stop();

  // Starts with an unrelated master key, and then changes the master key as the guide says.
  const stranger = await start(deployment());
  expectStatus(await verifyBearer(stranger, tokenOf("alice", "distinctive-secret-two")), 503);
  await stranger.scheduled();
  await stranger.stop();
  const changed = await start({ ...deployment(), MASTER_KEY_PREVIOUS: bindings.MASTER_KEY });
  await changed.scheduled();
  expectStatus(await verifyBearer(changed, tokenOf("alice", "distinctive-secret-two")), 200);
  await changed.stop();

  const files = filesIn(folder);
  const seen = (word) => occurrences(files, [word]);
  assert.ok(
    seen("bob-the-visible").some((where) => where.includes("/d1/")),
    "the search finds user names in D1",
  );
  for (const token of recorder.issued)
    assert.notEqual(seen(sha256Hex(token)).length, 0, "the search finds the hashes of tokens");
  assert.ok(
    Object.entries(files).some(
      ([path, { length }]) => path.includes("/kv/") && path.includes("blobs") && length > 500,
    ),
    "KV has the snapshot",
  );
  assert.match(
    log,
    new RegExp(
      String.raw`"method":"POST","path":"/imanager/cloud/security/tokens\.json",` +
        '"status":503,.*Network connection lost',
    ),
    "the log tells of failures",
  );
  assert.match(log, /"method":"GET","path":"\/v1\/verify","status":503,/);
  assert.match(log, /"status":401,"reason":"wrong_password",/);
  assert.match(log, /the secret of token app "ERP" cannot be opened/);

  const distinctive = [...recorder.credentials].filter((credential) =>
    credential.startsWith("distinctive-"),
  );
  assert.ok(distinctive.length >= 16, `only ${distinctive.length} were recorded`);
  assert.deepEqual(
    occurrences({ ...files, "the log": Buffer.from(log) }, recorder.credentials),
    [],
  );
});
