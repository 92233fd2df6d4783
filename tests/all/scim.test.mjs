// scim2-tester, which changes and compares each attribute of the published schemas, finds no fault,
// with a key that may only provision.

import assert from "node:assert/strict";
import { test } from "node:test";
import { admin, expectStatus } from "../edge/support/client.mjs";
import { startPostern } from "../edge/support/workerd.mjs";
import { fromPypi, run } from "./support/programs.mjs";

/** The least number of checks that succeed. If there are fewer, it has left some out. */
const LEAST = 60;

test("scim2 test has no error", async (t) => {
  const postern = await startPostern(t);
  const made = await postern.send({
    method: "POST",
    path: "/v1/keys",
    headers: admin,
    json: { name: "entra", may: ["provisioning"] },
  });
  const { key } = expectStatus(made, 201).json;
  const url = `${postern.url.replace(/\/$/, "")}/scim/v2`;
  const env = { SCIM_CLI_HEADERS: `Authorization: Bearer ${key}` };
  const { stdout, stderr } = await run(fromPypi("scim2"), ["--url", url, "test", "-v"], { env });
  const told = `${stdout}\n${stderr}`;
  const ends = told
    .split("\n")
    .map((line) => /^([A-Z_]+) [a-z_]+$/.exec(line.trimEnd())?.[1])
    .filter(Boolean);
  const count = (word) => ends.filter((end) => end === word).length;
  // It skips a search over users and groups at once, because Postern does not offer that.
  assert.deepEqual([...new Set(ends)].sort(), ["SKIPPED", "SUCCESS"], told);
  assert.equal(count("SKIPPED"), 2, told);
  assert.ok(count("SUCCESS") >= LEAST, told);
});
