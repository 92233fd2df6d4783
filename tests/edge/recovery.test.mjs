// A panic fails the requests of its wasm instance, and no later request.

import { test } from "node:test";
import assert from "node:assert/strict";
import {
  expectStatus,
  listUsers,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  verifyBearer,
} from "./support/client.mjs";
import { startPostern } from "./support/workerd.mjs";

const panic = (postern, path = "/panic") => postern.send({ path });

const tokenOf = (username) => sign("abcd", { loginname: username, exp: nowInSeconds() + 600 });

test("the request that panics gets a 5xx and the next one is answered", async (test) => {
  const postern = await startPostern(test, { entry: "probe" });
  expectStatus(await postern.send({ path: "/health" }), 200);
  // Panics before and after the request has waited for something.
  for (const path of ["/panic", "/panic/later", "/panic", "/panic/later", "/panic/later"]) {
    const answer = await panic(postern, path);
    assert.ok(answer.status >= 500, `${answer.status}`);
    assert.doesNotMatch(answer.text, /panick|\.rs|wasm/, "the answer tells nothing of the panic");
    expectStatus(await postern.send({ path: "/health" }), 200);
  }
});

for (const [what, path] of [
  ["a trap without a panic", "/trap"],
  ["an exception that leaves the wasm", "/throw"],
]) {
  test(`${what} is recovered from like a panic`, async (test) => {
    const postern = await startPostern(test, { entry: "probe" });
    for (const each of [path, `${path}/later`, path, `${path}/later`, `${path}/later`]) {
      const answer = await panic(postern, each);
      assert.ok(answer.status >= 500, `${each}: ${answer.status}`);
      expectStatus(await postern.send({ path: "/health" }), 200);
    }
  });
}

test("the scheduled event runs after a panic", async (test) => {
  const postern = await startPostern(test, { entry: "probe" });
  await registerApp(postern);
  await panic(postern);
  await postern.scheduled();
  assert.notEqual((await postern.records()).length, 0, "it has written the copy in KV");
});

test("the Worker that is deployed has no path that panics", async (test) => {
  const postern = await startPostern(test);
  expectStatus(await panic(postern), 404);
});

test("what was there before a panic is there after it", async (test) => {
  const postern = await startPostern(test, { entry: "probe" });
  const { token } = await signIn(postern);
  await registerApp(postern);
  const jwt = tokenOf("alice");
  const before = expectStatus(await verifyBearer(postern, jwt), 200).json;
  await panic(postern);
  assert.equal(expectStatus(await verifyBearer(postern, token), 200).json.user.username, "admin");
  assert.deepEqual(expectStatus(await verifyBearer(postern, jwt), 200).json, before);
});

test("requests that are under way at a panic end, and those after it are whole", async (test) => {
  const postern = await startPostern(test, { entry: "probe" });
  await registerApp(postern);
  for (let round = 0; round < 3; round += 1) {
    const username = (number) => `user-${round}-${number}`;
    const begun = Array.from({ length: 10 }, (_, number) =>
      verifyBearer(postern, tokenOf(username(number))),
    );
    const [panicked, ...ended] = await Promise.all([panic(postern), ...begun]);
    assert.ok(panicked.status >= 500, `${panicked.status}`);
    for (const { status, text } of ended)
      assert.ok(status === 200 || status >= 500, `${status} ${text}`);

    for (let number = 0; number < 10; number += 1) {
      const { user } = expectStatus(
        await verifyBearer(postern, tokenOf(username(number))),
        200,
      ).json;
      assert.equal(user.username, username(number));
    }
  }
  const names = (await listUsers(postern)).map((user) => user.username);
  assert.equal(names.length, 31, "each user is there once");
  assert.equal(new Set(names).size, 31);
});
