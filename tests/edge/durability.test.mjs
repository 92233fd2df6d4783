// SIGKILL to workerd during writes. Each write that was acknowledged is there after a restart on
// the same state.

import { test } from "node:test";
import assert from "node:assert/strict";
import {
  configuration,
  expectStatus,
  listApps,
  listUsers,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
} from "./support/client.mjs";
import { deployment, startWorkerd, stateFolder } from "./support/workerd.mjs";

/** Writers. Each sends its next write when the last one is answered. */
const WRITERS = 8;

const secretOf = (number) => `the secret of app ${number}`;

/** Sends one write of each kind in turn. Returns whether it was acknowledged. */
async function write(postern, credential, number) {
  const request =
    number % 2 === 0
      ? { path: "/v1/users", json: { username: `user-${number}`, name: `User ${number}` } }
      : {
          path: "/plugin/datafor-modeler/api/token/update",
          json: configuration({ name: `app-${number}`, secret: secretOf(number) }),
        };
  const answer = await postern
    .send({ method: "POST", headers: credential, ...request })
    .catch(() => undefined);
  if (answer) assert.ok([200, 201].includes(answer.status), `${answer.status} ${answer.text}`);
  return answer !== undefined;
}

/**
 * Writes until `enough` writes are acknowledged, then kills workerd while the writers go on.
 * Returns the acknowledged numbers.
 */
async function writeAndKill(workerd, credential, from, enough) {
  const [postern] = workerd.isolates;
  const acknowledged = [];
  let next = from;
  let killed;
  const writer = async () => {
    while (!killed) {
      const number = next;
      next += 1;
      if (!(await write(postern, credential, number))) {
        assert.ok(killed, `write ${number} failed before the kill`);
        return;
      }
      acknowledged.push(number);
      if (acknowledged.length === enough) killed = workerd.kill();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  await killed;
  return { acknowledged, next };
}

test("every write that was answered with success outlives a SIGKILL", async (test) => {
  const folder = stateFolder(test);
  const one = { bindings: deployment(), database: "kept", namespace: "kept" };
  let workerd = await startWorkerd({ isolates: [one], folder });
  test.after(() => workerd.stop());
  await registerApp(workerd.isolates[0], { name: "first" });
  const { credential } = await signIn(workerd.isolates[0]);

  const expected = new Set();
  let from = 0;
  for (const enough of [7, 40, 111]) {
    const { acknowledged, next } = await writeAndKill(workerd, credential, from, enough);
    acknowledged.forEach((number) => expected.add(number));
    from = next;

    workerd = await startWorkerd({ isolates: [one], folder, migrate: false });
    const [postern] = workerd.isolates;
    // The credential is one of the writes, too: an opaque token from before the first kill.
    const users = new Set((await listUsers(postern, credential)).map((user) => user.username));
    const apps = new Map((await listApps(postern, credential)).map((app) => [app.name, app]));
    for (const number of expected) {
      if (number % 2 === 0)
        assert.ok(users.has(`user-${number}`), `user-${number} was acknowledged and is lost`);
      else
        assert.equal(
          apps.get(`app-${number}`)?.secret,
          secretOf(number),
          `app-${number} was acknowledged and is lost`,
        );
    }
    const number = [...expected].findLast((number) => number % 2 === 1);
    const token = sign(secretOf(number), { loginname: "alice", exp: nowInSeconds() + 600 });
    const { json } = expectStatus(
      await postern.send({ path: `/v1/verify?token=${token}&app=app-${number}` }),
      200,
    );
    assert.equal(json.app, `app-${number}`);
  }
});
