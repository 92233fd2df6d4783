// Paths in each spelling, through the gateway to real servers. None of them answers with what a
// rule forbids, or from outside of the origin's base path. tests/host/path_spellings.rs makes the
// spellings, and compares many more with models of such servers.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  admin,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  verifyBearer,
} from "../edge/support/client.mjs";
import { send } from "../edge/support/http.mjs";
import { deployment, startWorkerd, top } from "../edge/support/workerd.mjs";
import { FORBIDDEN, ORDINARY, OUTSIDE, startServers } from "./support/servers.mjs";

const AT_ONCE = 8;
const SERVICE = 7;
const RULES = JSON.stringify([{ path: "/reports", service: SERVICE, permission: "VIEW" }]);
const NAMES = ["nginx", "httpd", "Tomcat", "Tomcat with encoded slashes"];

const spellings = readFileSync(join(top, "tests/all/support/spellings.txt"), "utf8")
  .trimEnd()
  .split("\n");
const folder = mkdtempSync(join(tmpdir(), "postern-spellings-"));
const bearer = (loginname) => ({
  authorization: `Bearer ${sign("abcd", { loginname, exp: nowInSeconds() + 3600 })}`,
});
let [servers, workerd, gates] = [];

before(async () => {
  servers = await startServers(folder);
  const isolates = NAMES.map((name) => {
    const changes = {
      ORIGIN_URL: `${servers.urls[name]}/base`,
      ORIGIN_PUBLIC: "/static",
      ORIGIN_RULES: RULES,
    };
    return { bindings: deployment(changes) };
  });
  workerd = await startWorkerd({ isolates });
  gates = Object.fromEntries(NAMES.map((name, index) => [name, workerd.isolates[index]]));
});

after(async () => {
  await Promise.all([workerd?.stop(), servers?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** The answers to all spellings, in order. */
async function answers(url, headers, base = "") {
  const result = [];
  const left = spellings.entries();
  const work = async () => {
    for (const [index, path] of left)
      result[index] = await send(url, { path: `${base}${path}`, headers });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return result;
}

for (const name of NAMES) {
  test(`no spelling makes ${name} show what the rule forbids`, async (test) => {
    const gate = gates[name];
    await registerApp(gate);
    const idOf = async (who) =>
      expectStatus(await verifyBearer(gate, bearer(who).authorization.slice(7)), 200).json.user.id;
    await idOf("alice");
    const json = {
      authObjectType: "USER",
      authObjectId: await idOf("carol"),
      permissions: ["VIEW"],
    };
    expectStatus(
      await gate.send({
        method: "POST",
        path: `/api/v1/services/${SERVICE}/auth`,
        headers: admin,
        json,
      }),
      200,
    );
    for (const path of ["/reports", "/reports/2026"]) {
      const { text } = expectStatus(await gate.send({ path, headers: bearer("carol") }), 200);
      assert.match(text, new RegExp(FORBIDDEN), "with the grant it is there");
      expectStatus(await gate.send({ path, headers: bearer("alice") }), 403);
    }

    const got = await answers(gate.url, bearer("alice"));
    const wrong = got.flatMap(({ text }, index) =>
      text.includes(FORBIDDEN) || text.includes(OUTSIDE) ? [spellings[index]] : [],
    );
    assert.deepEqual(wrong, []);
    const count = (part) => got.filter(({ text }) => text.includes(part)).length;
    const statuses = Object.groupBy(got, ({ status }) => status);
    test.diagnostic(
      Object.entries(statuses)
        .map(([status, list]) => `${status}: ${list.length}`)
        .join(", "),
    );
    assert.ok(
      count(ORDINARY) > spellings.length / 40,
      `${count(ORDINARY)} of ${spellings.length} were passed on and answered`,
    );

    // Without the gateway, many of them reach the forbidden place, so the test proves something.
    const direct = await answers(servers.urls[name], {}, "/base");
    const found = direct.filter(
      ({ text }) => text.includes(FORBIDDEN) || text.includes(OUTSIDE),
    ).length;
    test.diagnostic(`${found} of ${spellings.length} reach it without the gateway`);
    assert.ok(
      found > spellings.length / 20,
      `${found} of ${spellings.length} reach it without the gateway`,
    );
  });
}
