// How often a warm request crosses from wasm to JavaScript: each crossing costs, and makes objects that cost more.

import assert from "node:assert/strict";
import { test } from "node:test";
import { admin, expectStatus, nowInSeconds, registerApp, sessionOf, sign, signInBrowser } from "./support/client.mjs";
import { deployment, startIsolates, startPostern } from "./support/workerd.mjs";

const SECRET = "a shared secret of thirty-two b!";

/** What each import is for, by the stable part of its name. */
const named = (crossings) => Object.fromEntries(Object.entries(crossings).map(([name, count]) => [name.replace(/^__wbg_|_[0-9a-f]{16}$/g, ""), count]));

test("a warm verification and a warm check read the request, the clock and two headers, and answer", async (t) => {
  const postern = await startPostern(t, { entry: "crossings" });
  await registerApp(postern, { secret: SECRET });
  const headers = { authorization: `Bearer ${sign(SECRET, { loginname: "alice", exp: nowInSeconds() + 600 })}` };
  for (const path of ["/v1/verify", "/v1/check?service=1&permission=VIEW"]) {
    for (let warm = 0; warm < 3; warm += 1) assert.equal((await postern.send({ path, headers })).status, 200);
    await postern.send({ path: "/testing" });
    assert.equal((await postern.send({ path, headers })).status, 200);
    const { json } = await postern.send({ path: "/testing" });
    assert.deepEqual(named(json), { method: 1, url: 1, now: 1, header: 2, respond: 1 }, path);
  }
});

test("a warm verification of a session reads two headers more", async (t) => {
  const postern = await startPostern(t, { entry: "crossings", bindings: deployment({ LOGIN_URL: "password" }) });
  await registerApp(postern, { secret: SECRET });
  const token = sign(SECRET, { loginname: "alice", exp: nowInSeconds() + 600 });
  const page = { "x-forwarded-uri": `/page?token=${token}`, "sec-fetch-mode": "navigate" };
  const byToken = sessionOf(expectStatus(await postern.send({ path: "/v1/forward-auth", headers: page }), 200));
  for (const cookie of [byToken, await signInBrowser(postern)]) {
    const ask = () => postern.send({ path: "/v1/verify", headers: { cookie } });
    for (let warm = 0; warm < 3; warm += 1) expectStatus(await ask(), 200);
    await postern.send({ path: "/testing" });
    expectStatus(await ask(), 200);
    const { json } = await postern.send({ path: "/testing" });
    assert.deepEqual(named(json), { method: 1, url: 1, now: 1, header: 4, respond: 1 });
  }
});

/** What a request crosses for, in an isolate that has answered others. */
async function crossingsOf(isolate, request) {
  await isolate.send({ path: "/testing" });
  const answer = expectStatus(await isolate.send(request), 200);
  return { answer, crossings: named((await isolate.send({ path: "/testing" })).json) };
}

test("a cold check hands D1 its statements by one crossing, and takes all rows by none", async (t) => {
  const [writer, cold] = await startIsolates(t, 2, { entry: "crossings" });
  await registerApp(writer, { secret: SECRET });
  const bearer = (loginname) => ({ authorization: `Bearer ${sign(SECRET, { loginname, exp: nowInSeconds() + 600 })}` });
  for (const name of ["alice", "bob", "carol"]) expectStatus(await writer.send({ path: "/v1/verify", headers: bearer(name) }), 200);
  const check = (name) => ({ path: "/v1/check?service=1&permission=VIEW", headers: bearer(name) });
  for (const name of ["alice", "bob"]) expectStatus(await cold.send(check(name)), 200);
  const { crossings } = await crossingsOf(cold, check("carol"));
  const asked = { session: 1, batch: 1, promised: 1, promise: 1, resolve: 1 };
  assert.deepEqual(crossings, { method: 1, url: 1, now: 2, header: 2, respond: 1, ...asked });
});
