// scim2-tester, which changes and compares every attribute of the published schemas, finds nothing
// wrong, with a key that may provision and nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { admin } from "../edge/support/client.mjs";
import { expectStatus } from "../edge/support/http.mjs";
import { startPostern } from "../edge/support/workerd.mjs";
import { fromPypi, run } from "./support/programs.mjs";

/** Its least number of checks that succeed: fewer would mean that it left some out. */
const LEAST = 60;

test("scim2 test has no error", async (t) => {
  const postern = await startPostern(t);
  const made = await postern.send({ method: "POST", path: "/v1/keys", headers: admin, json: { name: "entra", may: ["provisioning"] } });
  const { key } = expectStatus(made, 201).json;
  const url = `${postern.url.replace(/\/$/, "")}/scim/v2`;
  const env = { SCIM_CLI_HEADERS: `Authorization: Bearer ${key}` };
  const { code, stdout, stderr } = await run(fromPypi("scim2"), ["--url", url, "test", "-v"], { env });
  const told = `${stdout}\n${stderr}`;
  const count = (word) => told.split("\n").filter((line) => line.startsWith(`${word} `)).length;
  assert.equal(code, 0, told);
  assert.equal(count("ERROR"), 0, told);
  assert.ok(count("SUCCESS") >= LEAST, told);
});
