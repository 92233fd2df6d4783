// No query reads more rows than its kind allows, with 20,000 grants here and a million in `make
// scale`.

import { test } from "node:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import { applyMigrations } from "../../scripts/lib/worker.mjs";
import { sizes, write } from "../scale/directory.mjs";
import { exceeded, issue, measure, table } from "../scale/rows_read.mjs";
import { startMeasured, transfer } from "../scale/support.mjs";
import { stateFolder } from "./support/workerd.mjs";

test("no query reads more rows than its kind allows", async (test) => {
  const folder = stateFolder(test);
  await applyMigrations(folder);
  const size = sizes({ grants: 20_000, users: 2000, services: 200 });
  const file = join(folder, "directory.ndjson");
  await write(file, size);
  // Small requests make the change feed as long as after a busy hour.
  const writer = await startMeasured(folder);
  const imported = await transfer("restore", writer.url, { FILE: file, REQUEST_BYTES: 30_000 })
    .ended;
  assert.equal(imported.code, 0, imported.stderr);
  const credentials = await issue(writer.url);
  await writer.stop();

  const worker = await startMeasured(folder);
  test.after(() => worker.stop());
  const measured = await measure(worker.url, size, credentials);
  table(measured)
    .split("\n")
    .forEach((line) => test.diagnostic(line));
  assert.deepEqual(
    exceeded(measured).map(({ kind, rows, bound }) => `${kind}: ${rows} of ${bound}`),
    [],
  );
});
