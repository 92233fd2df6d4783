// A change is in force at once in the isolate that made it, and within 10 s in all others. Here,
// the other one is another workerd process on the same state.
//
// The processes take turns in writing. In the local runtime, two that write at the same moment get
// SQLITE_BUSY, and so the answer 503. The real D1 would queue them.

import { test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import {
  admin,
  expectRefusal,
  expectStatus,
  listUsers,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  verifyBearer,
  verifyParameter,
} from "./support/client.mjs";
import { deployment, startPostern, stateFolder } from "./support/workerd.mjs";

/** Postern promises 10 s; the rest is for a busy machine. */
const BOUND_MS = 15_000;

async function twoProcesses(test) {
  const folder = stateFolder(test);
  const one = { bindings: deployment(), database: "shared", namespace: "shared", folder };
  return [await startPostern(test, one), await startPostern(test, { ...one, migrate: false })];
}

/**
 * Asks until the answer is a refusal, for 15 s at most, and then for a while longer: the old answer
 * must not come back.
 */
async function becomesRefused(ask, what) {
  const deadline = Date.now() + BOUND_MS;
  let answer = await ask();
  while (answer.status === 200) {
    assert.ok(Date.now() < deadline, `${what} is not in force after ${BOUND_MS} ms`);
    await pause(100);
    answer = await ask();
  }
  for (let again = 0; again < 20; again += 1) {
    assert.notEqual((await ask()).status, 200, `${what} was in force, and then no more`);
  }
  return answer;
}

test("changes made through one process are in force in another within 10 s", {
  timeout: 120_000,
}, async (test) => {
  const [here, there] = await twoProcesses(test);
  await registerApp(here, { name: "disabled app", token_name: "d", secret: "d" });
  await registerApp(here, { name: "rotated app", token_name: "r", secret: "r" });
  await registerApp(here, { name: "other app", token_name: "o", secret: "o" });
  const token = (secret, username) =>
    sign(secret, { loginname: username, exp: nowInSeconds() + 600 });
  const ofDisabledApp = token("d", "alice");
  const ofRotatedApp = token("r", "alice");
  const ofDisabledUser = token("o", "mallory");
  const ended = token("o", "bob");
  const { token: revoked, credential } = await signIn(here);
  const asks = {
    disabledApp: (isolate) => isolate.send({ path: `/v1/verify?d=${ofDisabledApp}` }),
    rotatedApp: (isolate) => isolate.send({ path: `/v1/verify?r=${ofRotatedApp}` }),
    disabledUser: (isolate) => isolate.send({ path: `/v1/verify?o=${ofDisabledUser}` }),
    revokedToken: (isolate) => verifyBearer(isolate, revoked),
    endedToken: (isolate) => verifyBearer(isolate, ended),
  };
  for (const ask of Object.values(asks)) {
    expectStatus(await ask(here), 200, "here:");
    expectStatus(await ask(there), 200, "there:");
  }

  await registerApp(here, { name: "disabled app", token_name: "d", secret: "d", enable: "0" });
  await registerApp(here, { name: "rotated app", token_name: "r", secret: "another" });
  const { id } = (await listUsers(here)).find((user) => user.username === "mallory");
  expectStatus(
    await here.send({
      method: "PATCH",
      path: `/v1/users/${id}`,
      headers: admin,
      json: { enabled: false },
    }),
    200,
  );
  expectStatus(await here.send({ path: "/imanager/security/logout", headers: credential }), 200);
  expectStatus(
    await here.send({ method: "POST", path: "/v1/revocations", json: { token: ended } }),
    204,
  );

  expectRefusal(await asks.disabledApp(here), "wrong_parameter");
  expectRefusal(await asks.rotatedApp(here), "bad_signature");
  expectStatus(await asks.disabledUser(here), 403);
  expectRefusal(await asks.revokedToken(here), "revoked");
  expectRefusal(await asks.endedToken(here), "revoked");

  const refused = Object.entries(asks).map(([what, ask]) => becomesRefused(() => ask(there), what));
  const [disabledApp, rotatedApp, disabledUser, revokedToken, endedToken] =
    await Promise.all(refused);
  expectRefusal(disabledApp, "wrong_parameter");
  expectRefusal(rotatedApp, "bad_signature");
  expectStatus(disabledUser, 403);
  expectRefusal(revokedToken, "revoked");
  expectRefusal(endedToken, "revoked");
});

test("a bookmark makes another process see a write at once", async (test) => {
  const [here, there] = await twoProcesses(test);
  await registerApp(here);
  const token = sign("abcd", { loginname: "alice", exp: nowInSeconds() + 600 });
  expectStatus(await verifyParameter(there, token), 200);
  const path = "/plugin/datafor-modeler/api/token/delete";
  const answer = expectStatus(
    await here.send({ method: "POST", path, headers: admin, json: { name: "ERP" } }),
    200,
  );
  const bookmark = answer.headers["x-postern-bookmark"];
  assert.ok(bookmark);
  expectRefusal(
    await there.send({
      path: `/v1/verify?token=${token}`,
      headers: { "x-postern-bookmark": bookmark },
    }),
    "wrong_parameter",
  );
  expectRefusal(await verifyParameter(there, token), "wrong_parameter");
});
