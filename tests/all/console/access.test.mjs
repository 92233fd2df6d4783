// Who may what, from the pages of groups and departments: what is granted to them, how a grant is
// replaced, and what a form says itself. And what the audit trail says of it, in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { basic } from "../../edge/support/client.mjs";
import { expectSound, opened } from "./opened.mjs";
import { open, openWatched } from "./support.mjs";
import { browser, postern } from "./shared.mjs";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const failures = (status) => [new RegExp(`Failed to load resource.*${status}`)];

const grant = (service, authObjectType, authObjectId, permissions, more) =>
  postern.ask("POST", `/v1/services/${service}/grants`, {
    authObjectType,
    authObjectId,
    permissions,
    ...more,
  });

test("the pages of a group and of a department show their grants, and what deleting ends", async (test) => {
  await grant(2, "GROUP", 1, ["EXPORT"], { expiresAt: Date.UTC(2100, 0, 1) });
  const { page, t, dialog, press, check } = await opened(test, "#/groups/1");
  const table = page.getByRole("table", { name: t("unitAccess.title") });
  const row = table.getByRole("row", { name: /^Maps/ });
  await row.waitFor();
  const said = await row.innerText();
  assert.ok(said.includes(t("permission.EXPORT")), said);
  assert.ok(!said.includes(t("permission.MODIFY")), said);
  assert.ok(said.includes(t("grantState.until")), said);
  assert.equal(await table.getByRole("row").count(), 2, "nobody else's");
  await expectSound(page);
  await press("common.delete");
  await dialog.getByText(t("unit.goesGrants", { n: 1 })).waitFor();
  await press("common.cancel", {}, dialog);
  await open(page, "#/departments/2");
  await page
    .getByRole("table", { name: t("unitAccess.title") })
    .getByRole("row", { name: /^Reports/ })
    .waitFor();
  await expectSound(page);
  const { id } = await postern.ask("POST", "/v1/groups", { name: "Nobody" });
  await open(page, `#/groups/${id}`);
  await page.getByText(t("unitAccess.none")).waitFor();
  check();
});

test("one request asks for the names of all members, also of those who do not exist", async (test) => {
  const { id } = await postern.ask("POST", "/v1/groups", { name: "Many" });
  for (const user of [100, 101, 102, 103, 999_999])
    await postern.ask("PUT", `/v1/groups/${id}/members/${user}`);
  const { page, requests, check } = await opened(test, "#/");
  requests.splice(0);
  await open(page, `#/groups/${id}`);
  await page.getByRole("link", { name: "alice", exact: true }).waitFor();
  await page.getByRole("link", { name: "dave", exact: true }).waitFor();
  await page.getByRole("link", { name: "user 999999", exact: true }).waitFor();
  const asked = requests.filter(({ path }) => path.startsWith("/v1/users")).map(({ path }) => path);
  assert.deepEqual(asked, ["/v1/users?ids=100%2C101%2C102%2C103%2C999999"]);
  check();
});

test("before a grant is replaced, the dialog shows the old grant beside the new one", async (test) => {
  const { page, t, press, check } = await opened(test, "#/give?to=user:102&service=1", {
    allowed: failures(409),
  });
  await page.getByRole("checkbox", { name: t("permission.EXPORT") }).check();
  await press("give.verb");
  const alert = page.getByRole("alert");
  const row = (key) => alert.getByRole("row", { name: new RegExp(`^${t(key)}`) });
  await row("give.now").waitFor();
  const [now, then] = [await row("give.now").innerText(), await row("give.then").innerText()];
  const has = (text, permission) => text.includes(t(`permission.${permission}`));
  assert.deepEqual([has(now, "MODIFY"), has(now, "EXPORT")], [true, false], now);
  assert.deepEqual([has(then, "MODIFY"), has(then, "EXPORT")], [false, true], then);
  await expectSound(page);
  const of = async () => {
    const query = "authObjectType=USER&authObjectId=102&serviceId=1";
    return (await postern.ask("GET", `/v1/grants?${query}`)).items[0].permissions;
  };
  assert.deepEqual(await of(), ["VIEW", "MODIFY"], "nothing is replaced before it was asked");
  await press("give.replace");
  await page.getByText(t("give.done")).first().waitFor();
  assert.deepEqual(await of(), ["VIEW", "EXPORT"]);
  check();
});

for (const language of ["en", "zh"]) {
  test(`the field refuses an end in the past or before the start, without a request (${language})`, async (test) => {
    const { page, t, press, requests, check } = await opened(test, "#/give?to=user:103&service=2", {
      language,
    });
    await page.getByRole("combobox", { name: t("give.to") }).waitFor();
    await page.waitForFunction(() => document.querySelector("[name=to]").value !== "");
    const until = page.locator("input[name=expiresAt]");
    const sent = () => requests.filter(({ method }) => method === "POST").length;
    const before = sent();
    const expectRule = async (key) => {
      await press("give.verb");
      assert.equal(await until.getAttribute("aria-invalid"), "true");
      await page.getByText(t(key), { exact: true }).waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.name), "expiresAt");
    };
    await until.fill("2020-01-01T00:00");
    await expectRule("rule.past");
    await page.locator("input[name=startsAt]").fill("2100-02-01T00:00");
    await until.fill("2100-01-01T00:00");
    await expectRule("rule.endBeforeStart");
    assert.equal(sent(), before, "nothing was sent");
    await until.fill("2100-03-01T00:00");
    await press("give.verb");
    await page.getByText(t("give.done")).first().waitFor();
    const path = "/v1/services/2/grants?authObjectType=USER&authObjectId=103";
    await postern.ask("DELETE", path);
    check();
  });
}

test("a link from a user's access has the answer, without a further press", async (test) => {
  const { page, t, check } = await opened(test, "#/users/100/access");
  await page
    .getByRole("link", { name: t("access.ask"), exact: true })
    .first()
    .click();
  await page.getByRole("heading", { name: t("may.answer") }).waitFor();
  await page
    .getByRole("paragraph")
    .filter({ hasText: new RegExp(`^${t("may.yes")}$`) })
    .waitFor();
  check();
});

test("a field that finds nothing leads to where such a thing is created", async (test) => {
  const { page, t, field, dialog, check } = await opened(test, "#/give");
  const titles = ["users.create", "group.create", "department.create"];
  const search = async () => {
    await open(page, "#/give");
    await field("give.to").fill("of no such name");
    for (const title of titles) await page.getByRole("link", { name: t(title) }).waitFor();
  };
  await search();
  await expectSound(page);
  for (const [at, title] of titles.entries()) {
    if (at > 0) await search();
    await page.getByRole("link", { name: t(title) }).click();
    await dialog.getByRole("heading", { name: t(title) }).waitFor();
    await dialog.getByRole("button", { name: t("common.cancel") }).click();
  }
  await search();
  await field("give.to").press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await dialog.getByRole("heading", { name: t("group.create") }).waitFor();
  await dialog.getByRole("button", { name: t("common.cancel") }).click();
  await open(page, "#/give");
  await field("give.service").fill("of no such name");
  await page.getByRole("link", { name: t("service.create") }).click();
  await dialog.getByRole("heading", { name: t("service.create") }).waitFor();
  check();
});

test("the audit trail says in words who did what to whom, and offers days to choose", async (test) => {
  await grant(1, "GROUP", 2, ["TEST"], { expiresAt: Date.UTC(2100, 5, 1) });
  const headers = { authorization: basic("admin", "not the password") };
  await postern.send({ path: "/v1/verify", headers });
  const { page, t, check } = await opened(test, "#/audit", { timezoneId: "Asia/Tokyo" });
  const midnight = (ago) => {
    const there = Date.now() + 9 * HOUR_MS;
    return `${there - (there % DAY_MS) - 9 * HOUR_MS - ago * DAY_MS}`;
  };
  for (const [day, from, until] of [
    ["lastWeek", midnight(6), null],
    ["yesterday", midnight(1), midnight(0)],
    ["today", midnight(0), null],
  ]) {
    const link = page.getByRole("link", { name: t(`audit.day.${day}`) });
    await link.click();
    await link.and(page.locator("[aria-current=true]")).waitFor();
    if (day === "yesterday") await page.getByText(t("audit.none")).waitFor();
    const query = new URLSearchParams(new URL(page.url()).hash.split("?")[1]);
    assert.deepEqual([query.get("from"), query.get("until")], [from, until], day);
  }
  const given = page
    .getByRole("row")
    .filter({ hasText: t("action.grant.create") })
    .first();
  await given.getByRole("link", { name: "Reports" }).waitFor();
  await given.getByRole("link", { name: "Editors" }).waitFor();
  await given.getByRole("button", { name: t("audit.showChange"), exact: true }).click();
  const change = await page.locator(".changes").first().innerText();
  assert.ok(change.includes("2100") && !/\d{12}/.test(change), change);
  const failed = page
    .getByRole("row")
    .filter({ hasText: t("action.sign_in.fail") })
    .first();
  assert.ok((await failed.innerText()).includes(`${t("audit.triedAs")} admin`));
  await expectSound(page);
  check();
});

test("a wrong password is reported once, without a button to try again", async (test) => {
  const tab = await openWatched(test, browser, { allowed: failures(401) });
  const { page, t } = tab;
  await page.goto(`${postern.url}v1/console/`);
  await page.getByLabel(t("session.username"), { exact: true }).fill("admin");
  await page.getByLabel(t("session.password"), { exact: true }).fill("wrong");
  await page.getByRole("button", { name: t("session.signIn"), exact: true }).click();
  await page.getByRole("alert").waitFor();
  const told = await page.getByRole("alert").innerText();
  assert.equal(told.match(/password/g).length, 1, told);
  assert.equal(await page.getByRole("button", { name: t("common.tryAgain") }).count(), 0);
  tab.check();
});

test("a refusal of the API is shown in Chinese, with the API's words folded below", async (test) => {
  const { page, t, dialog, press, check } = await opened(test, "#/groups", {
    language: "zh",
    allowed: failures(409),
  });
  await press("group.create");
  await dialog.getByLabel(t("common.name"), { exact: false }).first().fill("Twice");
  await dialog.locator("input[name=id]").fill("1");
  await press("common.create", {}, dialog);
  const alert = dialog.getByRole("alert");
  await alert.getByText(t("rule.exists")).waitFor();
  const english = alert.getByText(/there is a group 1 already/);
  assert.equal(await english.isVisible(), false);
  await alert.getByText(t("problem.detail")).click();
  assert.equal(await english.isVisible(), true);
  await expectSound(page);
  check();
});

test("a result is told, and gone after some seconds or on another page", async (test) => {
  const { page, press, dialog, check } = await opened(test, "#/groups/2");
  await press("unit.rename");
  await press("common.save", {}, dialog);
  const toast = page.locator(".toast");
  await toast.waitFor();
  await toast.waitFor({ state: "detached", timeout: 8000 });
  await press("unit.rename");
  await press("common.save", {}, dialog);
  await toast.waitFor();
  await page.waitForTimeout(1200);
  await open(page, "#/groups");
  assert.equal(await toast.count(), 0, "it does not go along to another page");
  check();
});
