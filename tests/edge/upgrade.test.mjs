// Databases that earlier releases left, on real D1, after the newer migrations.
// tests/host/upgrade.rs asks much more.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  admin,
  basic,
  expectRefusal,
  expectStatus,
  listApps,
  listUsers,
  nowInSeconds,
  sign,
  verifyBearer,
} from "./support/client.mjs";
import { deployment, startPostern, top } from "./support/workerd.mjs";

const folder = join(top, "tests/upgrade");
const releases = readdirSync(folder)
  .filter((file) => file.endsWith(".sql"))
  .map((file) => file.replace(/\.sql$/, ""));

/**
 * The parts of a release's database, which an empty line separates, and the migrations that it
 * lacks.
 */
function statements(release, released) {
  const parts = readFileSync(join(folder, `${release}.sql`), "utf8")
    .split("\n\n")
    .slice(1);
  const newer = readdirSync(join(top, "migrations"))
    .sort()
    .filter((file) => file.endsWith(".sql") && !(file in released));
  return [...parts, ...newer.map((file) => readFileSync(join(top, "migrations", file), "utf8"))];
}

test("there is a release", () => assert.notEqual(releases.length, 0));

for (const release of releases) {
  test(`what ${release} left serves, and is written to`, async (t) => {
    const facts = JSON.parse(readFileSync(join(folder, `${release}.json`), "utf8"));
    const outbound = ({ url }) =>
      url === facts.keySet.url && { status: 200, body: facts.keySet.body };
    const migrate = statements(release, facts.migrations);
    const postern = await startPostern(t, {
      bindings: deployment(facts.variables),
      outbound,
      migrate,
    });

    // The tokens expire in the year 2100 and have no `iat`. That they are valid for too long is
    // said only if their signature is valid.
    for (const { token } of facts.tokens) {
      expectRefusal(await verifyBearer(postern, token), "too_long_lived");
    }
    for (const [username, password] of Object.entries(facts.passwords)) {
      const headers = { authorization: basic(username, password) };
      expectStatus(await postern.send({ path: "/v1/verify", headers }), 200, username);
    }
    const answer = (path) => JSON.parse(facts.answers[path]);
    const apps = await listApps(postern);
    const recorded = answer("/plugin/datafor-modeler/api/token/list").data;
    assert.deepEqual(
      apps.map(({ name, secret }) => [name, secret]),
      recorded.map(({ name, secret }) => [name, secret]),
    );
    const names = (users) => users.map(({ id, username }) => [id, username]);
    assert.deepEqual(names(await listUsers(postern)), names(answer("/v1/users").items));
    for (const { user, service, permission, allowed } of facts.checks) {
      const path = `/v1/check?service=${service}&permission=${permission}&user=${user}`;
      assert.equal(
        expectStatus(await postern.send({ path, headers: admin }), 200).json.allowed,
        allowed,
        path,
      );
    }

    const newcomer = sign("abcd", { loginname: "newcomer", exp: nowInSeconds() + 600 });
    const { json } = expectStatus(await verifyBearer(postern, newcomer), 200);
    assert.ok(json.user.id > facts.deletedUser, "an id is not given again");
    // The release's audit trail knows the user whom it deleted.
    const gone = sign("abcd", { loginname: "gone", exp: nowInSeconds() + 600 });
    const refused = expectStatus(await verifyBearer(postern, gone), 403);
    assert.equal(refused.json.reason, "user_deleted");
    const tombstones = await postern.send({ path: "/v1/tombstones", headers: admin });
    const [tombstone] = expectStatus(tombstones, 200).json.items;
    assert.equal(tombstone.username, "gone");
    assert.equal(tombstone.id, facts.deletedUser);
    const free = { method: "DELETE", path: "/v1/tombstones/gone", headers: admin };
    expectStatus(await postern.send(free), 204);
    expectStatus(await verifyBearer(postern, gone), 200);

    const grant = { authObjectType: "USER", authObjectId: json.user.id, permissions: ["SHARE"] };
    expectStatus(
      await postern.send({
        method: "POST",
        path: "/api/v1/services/1/auth",
        headers: admin,
        json: grant,
      }),
      200,
    );
    const headers = { authorization: `Bearer ${newcomer}` };
    const check = await postern.send({ path: "/v1/check?service=1&permission=SHARE", headers });
    assert.equal(expectStatus(check, 200).json.allowed, true);
    assert.equal((await postern.scheduled()).outcome, "ok");
  });
}
