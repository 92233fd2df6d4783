// Makes the fixture of a release: a database as its Worker leaves it, and what must still hold on
// it.
//
//   node tests/upgrade/make_fixture.mjs 0.2.0 COMMIT
//
// Run it on the release's own sources, after `make build`. It writes 0.2.0.sql, 0.2.0.json and
// last_release. README.md beside this file says what reads them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deployment, startWorkerd, top } from "../edge/support/workerd.mjs";
import { dump } from "./dump.mjs";
import { ADMIN_PASSWORD, KEY_SET_URL, fill, keySet } from "./fill.mjs";

const folder = join(top, "tests/upgrade");

/** This key encrypts only fixtures. */
const MASTER_KEY = Buffer.from("the master key of every fixture.").toString("base64");

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/**
 * The migrations of a release, each with its hash, because a released migration must not change.
 */
function migrations() {
  const files = readdirSync(join(top, "migrations"))
    .filter((file) => file.endsWith(".sql"))
    .sort();
  return Object.fromEntries(
    files.map((file) => [file, sha256(readFileSync(join(top, "migrations", file)))]),
  );
}

/** The full commit. Its sources must be those that are built here. */
function commitOf(name) {
  const git = (...args) => execFileSync("git", args, { cwd: top, encoding: "utf8" }).trim();
  const commit = git("rev-parse", "--verify", `${name}^{commit}`);
  const changed = git("diff", "--name-only", commit, "--", "src", "migrations", "Cargo.lock");
  assert.equal(changed, "", `these are not as in ${commit}:\n${changed}`);
  return commit;
}

/** Each file names its release, so that its order among the migrations is known. */
async function run(postern, release, commit) {
  const facts = await fill(postern);
  assert.equal((await postern.scheduled()).outcome, "ok");
  const [snapshot] = await postern.records();
  const released = migrations();
  const sql = await dump((text) => postern.tool("query", { sql: text }), Object.keys(released));
  const json = {
    release,
    migrations: released,
    variables: { MASTER_KEY, ADMIN_PASSWORD },
    takenAt: Date.now(),
    snapshot: { key: snapshot.name, value: snapshot.value },
    keySet: { url: KEY_SET_URL, body: keySet() },
    ...facts,
  };
  writeFileSync(
    join(folder, `${release}.sql`),
    `-- The database of release ${release}, made by make_fixture.mjs.\n\n${sql}`,
  );
  writeFileSync(join(folder, `${release}.json`), `${JSON.stringify(json, null, 2)}\n`);
  writeFileSync(join(folder, "last_release"), `${release} ${commit}\n`);
}

const [release, name] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+$/.test(release ?? "") || !name) {
  console.error("usage: node tests/upgrade/make_fixture.mjs VERSION COMMIT");
  process.exit(2);
}
const commit = commitOf(name);
const outbound = ({ url }) => url === KEY_SET_URL && { status: 200, body: keySet() };
const isolates = [{ bindings: deployment({ MASTER_KEY, ADMIN_PASSWORD }), outbound }];
const workerd = await startWorkerd({ isolates });
try {
  await run(workerd.isolates[0], release, commit);
} finally {
  await workerd.stop();
}
