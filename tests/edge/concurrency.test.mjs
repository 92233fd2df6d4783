// Concurrent requests take effect once, or as a whole. Each crowd of requests is spread over two
// isolates on one database.

import { test } from "node:test";
import assert from "node:assert/strict";
import {
  configuration,
  admin,
  expectStatus,
  listApps,
  listUsers,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  verifyBearer,
} from "./support/client.mjs";
import { startIsolates } from "./support/workerd.mjs";

const CROWD = 50;

/** Asks 50 times at once, alternating between the isolates. */
const crowd = (isolates, ask) =>
  Promise.all(
    Array.from({ length: CROWD }, (_, number) => ask(isolates[number % isolates.length], number)),
  );

test("50 simultaneous first requests of one new user make one user", async (test) => {
  const isolates = await startIsolates(test, 2);
  await registerApp(isolates[0], { initpwd: "first password of many", profile: "once" });
  const token = (number) =>
    sign("abcd", { loginname: "newcomer", name: `Name ${number}`, exp: nowInSeconds() + 600 });
  const answers = await crowd(isolates, (isolate, number) => verifyBearer(isolate, token(number)));

  const users = (await listUsers(isolates[0])).filter((user) => user.username === "newcomer");
  assert.equal(users.length, 1);
  for (const answer of answers) {
    expectStatus(answer, 200);
    assert.equal(answer.json.user.id, users[0].id);
    assert.equal(answer.json.user.name, users[0].name, "everybody sees the name that was kept");
  }
});

test("50 simultaneous updates of one token app leave one of them whole", async (test) => {
  const isolates = await startIsolates(test, 2);
  const { credential } = await signIn(isolates[0]);
  const variant = (number) =>
    configuration({
      token_name: `token_${number}`,
      secret: `secret ${number} `.repeat(5),
      expire: 1000 + number,
      fieldmap: { username: `user_${number}`, name: `name_${number}`, email: `email_${number}` },
      algorithm: ["HS256", "HS384", "HS512"][number % 3],
      inituser: "1",
      initroles: ["SYS_Reader", `role ${number}`],
    });
  const path = "/plugin/datafor-modeler/api/token/updateAuthorization";
  const answers = await crowd(isolates, (isolate, number) =>
    isolate.send({ method: "POST", path, headers: credential, json: variant(number) }),
  );
  answers.forEach((answer) => expectStatus(answer, 200));

  for (const isolate of isolates) {
    const apps = await listApps(isolate, credential);
    assert.equal(apps.length, 1);
    const [{ createdDate, lastModifiedDate, creatorId, ...kept }] = apps;
    const number = kept.expire - 1000;
    assert.deepEqual(kept, variant(number));
    assert.ok(Number.isInteger(createdDate) && lastModifiedDate >= createdDate);
    assert.equal(creatorId, 1);
  }

  const [{ expire }] = await listApps(isolates[0], credential);
  const { algorithm: alg, fieldmap, secret, token_name: parameter } = variant(expire - 1000);
  const token = sign(
    secret,
    { [fieldmap.username]: "alice", exp: nowInSeconds() + 600 },
    { typ: "JWT", alg },
  );
  for (const isolate of isolates) {
    // With a bookmark the isolate reads D1 first. isolation.test.mjs tests that it may be up to 10
    // s behind without one.
    const bookmark = answers.at(-1).headers["x-postern-bookmark"];
    const answer = await isolate.send({
      path: `/v1/verify?${parameter}=${token}`,
      headers: { "x-postern-bookmark": bookmark },
    });
    assert.equal(expectStatus(answer, 200).json.user.username, "alice");
  }
});

test("50 simultaneous first sign-ins of the first administrator make one user", async (test) => {
  const isolates = await startIsolates(test, 2);
  const answers = await crowd(isolates, (isolate) =>
    isolate.send({ path: "/v1/verify", headers: admin }),
  );
  const users = await listUsers(isolates[0]);
  assert.deepEqual(
    users.map((user) => user.username),
    ["admin"],
  );
  for (const answer of answers) {
    expectStatus(answer, 200);
    assert.equal(answer.json.user.id, users[0].id);
    assert.equal(answer.json.user.type, "Administrator");
  }
});

test("50 wrong passwords at once sign nobody in, and the right one must wait", async (test) => {
  const [postern] = await startIsolates(test, 1);
  await signIn(postern);
  const path = "/imanager/cloud/security/tokens.json";
  const attempt = (password) =>
    postern.send({ method: "POST", path, json: { username: "admin", password } });
  const answers = await Promise.all(
    Array.from({ length: CROWD }, (_, number) => attempt(`guess ${number}`)),
  );
  for (const { status, text } of answers)
    assert.ok(status === 401 || status === 429, `${status} ${text}`);
  const late = expectStatus(await attempt("guess 51"), 429);
  assert.ok(Number(late.headers["retry-after"]) > 0);
  expectStatus(await attempt("correct horse admin"), 429);
});
