// On workerd, D1 takes seconds or never answers. Also the cache that the isolates of a data centre
// share.

import { test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import {
  admin,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  verifyBearer,
} from "./support/client.mjs";
import { startIsolates } from "./support/workerd.mjs";

/** Half of the time that D1 takes here: a faster answer has not waited for D1. */
const MUCH_LATER_MS = 5_000;

const token = (loginname) => sign("abcd", { loginname, exp: nowInSeconds() + 600 });
const callsSince = async (isolate) => (await isolate.send({ path: "/testing" })).json;
const letD1 = (isolate, d1) => isolate.send({ path: "/testing", method: "POST", json: { d1 } });

async function timed(ask) {
  const began = performance.now();
  const answer = await ask();
  return { answer, took: performance.now() - began };
}

for (const d1 of [10_000, "silent"]) {
  const what = d1 === "silent" ? "never answers" : "takes 10 s";
  test(`no answer waits for a D1 that ${what}`, async (test) => {
    const [isolate] = await startIsolates(test, 1, {
      entry: "observed",
      changes: { STALENESS_S: 2 },
    });
    await registerApp(isolate);
    const alice = token("alice");
    expectStatus(await verifyBearer(isolate, alice), 200);
    await letD1(isolate, d1);
    await sleep(2_200);
    await callsSince(isolate);
    const all = await Promise.all(
      Array.from({ length: 5 }, () => timed(() => verifyBearer(isolate, alice))),
    );
    for (const { answer, took } of all) {
      expectStatus(answer, 200);
      assert.ok(took < MUCH_LATER_MS, `${took} ms`);
      assert.match(answer.headers["x-postern-stale"][0], /^[2-9]$/);
    }
    assert.equal((await callsSince(isolate)).d1, 1, "one of five asks D1");
    const forged = `${alice.slice(0, -4)}AAAA`;
    const sign_in = { path: "/v1/verify", headers: admin };
    for (const [ask, status] of [
      [() => verifyBearer(isolate, alice), 200],
      [() => verifyBearer(isolate, forged), 401],
      [() => verifyBearer(isolate, token("stranger")), 503],
      [() => isolate.send(sign_in), 503],
      [() => isolate.send({ path: "/health" }), 200],
    ]) {
      const { answer, took } = await timed(ask);
      expectStatus(answer, status);
      assert.ok(took < MUCH_LATER_MS, `${status}: ${took} ms`);
    }
    if (d1 === "silent") return;
    await letD1(isolate, 0);
    await sleep(10_000);
    const { answer } = await timed(() => verifyBearer(isolate, alice));
    expectStatus(answer, 200);
    assert.equal(answer.headers["x-postern-stale"], undefined, "D1 answers again");
  });
}

test("a cold isolate answers those whom its data centre has seen without D1", async (test) => {
  const [writer, first, second] = await startIsolates(test, 3, { entry: "observed" });
  await registerApp(writer);
  const bearer = { authorization: `Bearer ${token("alice")}`, host: "app.example" };
  const ask = (isolate) => isolate.send({ path: "/v1/verify", headers: bearer });
  expectStatus(await ask(writer), 200);
  await callsSince(first);
  await callsSince(second);
  expectStatus(await ask(first), 200);
  assert.ok((await callsSince(first)).d1 <= 1);
  // The isolate shares what it has read in the background.
  for (let tries = 0; tries < 50; tries += 1) {
    await sleep(100);
    if ((await isolateKnows(second, ask)) === 0) return;
  }
  assert.fail("nothing is shared");
});

/** How many calls to D1 an isolate makes for an answer that it cannot have cached. */
async function isolateKnows(isolate, ask) {
  expectStatus(await ask(isolate), 200);
  return (await callsSince(isolate)).d1;
}
