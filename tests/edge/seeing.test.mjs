// What operators see of the Worker on workerd: log lines of refusals, and data points.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startBound } from "./support/bound.mjs";
import { admin, expectStatus, nowInSeconds, registerApp, sign } from "./support/client.mjs";
import { startPostern } from "./support/workerd.mjs";

const SECRET = "a shared secret of thirty-two b!";
const BOUND_MS = 15_000;
const tokenOf = (secret) => sign(secret, { loginname: "alice", exp: nowInSeconds() + 600 });
const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** The log lines of refusals that workerd has printed. */
function refusalsIn(output) {
  const lines = output.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line));
}

async function until(what, holds) {
  const end = Date.now() + BOUND_MS;
  while (!holds()) {
    assert.ok(Date.now() < end, what());
    await pause(20);
  }
}

test("a refusal is one warning in the platform's log, and a success logs nothing", async (t) => {
  let output = "";
  const postern = await startPostern(t, { onOutput: (text) => (output += text) });
  await registerApp(postern, { secret: SECRET });
  expectStatus(await postern.send({ path: "/v1/verify", headers: bearer(tokenOf(SECRET)) }), 200);
  const cf = { "mf-cf-blob": JSON.stringify({ country: "NL" }) };
  const forged = tokenOf("wrong");
  const path = `/v1/verify?x=${forged}`;
  const refused = expectStatus(
    await postern.send({ path: "/v1/verify", headers: { ...bearer(forged), ...cf } }),
    401,
  );
  expectStatus(await postern.send({ path, headers: bearer(forged) }), 400);
  await until(
    () => output,
    () => refusalsIn(output).length === 1,
  );
  const [{ time, ...line }] = refusalsIn(output);
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
  assert.deepEqual(line, {
    message: "refused 401 bad_signature",
    requestId: refused.headers["x-request-id"],
    method: "GET",
    path: "/v1/verify",
    status: 401,
    reason: "bad_signature",
    dialect: "v1",
    country: "NL",
  });
  assert.ok(!output.includes(forged), "no token is in it");
});

/** Takes the data points that the Worker has written since the last call. */
const pointsOf = async (postern) => (await postern.send({ path: "/testing" })).json;

test("a decision is one data point and one crossing, where the binding is there", async (t) => {
  const postern = await startPostern(t, { entry: "analytics" });
  await registerApp(postern, { secret: SECRET });
  const ask = (path, secret = SECRET) => postern.send({ path, headers: bearer(tokenOf(secret)) });
  const token = bearer(tokenOf(SECRET));
  for (let warm = 0; warm < 3; warm += 1) {
    expectStatus(await postern.send({ path: "/v1/verify", headers: token }), 200);
  }
  await pointsOf(postern);
  expectStatus(await postern.send({ path: "/v1/verify", headers: token }), 200);
  const { points, crossings } = await pointsOf(postern);
  assert.equal(points.length, 1);
  const [{ indexes, blobs, doubles }] = points;
  assert.deepEqual(indexes, ["ERP"]);
  assert.deepEqual(blobs.slice(0, 6), ["ERP", "verify", "yes", "", "", "v1"]);
  assert.match(blobs[6], /^(0|<10|<50)$/);
  assert.deepEqual(doubles.slice(1), [0, 0]);
  assert.ok(
    Number.isInteger(doubles[0]) && doubles[0] >= 0 && doubles[0] < 1000,
    `${doubles[0]} ms`,
  );
  assert.deepEqual(crossings, { method: 1, url: 1, now: 1, header: 2, respond: 1, decided: 1 });

  expectStatus(await ask("/v1/verify", "wrong"), 401);
  expectStatus(await ask("/v1/check?service=1&permission=GRANT"), 200);
  expectStatus(await postern.send({ path: "/health" }), 200);
  expectStatus(await postern.send({ path: "/v1/users", headers: admin }), 200);
  const more = (await pointsOf(postern)).points;
  assert.deepEqual(
    more.map(({ blobs: [, ...rest] }) => rest.slice(0, 5)),
    [
      ["verify", "refused", "bad_signature", "", "v1"],
      ["check", "no", "", "", "v1"],
    ],
  );
  assert.deepEqual(more[1].doubles.slice(1), [0, 1]);
});

test("a data set that throws is nobody's trouble", async (t) => {
  const postern = await startPostern(t, { entry: "analytics" });
  await registerApp(postern, { secret: SECRET });
  expectStatus(
    await postern.send({ method: "POST", path: "/testing", json: { throws: true } }),
    204,
  );
  for (let again = 0; again < 3; again += 1) {
    expectStatus(await postern.send({ path: "/v1/verify", headers: bearer(tokenOf(SECRET)) }), 200);
  }
  assert.equal((await pointsOf(postern)).points.length, 0);
});

test("the platform's own binding takes the data points", async (t) => {
  const postern = await startPostern(t, { analytics: true });
  await registerApp(postern, { secret: SECRET });
  expectStatus(await postern.send({ path: "/v1/verify", headers: bearer(tokenOf(SECRET)) }), 200);
  expectStatus(await postern.send({ path: "/v1/verify" }), 401);
});

test("D1 tells how many rows it has read, and an administrator how long that took", async (t) => {
  const postern = await startPostern(t);
  await postern.send({ path: "/v1/users", headers: admin });
  const users = expectStatus(await postern.send({ path: "/v1/users", headers: admin }), 200);
  const timing =
    /^mem;desc="\d+ hits?, \d+ miss(es)?", d1;dur=\d+;desc="\d+ quer(y|ies), \d+ rows read"$/;
  assert.match(users.headers["server-timing"], timing);
  const { text } = expectStatus(await postern.send({ path: "/v1/metrics", headers: admin }), 200);
  assert.match(text, /^postern_d1_rows_read_total [1-9]\d*$/m);
  assert.match(text, /^postern_up\{of="d1"\} 1$/m);
});

test("a refusal of another Worker's call is one line", async (t) => {
  const { postern, ask, output } = await startBound(t);
  await registerApp(postern, { secret: SECRET });
  const answer = await ask("verify", { token: tokenOf("wrong") });
  assert.equal(answer.reason, "bad_signature");
  await until(output, () => refusalsIn(output()).some(({ dialect }) => dialect === "gate"));
  const line = refusalsIn(output()).find(({ dialect }) => dialect === "gate");
  assert.deepEqual([line.method, line.status, line.reason], ["verify", 401, "bad_signature"]);
});
