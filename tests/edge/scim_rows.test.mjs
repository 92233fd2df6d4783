// SCIM reads no more rows than each kind of request allows, with 10,000 users and a group of 5,000.

import { test } from "node:test";
import assert from "node:assert/strict";
import { applyMigrations } from "../../scripts/lib/worker.mjs";
import { exceeded, table } from "../scale/rows_read.mjs";
import { fill, measureScim } from "../scale/scim.mjs";
import { startMeasured } from "../scale/support.mjs";
import { stateFolder } from "./support/workerd.mjs";

const USERS = 10_000;

test("no request of a provider reads more rows than its kind allows", async (test) => {
  const folder = stateFolder(test);
  await applyMigrations(folder);
  const worker = await startMeasured(folder);
  test.after(() => worker.stop());
  const group = await fill(worker.url, USERS);
  const measured = await measureScim(worker.url, USERS, group);
  table(measured)
    .split("\n")
    .forEach((line) => test.diagnostic(line));
  assert.deepEqual(
    exceeded(measured).map(({ kind, rows, bound }) => `${kind}: ${rows} of ${bound}`),
    [],
  );
});
