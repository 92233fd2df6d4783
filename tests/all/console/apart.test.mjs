// A page of the application, opened by an administrator who is signed in to the application and to
// the console, can neither read nor change anything of /v1: with ADMIN_HOST, where both hosts are
// of one site, and of two, and without it. hostile.mjs has what the page tries.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { ADMIN_PASSWORD, stateFolder } from "../../edge/support/workerd.mjs";
import { startApplication } from "../support/application.mjs";
import { startBrowser } from "../support/browser.mjs";
import { freePort } from "../support/processes.mjs";
import { makeCertificate } from "../support/neighbours.mjs";
import { fill } from "./filled.mjs";
import { callAll, intrude, operations, sendForms } from "./hostile.mjs";
import { openWatched, signIn, startConsole } from "./support.mjs";

const [APP, ADMIN] = ["app.example.test", "admin.example.test"];

let browser;
before(async () => (browser = await startBrowser({ hosts: [APP, ADMIN] })));
after(() => browser?.close());

/**
 * Postern in front of an application, with an administrator who is signed in to both in one
 * browser.
 */
async function opened(test, { https, app, admin, changes = {} }) {
  const origin = await startApplication(test);
  const folder = stateFolder(test);
  const files = https && makeCertificate(folder, APP, [APP, ADMIN]);
  const certificate = files && {
    key: readFileSync(files.key, "utf8"),
    cert: readFileSync(files.certificate, "utf8"),
  };
  const port = await freePort();
  const at = (host) => `${https ? "https" : "http"}://${host}:${port}`;
  // That the application may call from its pages opens nothing of the console to it.
  const all = {
    ORIGIN_URL: origin.url,
    LOGIN_URL: "password",
    CORS_ORIGINS: [at(app)],
    ...changes,
  };
  const postern = await startConsole(test, { https: certificate, port, changes: all });
  await fill(postern);
  const tab = await openWatched(test, browser, { ignoreHTTPSErrors: true, allowed: [/./] });
  if (admin) await signIn(tab, `${at(admin)}/`);
  const page = await tab.context.newPage();
  await page.goto(`${at(app)}/page`);
  await page.getByLabel("User name").fill("admin");
  await page.getByLabel("Password").fill(ADMIN_PASSWORD);
  await page.getByRole("button").click();
  await page.getByRole("heading", { name: "/page of admin" }).waitFor();
  return { origin, postern, tab, page, app: at(app), admin: admin && at(admin) };
}

/** All that is in the database, table by table. */
async function stateOf(postern) {
  const query = (sql) => postern.tool("query", { sql });
  const tables = await query(
    "SELECT name FROM sqlite_master WHERE type = 'table' " +
      "AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name",
  );
  return Object.fromEntries(
    await Promise.all(
      tables.map(async ({ name }) => [name, await query(`SELECT * FROM "${name}"`)]),
    ),
  );
}

/** Tables that count guesses and visits, and say nothing of what is managed. */
const COUNTERS = ["failed_sign_ins", "sign_in_networks", "sign_in_failures"];
const managed = async (postern) =>
  Object.fromEntries(
    Object.entries(await stateOf(postern)).filter(([table]) => !COUNTERS.includes(table)),
  );

/** The application's own doors, which a page of it may use for whoever opened it. */
const OWN = /^\/v1\/(verify|check|forward-auth|sign-in|sign-out)\b/;
/** What tells anybody, and nothing of an administrator. */
const OPEN = /^\/v1\/console\/session$/;

const SECRET_TEXTS = /"username":"admin"|alice|mallory|Analysts|pst_/;

/** Everything that the page tries by requests; the application's own doors aside. */
async function expectNothing({ page, postern }, target) {
  const all = operations().filter(({ path }) => !OWN.test(path));
  assert.ok(all.length > 80, `${all.length} operations`);
  const attack = {
    method: "POST",
    path: "/v1/console/session",
    body: JSON.stringify({ username: "admin", password: ADMIN_PASSWORD }),
  };
  const state = await managed(postern);
  const read = await callAll(page, target, [...all, attack]);
  for (const { how, method, path, status, text } of read) {
    const what = `${how} ${method} ${path} was answered ${status} ${text}`;
    assert.ok(status >= 400 || status === 0 || OPEN.test(path), what);
    assert.doesNotMatch(text, SECRET_TEXTS, what);
  }
  assert.deepEqual(await managed(postern), state, "calls have changed nothing");
  for (const text of await sendForms(page, target, all)) assert.doesNotMatch(text, SECRET_TEXTS);
  assert.deepEqual(await managed(postern), state, "forms and tags have changed nothing");
}

/**
 * The console itself goes on for its administrator: its session is the one that the page was after.
 */
async function expectConsoleWorks({ tab }) {
  const answers = await tab.page.evaluate(async () => {
    const list = await fetch("/v1/users?limit=1");
    const made = await fetch("/v1/groups", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"name":"of the console"}',
    });
    return [list.status, made.status];
  });
  assert.deepEqual(answers, [200, 201]);
}

function expectNoEntry(got) {
  const { messages, ...attempts } = got;
  assert.deepEqual(messages, [], "the console sends no messages to other windows");
  for (const [name, value] of Object.entries(attempts)) {
    const isRefused = value === null || value?.refused !== undefined;
    assert.ok(isRefused, `${name}: ${JSON.stringify(value)}`);
  }
  for (const name of ["window", "storage", "function", "service worker", "import"])
    assert.ok(got[name]?.refused, `${name}: ${JSON.stringify(got[name])}`);
}

const PLACES = {
  "two hosts of one site": { https: true, app: APP, admin: ADMIN, changes: { ADMIN_HOST: ADMIN } },
  "two hosts of two sites": {
    app: "127.0.0.1",
    admin: "localhost",
    changes: { ADMIN_HOST: "localhost" },
  },
};

for (const [name, place] of Object.entries(PLACES)) {
  test(`a page of the application gets nothing of the console: ${name}`, async (test) => {
    const all = await opened(test, place);
    await expectConsoleWorks(all);
    const before = await managed(all.postern);
    expectNoEntry(await intrude(all.page, all.admin));
    assert.deepEqual(await managed(all.postern), before, "no window has changed anything");
    await expectNothing(all, all.admin);
    await expectNothing(all, all.app);
    await expectConsoleWorks(all);
    const sent = all.origin.requests.filter(({ headers }) =>
      headers.cookie?.includes("postern-admin"),
    );
    assert.deepEqual(sent, [], "the application sees no cookie of the console");
  });
}

test("the same calls by a page of the console do read and change, so the attempts are real", async (test) => {
  const { tab, postern, admin } = await opened(test, PLACES["two hosts of two sites"]);
  const state = await managed(postern);
  const safe = operations().filter(({ path }) => !OWN.test(path) && path !== "/v1/console/session");
  const read = await callAll(tab.page, admin, safe);
  assert.ok(read.filter(({ status }) => status < 300).length > 40);
  assert.ok(read.some(({ text }) => SECRET_TEXTS.test(text)));
  assert.notDeepEqual(await managed(postern), state);
});

test("without ADMIN_HOST nobody signs in to the console, and an application's page gets nothing", async (test) => {
  const all = await opened(test, { app: "localhost" });
  const { page, tab, app } = all;
  await tab.page.goto(`${app}/v1/console/`);
  await tab.page.getByRole("heading", { level: 1 }).waitFor();
  const shown = await tab.page.locator("main").innerText();
  assert.ok(shown.includes(tab.t("session.off")), shown);
  assert.equal(await tab.page.getByLabel(tab.t("session.password"), { exact: true }).count(), 0);
  await expectNothing(all, app);
  assert.equal(
    (await tab.context.cookies()).some(({ name }) => name.includes("admin")),
    false,
  );
  await page.goto(`${app}/v1/console/#/reference`);
  await page.getByRole("heading", { level: 1, name: tab.t("reference.title") }).waitFor();
});

test("on the application's host the console leads to its own", async (test) => {
  const all = await opened(test, PLACES["two hosts of two sites"]);
  await all.page.goto(`${all.app}/v1/console/`);
  const link = all.page.getByRole("link", { name: `${all.admin}/v1/console/` });
  assert.equal(await link.getAttribute("href"), `${all.admin}/v1/console/`);
});
