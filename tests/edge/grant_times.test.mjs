// A grant ends in time in an isolate that has it in memory, without a reading of D1.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { applyMigrations } from "../../scripts/lib/worker.mjs";
import { issue } from "../scale/rows_read.mjs";
import { admin, startMeasured } from "../scale/support.mjs";
import { stateFolder } from "./support/workerd.mjs";

const VALID_MS = 2000;

test("a grant ends at its moment without a reading", async (t) => {
  const folder = stateFolder(t);
  await applyMigrations(folder);
  const worker = await startMeasured(folder);
  t.after(() => worker.stop());
  const authorization = `Bearer ${(await issue(worker.url)).token}`;
  const allowed = async () => {
    await fetch(`${worker.url}/testing`);
    const path = "/v1/check?service=7&permission=TEST&user=101";
    const answer = await fetch(worker.url + path, { headers: { authorization } });
    assert.equal(answer.status, 200);
    const { calls } = await (await fetch(`${worker.url}/testing`)).json();
    return { allowed: (await answer.json()).allowed, calls };
  };
  const expiresAt = Date.now() + VALID_MS;
  const grant = { authObjectType: "USER", authObjectId: 101, permissions: ["TEST"], expiresAt };
  const given = await fetch(`${worker.url}/v1/services/7/grants`, {
    method: "POST",
    headers: { ...admin, "content-type": "application/json" },
    body: JSON.stringify(grant),
  });
  assert.equal(given.status, 201);
  assert.equal((await allowed()).allowed, true);
  const warm = await allowed();
  // On a slow machine, the grant may have ended already.
  if (Date.now() < expiresAt) assert.deepEqual(warm, { allowed: true, calls: 0 });
  await setTimeout(Math.max(0, expiresAt - Date.now()) + 1);
  assert.deepEqual(await allowed(), { allowed: false, calls: 0 });
});
