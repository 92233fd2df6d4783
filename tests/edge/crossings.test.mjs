// How often a warm request crosses from wasm to JavaScript. Each crossing takes time and creates
// objects, which take more.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  admin,
  expectStatus,
  nowInSeconds,
  registerApp,
  sessionOf,
  sign,
  signInBrowser,
} from "./support/client.mjs";
import { deployment, startIsolates, startPostern } from "./support/workerd.mjs";

const SECRET = "a shared secret of thirty-two b!";

/** The crossings by the stable part of their import's name. */
const named = (crossings) =>
  Object.fromEntries(
    Object.entries(crossings).map(([name, count]) => [
      name.replace(/^__wbg_|_[0-9a-f]{16}$/g, ""),
      count,
    ]),
  );

test("warm verifications and checks cross for request, clock and answer only", async (t) => {
  const postern = await startPostern(t, { entry: "crossings" });
  await registerApp(postern, { secret: SECRET });
  const headers = {
    authorization: `Bearer ${sign(SECRET, { loginname: "alice", exp: nowInSeconds() + 600 })}`,
  };
  for (const path of ["/v1/verify", "/v1/check?service=1&permission=VIEW"]) {
    for (let warm = 0; warm < 3; warm += 1)
      assert.equal((await postern.send({ path, headers })).status, 200);
    await postern.send({ path: "/testing" });
    assert.equal((await postern.send({ path, headers })).status, 200);
    const { json } = await postern.send({ path: "/testing" });
    assert.deepEqual(named(json), { method: 1, url: 1, now: 1, header: 2, respond: 1 }, path);
  }
});

test("a warm verification of a session reads two headers more", async (t) => {
  const postern = await startPostern(t, {
    entry: "crossings",
    bindings: deployment({ LOGIN_URL: "password" }),
  });
  await registerApp(postern, { secret: SECRET });
  const token = sign(SECRET, { loginname: "alice", exp: nowInSeconds() + 600 });
  const page = { "x-forwarded-uri": `/page?token=${token}`, "sec-fetch-mode": "navigate" };
  const byToken = sessionOf(
    expectStatus(await postern.send({ path: "/v1/forward-auth", headers: page }), 200),
  );
  for (const cookie of [byToken, await signInBrowser(postern)]) {
    const ask = () => postern.send({ path: "/v1/verify", headers: { cookie } });
    for (let warm = 0; warm < 3; warm += 1) expectStatus(await ask(), 200);
    await postern.send({ path: "/testing" });
    expectStatus(await ask(), 200);
    const { json } = await postern.send({ path: "/testing" });
    assert.deepEqual(named(json), { method: 1, url: 1, now: 1, header: 4, respond: 1 });
  }
});

/** The crossings of a request in an isolate that has answered others. */
async function crossingsOf(isolate, request) {
  await isolate.send({ path: "/testing" });
  const answer = expectStatus(await isolate.send(request), 200);
  return { answer, crossings: named((await isolate.send({ path: "/testing" })).json) };
}

test("a cold check crosses once for all statements of D1 and never for its rows", async (t) => {
  const [writer, cold] = await startIsolates(t, 2, { entry: "crossings" });
  await registerApp(writer, { secret: SECRET });
  const bearer = (loginname) => ({
    authorization: `Bearer ${sign(SECRET, { loginname, exp: nowInSeconds() + 600 })}`,
  });
  for (const name of ["alice", "bob", "carol"])
    expectStatus(await writer.send({ path: "/v1/verify", headers: bearer(name) }), 200);
  const check = (name) => ({ path: "/v1/check?service=1&permission=VIEW", headers: bearer(name) });
  for (const name of ["alice", "bob"]) expectStatus(await cold.send(check(name)), 200);
  const { crossings } = await crossingsOf(cold, check("carol"));
  const { database, batch, promised, sharedText, share, setTimeout, respond } = crossings;
  assert.deepEqual(
    { database, batch, promised, respond },
    { database: 1, batch: 1, promised: 1, respond: 1 },
  );
  assert.deepEqual(
    { sharedText, share },
    { sharedText: 1, share: 1 },
    "the data centre is asked once, and told once",
  );
  assert.equal(setTimeout, 2, "a limit for the data centre, and one for D1");
  const total = Object.values(crossings).reduce((sum, count) => sum + count);
  assert.ok(
    total <= 45,
    `${total} in all, however many rows there are: ${JSON.stringify(crossings)}`,
  );
});

test("a long page of grants crosses as often as a short one, and keeps each int64", async (t) => {
  const postern = await startPostern(t, { entry: "crossings" });
  const ids = ["9007199254740993", "9223372036854775807", "-9223372036854775808"];
  const post = (path, body) =>
    postern.send({
      method: "POST",
      path,
      headers: { ...admin, "content-type": "application/json" },
      body,
    });
  for (const id of ids)
    expectStatus(
      await post(
        "/api/v1/services/9007199254740993/auth",
        `{"authObjectType":"USER","authObjectId":${id},"permissions":["VIEW"]}`,
      ),
      200,
    );
  for (let id = 1; id <= 40; id += 1)
    expectStatus(
      await post(
        "/api/v1/services/7/auth",
        `{"authObjectType":"USER","authObjectId":${id},"permissions":["VIEW"]}`,
      ),
      200,
    );
  const list = (service) =>
    crossingsOf(postern, {
      path: `/api/v1/services/auth?serviceId=${service}&authObjectType=USER&pageSize=2000`,
      headers: admin,
    });
  await list(7);
  const [short, long] = [await list("9007199254740993"), await list(7)];
  for (const id of ids)
    assert.match(
      short.answer.text,
      new RegExp(`"authObjectId":${id},"permissions":\\["VIEW"\\],"serviceId":9007199254740993,`),
    );
  assert.equal(long.answer.json.data.list.length, 40);
  assert.deepEqual(long.crossings, short.crossings);
  assert.equal(long.crossings.batch, 1);
});

test("a page of grants with names is the same as one text and as separate rows", async (t) => {
  const postern = await startPostern(t);
  const names = ['Alice "A" \\\\ Doe', "日本語 🙂", "Zoë"];
  for (const [index, name] of names.entries()) {
    expectStatus(
      await postern.send({
        method: "POST",
        path: "/v1/users",
        headers: admin,
        json: { username: `user-${index}`, name },
      }),
      201,
    );
    expectStatus(
      await postern.send({
        method: "POST",
        path: "/v1/services/7/grants",
        headers: admin,
        json: { username: `user-${index}`, permissions: ["TEST"] },
      }),
      201,
    );
  }
  const list = async (size) => {
    const query = `serviceId=7&authObjectType=USER&infoScope=DETAIL&pageSize=${size}`;
    const path = `/api/v1/services/auth?${query}`;
    return expectStatus(await postern.send({ path, headers: admin }), 200).json.data;
  };
  const [packed, plain] = [await list(1500), await list(2000)];
  assert.deepEqual(packed.list.map(({ name }) => name).sort(), [...names].sort());
  assert.deepEqual(packed, plain);
});
