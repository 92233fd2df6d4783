// The last release on the new schema: its own transcripts run on the host, with the migrations of
// these sources.
//
// The host runs the same SQL as the Worker, and a build of the old Worker would need its old tools.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { top } from "../edge/support/workerd.mjs";
import { lastReleaseTarget, run, succeed } from "./support/programs.mjs";

const [release, commit] = readFileSync(join(top, "tests/upgrade/last_release"), "utf8")
  .trim()
  .split(" ");

/** The sources of the release, with their migrations replaced by those of these sources. */
async function sources() {
  const { code } = await run("git", ["cat-file", "-e", `${commit}^{commit}`]);
  assert.equal(
    code,
    0,
    `the history here lacks ${commit}, which is ${release}: git fetch --unshallow brings it`,
  );
  const folder = join(top, ".build/last-release");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const archive = join(top, ".build/last-release.tar");
  await succeed("git", ["archive", "--format=tar", `--output=${archive}`, commit]);
  await succeed("tar", ["-xf", archive, "-C", folder]);
  rmSync(archive);
  rmSync(join(folder, "migrations"), { recursive: true });
  cpSync(join(top, "migrations"), join(folder, "migrations"), { recursive: true });
  return folder;
}

test(`the transcripts of ${release} hold on the new schema`, async () => {
  const folder = await sources();
  const then = JSON.parse(
    readFileSync(join(top, `tests/upgrade/${release}.json`), "utf8"),
  ).migrations;
  for (const name of Object.keys(then))
    assert.ok(existsSync(join(folder, "migrations", name)), `migrations/${name} is gone`);
  assert.ok(readdirSync(join(folder, "tests/golden")).length > 0);

  const env = { CARGO_TARGET_DIR: lastReleaseTarget };
  const args = [
    "test",
    "--locked",
    "--test",
    "host",
    "golden::every_transcript_holds",
    "--",
    "--exact",
    "--nocapture",
  ];
  const output = await succeed("cargo", args, { cwd: folder, env });
  const [, count] = /^(\d+) transcripts$/m.exec(output) ?? [];
  assert.ok(Number(count) > 500, `the release has played ${count} transcripts:\n${output}`);
});
