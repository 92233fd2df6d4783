// The examples, behind real proxies: paths in every spelling. What arrives without the permission for
// /reports is not read as /reports by a server that reads paths plainly, as the proxies themselves do.

import { it } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { top } from "../../edge/support/workerd.mjs";
import { alice, bearer, behindEach, carol } from "./setup.mjs";

const AT_ONCE = 8;

/** One of ten of those that the gateway is tested with. */
const file = join(top, "tests/all/support/spellings.txt");
const spellings = readFileSync(file, "utf8")
  .trimEnd()
  .split("\n")
  .filter((_, at) => at % 10 === 0);

/** A path as a server reads it that decodes it once, and knows neither `;` nor `\`. */
function plainPath(url) {
  const [path] = url.split(/[?#]/);
  const character = (_, digits) => String.fromCharCode(parseInt(digits, 16));
  const decoded = path.replaceAll(/%([\da-f]{2})/gi, character);
  const parts = [];
  for (const part of decoded.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

const isOfReports = (url) => /^\/reports(\/|$)/.test(plainPath(url));

behindEach((given) => {
  it("no spelling of /reports passes without the permission for it", async () => {
    const statuses = new Map();
    const left = spellings.values();
    const headers = bearer(alice());
    const work = async () => {
      for (const path of left) {
        const { status } = await given.proxy.send({ path, headers });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const arrived = given.app.received.map(({ url }) => url);
    assert.deepEqual(arrived.filter(isOfReports), []);
    // Some arrive and some are refused, or there would be nothing to see.
    const counts = JSON.stringify([...statuses]);
    assert.ok(statuses.get(403) > 10 && statuses.get(200) > 10, counts);
    assert.ok(
      isOfReports((await given.arriving({ path: "/reports/", headers: bearer(carol()) })).url),
    );
  });
});
