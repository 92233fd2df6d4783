// schemathesis generates valid and invalid requests from the document, and finds no fault in the
// answers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { signIn } from "../../edge/support/client.mjs";
import { ADMIN_PASSWORD, startPostern, top } from "../../edge/support/workerd.mjs";
import { fromPypi, run, workFolder } from "../support/programs.mjs";

const here = join(top, "tests/all/openapi");
const DOCUMENT = join(top, "public/v1/openapi.json");
const SEED = 20250123;
/** Milliseconds. Ten failures take longer, because each one hashes a password. */
const FORGET_EVERY_MS = 100;

const operations = () =>
  Object.values(JSON.parse(readFileSync(DOCUMENT, "utf8")).paths).flatMap((path) =>
    Object.keys(path),
  ).length;

/**
 * Deletes failed sign-ins all the time, until the returned function is called. To check whether a
 * credential is used, schemathesis signs in again and again with one unknown name, without calling
 * any hook. Without this, the limit would answer 429 instead of 401.
 */
function forgetFailures(postern) {
  let isOver = false;
  const forget = async () => {
    while (!isOver) {
      await postern.tool("query", { sql: "DELETE FROM failed_sign_ins" });
      await sleep(FORGET_EVERY_MS);
    }
  };
  const forgetting = forget();
  return () => {
    isOver = true;
    return forgetting;
  };
}

/** Runs schemathesis on all operations with the token. Returns `{ code, stdout, stderr }`. */
async function judge(postern, token) {
  const folder = workFolder("schemathesis");
  const env = {
    POSTERN: postern.url.replace(/\/$/, ""),
    USERNAME: "admin",
    PASSWORD: ADMIN_PASSWORD,
    OPAQUE_TOKEN: token,
    PYTHONPATH: here,
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const args = [
    ...["--no-color", "--config-file", join(here, "schemathesis.toml"), "run", DOCUMENT],
    ...["--url", env.POSTERN, "--seed", String(SEED)],
  ];
  return run(fromPypi("schemathesis"), args, { cwd: folder, env });
}

test("schemathesis has no finding in any operation", async (t) => {
  const postern = await startPostern(t);
  const { token } = await signIn(postern);
  const remember = forgetFailures(postern);
  const { code, stdout, stderr } = await judge(postern, token).finally(remember);
  const still = await postern.send({ path: "/v1/verify", headers: { "x-auth-token": token } });
  assert.equal(still.status, 200, "the token has ended, and what came after was not judged");
  assert.equal(code, 0, `${stdout.slice(-20_000)}\n${stderr.slice(-2000)}`);
  // A filter would leave operations out without notice.
  const [, selected, tested] = /Selected: (\d+)[\s\S]*Tested: (\d+)/.exec(stdout) ?? [];
  assert.deepEqual(
    [Number(tested), Number(selected)],
    [operations(), operations()],
    stdout.slice(-3000),
  );
});
