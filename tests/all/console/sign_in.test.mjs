// Signing in and out, and what goes wrong: a session that is over, a refusal, a server that does
// not answer, a network that is gone. Each ends in words that help, and nothing that was typed is
// lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ADMIN_PASSWORD } from "../../edge/support/workerd.mjs";
import { LANGUAGES, findings, open, openWatched, settled, signIn } from "./support.mjs";
import { browser, postern } from "./shared.mjs";

/** What Chromium itself writes about an answer that the test brings about. */
const failures = (...statuses) => [new RegExp(`Failed to load resource.*(${statuses.join("|")})`)];
const NETWORK = [/Failed to load resource: net::ERR/];

const field = ({ page, t }, key) => page.getByLabel(t(key), { exact: true });
const press = ({ page, t }, key) => page.getByRole("button", { name: t(key), exact: true }).click();

for (const language of Object.keys(LANGUAGES)) {
  test(`a wrong password is told, and the name is kept (${language})`, async (test) => {
    const tab = await openWatched(test, browser, { language, allowed: failures(401) });
    await tab.page.goto(`${postern.url}v1/console/`);
    await field(tab, "session.username").fill("admin");
    await field(tab, "session.password").fill("wrong");
    await press(tab, "session.signIn");
    await tab.page.getByRole("alert").waitFor();
    assert.ok(
      (await tab.page.getByRole("alert").innerText()).includes(tab.t("reason.wrong_password")),
    );
    assert.equal(await field(tab, "session.username").inputValue(), "admin");
    assert.deepEqual(await findings(tab.page), []);
    tab.check();
  });
}

test("somebody who is no administrator is told so", async (test) => {
  const tab = await openWatched(test, browser, { allowed: failures(403) });
  await postern.ask("POST", "/v1/users", {
    username: "reader",
    password: "correct horse reader",
    type: "SYS_Reader",
  });
  await tab.page.goto(`${postern.url}v1/console/`);
  await field(tab, "session.username").fill("reader");
  await field(tab, "session.password").fill("correct horse reader");
  await press(tab, "session.signIn");
  await tab.page.getByRole("alert").waitFor();
  assert.ok((await tab.page.getByRole("alert").innerText()).length > 20);
  tab.check();
});

test("a key with administration signs in, and signing out ends a copied cookie too", async (test) => {
  const { key } = await postern.ask("POST", "/v1/keys", {
    name: "console",
    may: ["administration"],
  });
  const tab = await openWatched(test, browser, { allowed: failures(401) });
  const { page, context } = tab;
  await page.goto(`${postern.url}v1/console/`);
  await press(tab, "session.withKey");
  await field(tab, "session.key").fill(key);
  await press(tab, "session.signIn");
  await page.getByRole("navigation").first().waitFor();
  const kept = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href, document.cookie]),
  );
  assert.ok(!kept.includes(key), "the key is kept nowhere");
  const cookies = await context.cookies();
  assert.deepEqual(
    cookies.map(({ httpOnly, sameSite, path }) => [httpOnly, sameSite, path]),
    [[true, "Strict", "/"]],
  );
  await press(tab, "session.signOut");
  await field(tab, "session.username").waitFor();
  assert.deepEqual(await context.cookies(), []);
  await context.addCookies(cookies);
  await page.reload();
  await field(tab, "session.username").waitFor();
  tab.check();
});

test("a session that expires during a form asks for the password, and the form stays", async (test) => {
  const tab = await openWatched(test, browser, { allowed: failures(401) });
  const { page, context, t } = tab;
  await signIn(tab, postern.url, "#/");
  await open(page, "#/keys?do=new");
  await field(tab, "keys.name").fill("written before the end");
  await context.clearCookies();
  await press(tab, "keys.make");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("heading", { name: t("session.over") }).waitFor();
  assert.deepEqual(await findings(page), []);
  await dialog.getByLabel(t("session.username"), { exact: true }).fill("admin");
  await dialog.getByLabel(t("session.password"), { exact: true }).fill(ADMIN_PASSWORD);
  await dialog.getByRole("button", { name: t("session.signIn"), exact: true }).click();
  await page.getByRole("heading", { name: t("keys.made") }).waitFor();
  const { items } = await postern.ask("GET", "/v1/keys?limit=500");
  assert.equal(
    items.filter(({ name }) => name === "written before the end").length,
    1,
    "it was sent again, once",
  );
  tab.check();
});

test("whoever does not sign in again keeps what they typed, also after a reload", async (test) => {
  const tab = await openWatched(test, browser, { allowed: failures(401) });
  const { page, context, t } = tab;
  await signIn(tab, postern.url, "#/");
  await open(page, "#/keys?do=new");
  await field(tab, "keys.name").fill("not lost");
  await context.clearCookies();
  await press(tab, "keys.make");
  await page
    .getByRole("dialog")
    .getByRole("button", { name: t("common.cancel"), exact: true })
    .click();
  assert.equal(await field(tab, "keys.name").inputValue(), "not lost");
  await page.reload();
  await signInHere(tab);
  assert.equal(await field(tab, "keys.name").inputValue(), "not lost");
  tab.check();
});

async function signInHere(tab) {
  await field(tab, "session.username").fill("admin");
  await field(tab, "session.password").fill(ADMIN_PASSWORD);
  await press(tab, "session.signIn");
  await tab.page.getByRole("navigation").first().waitFor();
  await settled(tab.page);
}

const problem = (status, more = {}) => ({
  status,
  contentType: "application/problem+json",
  body: JSON.stringify({
    type: "about:blank",
    title: "x",
    status,
    detail: "what the server says",
    ...more,
  }),
});

/** What an answer to a form may be, and what brings it about. */
const ANSWERS = {
  "a refusal (403)": {
    answer: (route) => route.fulfill(problem(403)),
    words: "status.403",
    allowed: failures(403),
  },
  "an overload (429)": {
    answer: (route) => route.fulfill({ ...problem(429), headers: { "retry-after": "1" } }),
    words: "status.429",
    allowed: failures(429),
    again: true,
  },
  "a server that is down (503)": {
    answer: (route) => route.fulfill(problem(503)),
    words: "status.503",
    allowed: failures(503),
    again: true,
  },
  "a page of a proxy in place of an answer (502)": {
    answer: (route) =>
      route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" }),
    words: "status.502",
    allowed: failures(502),
    again: true,
  },
  "a network that is gone": {
    answer: (route) => route.abort("internetdisconnected"),
    words: "reason.network",
    allowed: NETWORK,
    again: true,
  },
};

for (const [language, { texts }] of Object.entries(LANGUAGES)) {
  for (const [what, { answer, words, allowed, again }] of Object.entries(ANSWERS)) {
    test(`${what} is told in words, and the form stays as it was (${language})`, async (test) => {
      const tab = await openWatched(test, browser, { language, allowed });
      const { page, t } = tab;
      await signIn(tab, postern.url, "#/");
      await open(page, "#/organizations?do=new");
      const id = `kept-${language}-${words.replace(".", "-")}`;
      await field(tab, "organizations.id").fill(id);
      const pattern = "**/v1/organizations";
      await page.route(pattern, (route) =>
        route.request().method() === "POST" ? answer(route) : route.continue(),
      );
      await press(tab, "common.create");
      const alert = page.getByRole("alert");
      await alert.waitFor();
      const expected = texts[words] ?? texts["status.500"];
      assert.ok((await alert.innerText()).includes(expected), await alert.innerText());
      assert.equal(await field(tab, "organizations.id").inputValue(), id);
      assert.deepEqual(await findings(page), []);
      await page.unroute(pattern);
      if (again)
        await page.getByRole("button", { name: t("common.tryAgain"), exact: true }).click();
      else await press(tab, "common.create");
      await page.getByRole("heading", { level: 1, name: id }).waitFor();
      tab.check();
    });
  }
}

test("a list that cannot be loaded says why, and loads again", async (test) => {
  const tab = await openWatched(test, browser, { allowed: failures(503) });
  const { page, t } = tab;
  await signIn(tab, postern.url, "#/");
  await page.route("**/v1/keys?**", (route) => route.fulfill(problem(503)));
  await open(page, "#/keys");
  await page.getByRole("alert").waitFor();
  await page.unroute("**/v1/keys?**");
  await page.getByRole("button", { name: t("common.tryAgain"), exact: true }).click();
  await page.getByRole("link", { name: "billing" }).waitFor();
  tab.check();
});
