// The Worker asks the platform's limit on sign-ins on workerd, and answers 429 when it refuses.

import assert from "node:assert/strict";
import { it } from "node:test";
import { startWorkerd } from "./support/workerd.mjs";

it("refuses a password when the platform's limit is reached", async (test) => {
  const ratelimits = { SIGN_INS: { namespace_id: "1001", simple: { limit: 3, period: 60 } } };
  const workerd = await startWorkerd({ isolates: [{ ratelimits }] });
  test.after(() => workerd.stop());
  const [isolate] = workerd.isolates;
  const answers = [];
  for (let count = 0; count < 8; count += 1) {
    const authorization = `Basic ${Buffer.from(`admin:wrong ${count}`).toString("base64")}`;
    const response = await isolate.send({ path: "/v1/verify", headers: { authorization } });
    answers.push([response.status, response.headers["x-postern-reason"]]);
  }
  // The limit's window may end in between.
  assert.deepEqual(answers[0], [401, "wrong_password"]);
  assert.ok(
    answers.some(([status, reason]) => status === 429 && reason === "rate_limit"),
    JSON.stringify(answers),
  );
});
