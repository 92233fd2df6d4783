// A large directory: each page asks for a page of it, and never for a whole table. USERS and GRANTS
// make it larger; the times are printed, and only counts are asserted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { records, sizes } from "../../scale/directory.mjs";
import { ROUTES } from "./routes.mjs";
import { browser, postern } from "./shared.mjs";
import { open, openWatched, signIn } from "./support.mjs";

const USERS = Number(process.env.USERS || 10_000);
const GRANTS = Number(process.env.GRANTS || 30_000);
/** An import takes 1 MiB. */
const PART = 1_000_000;
/**
 * What a page may ask for, and what comes back: a few requests, a page of rows each. The names of
 * what a list has by id are asked for together, once for each kind.
 */
const MOST_REQUESTS = 12;
const MOST_ROWS = 60;
const MOST_BYTES = 300_000;

/** Beside what `fill` has brought: ids of services, departments and groups begin anew. */
async function importAll() {
  const size = sizes({ grants: GRANTS, users: USERS, services: 300 });
  let [lines, length] = [[], 0];
  const send = async () => {
    if (lines.length > 0) await postern.ask("POST", "/v1/import", undefined, lines.join("\n"));
    [lines, length] = [[], 0];
  };
  for (const record of records(size)) {
    // A grant's id may be taken by one that `fill` has brought.
    const { id, ...others } = record;
    const line = JSON.stringify(record.record === "grant" ? others : record);
    if (length + line.length > PART) await send();
    lines.push(line);
    length += line.length + 1;
  }
  await send();
}

/** Answers a function that waits until nothing is asked any more. */
function watchTraffic(page) {
  let under = 0;
  let since = Date.now();
  const note = (step) => () => {
    under += step;
    since = Date.now();
  };
  page.on("request", note(1));
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, note(-1));
  return async () => {
    while (under > 0 || Date.now() - since < 150) await page.waitForTimeout(25);
  };
}

const OPENED = [
  ...ROUTES.filter((route) => !route.startsWith("/reference") && route !== "/nowhere"),
  "/services/1",
  "/groups/7",
  "/departments/7",
  "/users/5000",
  "/users/5000/access",
];

test(`a directory of ${USERS} users and ${GRANTS} grants is imported`, async () => {
  await importAll();
  const [{ grants }] = await postern.tool("query", {
    sql: "SELECT COUNT(*) AS grants FROM grants",
  });
  assert.ok(grants >= GRANTS, `${grants} grants`);
});

test(`with ${USERS} users and ${GRANTS} grants each page asks for a page`, async (test) => {
  const tab = await openWatched(test, browser);
  const { page } = tab;
  await signIn(tab, postern.url);
  // Modules and the reference's document come once.
  for (const route of OPENED) await open(page, `#${route}`);
  const quiet = watchTraffic(page);
  const slow = [];
  for (const route of OPENED) {
    await open(page, "#/token");
    await quiet();
    const answers = [];
    const note = (response) => response.url().includes("/v1/") && answers.push(response);
    page.on("response", note);
    const since = performance.now();
    await open(page, `#${route}`);
    await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
    slow.push([Math.round(performance.now() - since), route]);
    await page.waitForLoadState("networkidle");
    page.off("response", note);
    const urls = answers.map((one) => one.url());
    assert.ok(
      urls.length <= MOST_REQUESTS,
      `${route} asks ${urls.length} times: ${urls.join(" ")}`,
    );
    for (const answer of answers) {
      const text = await answer.text();
      assert.ok(text.length <= MOST_BYTES, `${route}: ${answer.url()} brings ${text.length} bytes`);
    }
    const rows = await page.locator("main tbody tr").count();
    assert.ok(rows <= MOST_ROWS, `${route} shows ${rows} rows`);
  }
  const times = slow.sort(([one], [other]) => other - one);
  test.diagnostic(
    `slowest pages: ${times
      .slice(0, 5)
      .map(([ms, route]) => `${route} ${ms} ms`)
      .join(", ")}; median ${times[Math.floor(times.length / 2)][0]} ms`,
  );
  tab.check();
});

test("a list is gone through page by page, back and forth", async (test) => {
  const tab = await openWatched(test, browser);
  const { page, t } = tab;
  await signIn(tab, postern.url, "#/users");
  await page.locator("main tbody th").first().waitFor();
  const names = () => page.locator("main tbody th").allInnerTexts();
  const first = await names();
  const go = async (text) => {
    const [before] = await names();
    await page.getByRole("button", { name: t(text), exact: true }).click();
    await page.waitForFunction(
      (old) => document.querySelector("main tbody th").innerText !== old,
      before,
    );
  };
  await go("pager.next");
  const second = await names();
  assert.equal(
    second.some((one) => first.includes(one)),
    false,
  );
  await go("pager.previous");
  assert.deepEqual(await names(), first);
  tab.check();
});

test("one of many users is found by the beginning of the name", async (test) => {
  const tab = await openWatched(test, browser);
  const { page } = tab;
  await signIn(tab, postern.url, "#/users");
  await page.getByRole("searchbox").first().fill("USER987");
  await page.getByRole("link", { name: "user9871", exact: true }).waitFor();
  assert.equal(await page.getByRole("link", { name: "alice", exact: true }).count(), 0);
  tab.check();
});
