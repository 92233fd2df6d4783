// Concurrent requests for the same grant create it once. A grant that is deleted is not in force
// any more.

import { test } from "node:test";
import assert from "node:assert/strict";
import { admin, expectStatus } from "./support/client.mjs";
import { startIsolates } from "./support/workerd.mjs";

const CROWD = 50;
const OBJECT = 4711;

const grant = (isolate, service) =>
  isolate.send({
    ...{ method: "POST", path: `/api/v1/services/${service}/auth`, headers: admin },
    json: { authObjectType: "USER", authObjectId: OBJECT, permissions: ["VIEW", "TEST"] },
  });

async function grantsOf(isolate, service) {
  const answer = await isolate.send({
    path: `/api/v1/services/auth?serviceId=${service}&authObjectType=USER`,
    headers: admin,
  });
  return expectStatus(answer, 200).json.data;
}

async function isAllowed(isolate, service) {
  const answer = await isolate.send({
    path: `/v1/check?service=${service}&permission=TEST&user=${OBJECT}`,
    headers: admin,
  });
  return expectStatus(answer, 200).json.allowed;
}

for (const count of [1, 2]) {
  test(`of 50 equal grants at once in ${count} isolates one creates it`, async (test) => {
    const isolates = await startIsolates(test, count);
    // Signs the administrator in at each isolate first, so that the crowd only creates grants.
    for (const isolate of isolates) await grantsOf(isolate, 7);
    const answers = await Promise.all(
      Array.from({ length: CROWD }, (_, number) => grant(isolates[number % count], 7)),
    );
    const [succeeded, refused] = [200, 409].map((status) =>
      answers.filter((answer) => answer.status === status),
    );
    assert.deepEqual([succeeded.length, refused.length], [1, CROWD - 1]);
    assert.equal(succeeded[0].json.code, "S");
    for (const { json } of refused) {
      assert.equal(json.ext.eKey, "resource_already_exists");
      assert.equal(json.msg, `Already exists resource Authorization:USER[${OBJECT}]`);
    }

    const { total, list } = await grantsOf(isolates[0], 7);
    assert.equal(total, 1);
    assert.deepEqual(
      list.map(({ id }) => id),
      [succeeded[0].json.data.id],
    );
  });
}

test("a grant that is taken back is refused at once where that was done", async (test) => {
  const [isolate] = await startIsolates(test, 1);
  for (let round = 0; round < 5; round += 1) {
    const { id } = expectStatus(await grant(isolate, 8), 200).json.data;
    assert.equal(await isAllowed(isolate, 8), true);
    expectStatus(
      await isolate.send({ method: "DELETE", path: `/api/v1/services/auth/${id}`, headers: admin }),
      200,
    );
    assert.equal(await isAllowed(isolate, 8), false);
  }
});

test("a deleted grant is refused elsewhere in 10 s, with the bookmark at once", async (test) => {
  const [here, there] = await startIsolates(test, 2);
  const { id } = expectStatus(await grant(here, 9), 200).json.data;
  assert.equal(await isAllowed(there, 9), true);
  const deleted = expectStatus(
    await here.send({ method: "DELETE", path: `/api/v1/services/auth/${id}`, headers: admin }),
    200,
  );
  const since = Date.now();
  const bookmark = deleted.headers["x-postern-bookmark"];
  while (await isAllowed(there, 9)) {
    assert.ok(Date.now() - since < 10_000, "it is still allowed after 10 seconds");
    await new Promise((done) => setTimeout(done, 200));
  }

  const again = expectStatus(await grant(here, 9), 200);
  const path = `/v1/check?service=9&permission=TEST&user=${OBJECT}`;
  const headers = { ...admin, "x-postern-bookmark": again.headers["x-postern-bookmark"] };
  assert.ok(bookmark);
  assert.equal(expectStatus(await there.send({ path, headers }), 200).json.allowed, true);
});
