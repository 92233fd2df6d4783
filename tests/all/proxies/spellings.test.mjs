// The examples behind real proxies: paths in each spelling. If a request arrives without the
// permission for /reports, a server that reads paths plainly, as the proxies do, does not read its
// path as /reports.

import { it } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { top } from "../../edge/support/workerd.mjs";
import { alice, bearer, behindEach, carol } from "./setup.mjs";

const AT_ONCE = 8;

/** Every tenth of the spellings with which the gateway is tested. */
const file = join(top, "tests/all/support/spellings.txt");
const spellings = readFileSync(file, "utf8")
  .trimEnd()
  .split("\n")
  .filter((_, at) => at % 10 === 0);

/**
 * The path as a server reads it that decodes once, and does not know `;` and `\`. The path ends
 * before the first of `ends`.
 */
function plainPath(url, ends) {
  const [path] = url.split(ends);
  const character = (_, digits) => String.fromCharCode(parseInt(digits, 16));
  const decoded = path.replaceAll(/%([\da-f]{2})/gi, character);
  const parts = [];
  for (const part of decoded.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Some servers end a path at a `#`, and others read it as a character. */
const isOfReports = (url) =>
  [/[?#]/, "?"].some((ends) => /^\/reports(\/|$)/.test(plainPath(url, ends)));

/** Paths outside of /reports, unless something changes them after Postern was asked. */
const OTHERS = [
  "/reptoken=xorts/2026?token=x",
  "/reptoken=x&orts/2026?token=x&a=b",
  "/rep&token=xorts/2026?a=b&token=x",
  "/reptoken=a//borts/2026?token=a//b",
  "/reptoken=a/../borts/2026?token=a/../b",
  "/rep%74oken=xorts/2026?token=x",
  "/a/.token=x./../../reports/2026?token=x",
  "/reptoken=%78orts/2026?token=%78",
  "/x#/../reports/2026",
];

behindEach((given, facts) => {
  it("no path becomes one of /reports after Postern was asked about it", async () => {
    for (const path of OTHERS) {
      given.forget();
      const { status } = await given.proxy.send({ path, headers: bearer(alice()) });
      const arrived = given.app.received.map(({ url }) => url);
      assert.deepEqual(arrived.filter(isOfReports), [], `${path}: ${status}`);
    }
    const [path, without] = ["/a?token=x&b=token=x", "/a?b=token=x"];
    const clear = await given.arriving({ path, headers: bearer(alice()) });
    assert.equal(clear.url, facts.url(path, without));
  });

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
    // If all paths arrived or all were refused, the test would prove nothing.
    const counts = JSON.stringify([...statuses]);
    assert.ok(statuses.get(403) > 10 && statuses.get(200) > 10, counts);
    assert.ok(
      isOfReports((await given.arriving({ path: "/reports/", headers: bearer(carol()) })).url),
    );
  });
});
