// Variables as the runtime passes them. tests/host/variables.rs tests which values are valid; this
// tests that they arrive.

import { test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import {
  admin,
  expectStatus,
  listApps,
  nowInSeconds,
  registerApp,
  sign,
} from "./support/client.mjs";
import { startOrigin } from "./support/origin.mjs";
import { deployment, startPostern } from "./support/workerd.mjs";

const bearer = () => ({
  authorization: `Bearer ${sign("abcd", { loginname: "alice", exp: nowInSeconds() + 600 })}`,
});

test("variables that are no texts are read as what they say", async (test) => {
  const origin = await startOrigin(test);
  const postern = await startPostern(test, {
    bindings: deployment({
      MASK_SECRETS: true,
      TOKEN_TTL_S: 3600,
      CORS_ORIGINS: ["https://console.example", "https://other.example"],
      ORIGIN_URL: origin.url,
      ORIGIN_PUBLIC: ["/static", "/login"],
      ORIGIN_RULES: [{ path: "/reports", methods: ["GET"], service: 7, permission: "VIEW" }],
      // A variable of another program.
      TOKEN_X: { a: [1] },
    }),
  });
  await registerApp(postern);
  assert.deepEqual(
    (await listApps(postern)).map(({ secret }) => secret),
    ["************"],
  );

  const json = { username: "admin", password: postern.bindings.ADMIN_PASSWORD };
  const begun = nowInSeconds();
  const { text } = expectStatus(
    await postern.send({ method: "POST", path: "/imanager/cloud/security/tokens.json", json }),
    200,
  );
  const { expiresAt } = expectStatus(
    await postern.send({ path: "/v1/verify", headers: { "x-auth-token": text } }),
    200,
  ).json;
  assert.ok(
    expiresAt >= begun + 3600 && expiresAt <= nowInSeconds() + 3601,
    `${expiresAt - begun}`,
  );

  const page = { origin: "https://other.example" };
  assert.equal(
    (await postern.send({ path: "/health", headers: page })).headers["access-control-allow-origin"],
    page.origin,
  );

  expectStatus(await postern.send({ path: "/reports", headers: bearer() }), 403);
  expectStatus(await postern.send({ method: "POST", path: "/reports", headers: bearer() }), 405);
  expectStatus(await postern.send({ path: "/other" }), 401);
  assert.equal(origin.requests.length, 0, "nothing has passed that the rules forbid");
  expectStatus(await postern.send({ path: "/login" }), 200);
  const grant = { authObjectType: "USER", authObjectId: 2, permissions: ["VIEW"] };
  expectStatus(
    await postern.send({
      method: "POST",
      path: "/api/v1/services/7/auth",
      headers: admin,
      json: grant,
    }),
    200,
  );
  expectStatus(await postern.send({ path: "/reports", headers: bearer() }), 200);
  assert.deepEqual(
    origin.requests.map(({ url }) => url),
    ["/login", "/reports"],
  );
});

test("a misspelled name or a wrong type is 503 on each request, and is logged", async (test) => {
  let log = "";
  const changes = {
    ORIGIN_URL: "https://origin.invalid",
    ORIGIN_PUBLIK: ["/static"],
    ORIGIN_RULES: { path: "/reports" },
  };
  const postern = await startPostern(test, {
    bindings: deployment(changes),
    onOutput: (text) => (log += text),
  });
  const problems =
    "ORIGIN_PUBLIK is no variable of Postern: did you mean ORIGIN_PUBLIC?; " +
    "ORIGIN_RULES must be a list, or a text that holds one as JSON, and is a table";
  for (const path of ["/v1/verify", "/static", "/reports", "/health"]) {
    const { json, text } = expectStatus(await postern.send({ path, headers: admin }), 503, path);
    assert.equal(json.detail, `this deployment is not configured: ${problems}`, text);
  }
  await postern.scheduled();
  // The Worker's log arrives by another way than its answers, and may come later.
  for (let wait = 0; wait < 50 && !log.includes("the scheduled event: "); wait += 1)
    await sleep(100);
  assert.ok(log.includes(`the scheduled event: ${problems}`), log);
});
