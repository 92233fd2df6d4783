// The main deed of each page that the five tasks leave out: audit, rules, applications,
// revocations, tokens with a permission, names of deleted users, and the API reference.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sign } from "../../edge/support/client.mjs";
import { NASTY, SECRET } from "./filled.mjs";
import { tokenOf, verified } from "./deeds.mjs";
import { expectSound, opened } from "./opened.mjs";
import { open, openWatched } from "./support.mjs";
import { browser, postern } from "./shared.mjs";

test("the audit trail is filtered, shows what was changed, and is brought out", async (test) => {
  await postern.ask("PATCH", "/v1/users/101", { name: NASTY.markup });
  const { page, t, press, check } = await opened(test, "#/audit");
  await page.getByText(t("audit.filter"), { exact: true }).click();
  await page.getByLabel(t("audit.target")).fill("bob");
  await page.getByLabel(t("audit.action")).selectOption("user.update");
  await press("audit.show");
  await page.waitForFunction(() => location.hash.includes("target=bob"));
  const rows = page.locator("main tbody tr");
  await page.waitForFunction(() => document.querySelectorAll("main tbody tr").length === 1);
  await rows
    .first()
    .getByRole("button", { name: t("audit.showChange"), exact: true })
    .click();
  assert.ok(
    (await page.locator(".changes ins").first().innerText()).includes(JSON.stringify(NASTY.markup)),
  );
  await expectSound(page);
  await page.getByLabel(t("audit.format")).selectOption("csv");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: t("audit.bring"), exact: true }).click(),
  ]);
  const [head, first, ...more] = readFileSync(await download.path(), "utf8")
    .trim()
    .split("\r\n");
  assert.equal(head, "id,at,actor,actorId,address,action,target,before,after,requestId");
  assert.match(first, /^\d+,\d+,"admin",1,.*,"user\.update","bob",/);
  assert.deepEqual(more, []);
  check();
});

test("a request is tested by the rules", async (test) => {
  const { page, t, field, press, check } = await opened(test, "#/rules");
  await field("rules.url").fill("/reports/2024");
  await press("rules.ask");
  await page.getByRole("heading", { name: t("rules.verdict.refused") }).waitFor();
  await page.locator(".checks-list li.failed").first().waitFor();
  await expectSound(page);
  check();
});

test("an application's secret is shown once, and replaced when that was asked", async (test) => {
  const { page, t, field, press, dialog, check } = await opened(test, "#/applications?do=new");
  await field("organizations.id").fill("o1");
  await press("common.create");
  const secret = dialog.locator(".secret-once code");
  const first = await secret.textContent();
  assert.match(first, /^[\w-]{43}$/);
  await expectSound(page);
  await press("once.stored", {}, dialog);
  await page.getByRole("heading", { name: t("application.secret"), exact: true }).waitFor();
  assert.ok(!(await page.content()).includes(first));
  await press("application.replace");
  await dialog.getByRole("listitem").first().waitFor();
  await dialog.getByRole("button", { name: t("application.replace"), exact: true }).click();
  await secret.waitFor();
  assert.notEqual(await secret.textContent(), first);
  check();
});

test("a token is revoked from the page that explains it, and listed", async (test) => {
  const { page, t, press, confirmed, check } = await opened(test, "#/token");
  const token = tokenOf("carol");
  await page.getByLabel(t("token.token"), { exact: true }).fill(token);
  await press("token.submit");
  await page.getByRole("heading", { name: t("token.accepted") }).waitFor();
  await press("token.revoke");
  assert.equal(await verified(postern, token), 200);
  await confirmed("token.revoke");
  assert.equal(await verified(postern, token), 401);
  await open(page, "#/revocations");
  await page.getByRole("cell", { name: "carol" }).waitFor();
  check();
});

test("if several token apps failed alike, none is named, and expiry is said first", async (test) => {
  const second = {
    name: "Twin",
    algorithm: "HS256",
    secret: `${SECRET}2`,
    claims: { username: "sub" },
  };
  await postern.ask("POST", "/v1/token-apps", second);
  const { page, t, press, check } = await opened(test, "#/token");
  const asked = async (token) => {
    await page.getByLabel(t("token.token"), { exact: true }).fill(token);
    await press("token.submit");
    await page.locator(".result").waitFor();
    return page.locator(".result").innerText();
  };
  const expired = sign("a secret of neither app at all!!", { sub: "alice", exp: 1_700_000_000 });
  const told = await asked(expired);
  assert.ok(told.includes(t("token.tied")), told);
  assert.match(told.split(t("token.tied"))[0], /expired .* ago: .*2023/);
  await expectSound(page);
  const ofTwin = await asked(sign(`${SECRET}2`, { sub: "alice", exp: 1_700_000_000 }));
  assert.ok(ofTwin.includes(t("token.because", { app: "Twin" })), ofTwin);
  assert.ok(ofTwin.includes(t("token.others")), ofTwin);
  await postern.ask("DELETE", "/v1/token-apps/Twin");
  check();
});

test("a text that is no token is said to be none", async (test) => {
  const { page, t, press, check } = await opened(test, "#/token", { language: "zh" });
  for (const junk of ["hello", "two words", "a.b.c", "naïve"]) {
    await page.getByLabel(t("token.token"), { exact: true }).fill(junk);
    await press("token.submit");
    await page.getByText(t("token.becauseNone")).waitFor();
    assert.equal(await page.getByText(t("token.because", { app: "ERP" })).count(), 0, junk);
  }
  const [, claims] = tokenOf("alice").split(".");
  const header = Buffer.from('{"alg":"none"}').toString("base64url");
  await page.getByLabel(t("token.token"), { exact: true }).fill(`${header}.${claims}.x`);
  await press("token.submit");
  await page.getByText(t("token.becauseForm")).waitFor();
  assert.equal(await page.getByText(t("token.becauseNone")).count(), 0, "it is a JSON Web Token");
  await expectSound(page);
  check();
});

test("replacing a key's secret says when each secret was used, and what is missing", async (test) => {
  const key = await postern.ask("POST", "/v1/keys", { name: "nightly", may: ["decisions"] });
  const both = await postern.ask("POST", `/v1/keys/${key.id}/secret`);
  const { page, t, press, check } = await opened(test, "#/");
  const day = (ago) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  let uses = [null, null];
  await page.route(`**/v1/keys/${key.id}`, async (route) => {
    const [first, second] = both.secrets;
    const secrets = [first, second].map((one, at) => ({ ...one, lastUsedOn: uses[at] }));
    await route.fulfill({ json: { ...both, key: undefined, secrets } });
  });
  await open(page, `#/keys/${key.id}`);
  await page.getByText(t("key.createdBy"), { exact: true }).waitFor();
  await page.getByRole("link", { name: "admin", exact: true }).waitFor();
  const step = page.locator(".steps > .step").nth(2);
  const said = async (now) => {
    uses = now;
    const answered = page.waitForResponse(`**/v1/keys/${key.id}`);
    await press("key.lookAgain");
    await answered;
    await page.waitForTimeout(100);
    return step.innerText();
  };
  const [fresh, old] = [both.secrets[0].prefix, key.prefix];
  const unused = await said([null, day(1)]);
  assert.ok(unused.includes(t("key.newUnused", { prefix: fresh })), unused);
  assert.match(unused, new RegExp(`old secret ${old}… was last used yesterday`));
  const bothUsed = await said([day(0), day(0)]);
  assert.match(bothUsed, new RegExp(`new secret ${fresh}… is in use: .* today`));
  assert.match(bothUsed, /Missing: a day .* The old secret .* was still used today/);
  assert.ok(!bothUsed.includes(t("steps.done")), bothUsed);
  await expectSound(page);
  const rests = await said([day(0), day(3)]);
  assert.match(rests, /no longer used: the last time was 3 days ago/);
  assert.ok(!rests.includes("Missing") && rests.includes(t("steps.done")), rests);
  check();
});

test("a token is explained together with what its user may do", async (test) => {
  const { page, t, field, press, check } = await opened(test, "#/token");
  await field("token.token").fill(tokenOf("alice"));
  await page.getByText(t("token.ask"), { exact: true }).click();
  await page.getByRole("combobox", { name: t("token.service") }).fill("Reports");
  await page
    .getByRole("option", { name: /^Reports/ })
    .first()
    .click();
  await field("may.permission").selectOption("MODIFY");
  await press("token.submit");
  await page.getByRole("heading", { name: t("token.refused") }).waitFor();
  await page
    .getByRole("paragraph")
    .filter({ hasText: new RegExp(`^${t("may.no")}$`) })
    .waitFor();
  await page.getByRole("link", { name: "Sales" }).first().waitFor();
  await expectSound(page);
  check();
});

test("the name of a deleted user is freed when that was asked", async (test) => {
  const { page, t, confirmed, check } = await opened(test, "#/tombstones");
  await page
    .getByRole("button", { name: t("tombstones.freeOf", { username: "nasty-long" }), exact: true })
    .click();
  await confirmed("tombstones.free");
  await page.getByText(t("tombstones.none")).waitFor();
  assert.deepEqual((await postern.ask("GET", "/v1/tombstones")).items, []);
  check();
});

test("the reference finds, shows and tries an operation, and asks before a change", async (test) => {
  const { page, t, confirmed, check } = await opened(test, "#/reference");
  await page.getByRole("searchbox").fill("creates a group");
  const operation = page.locator("details.operation", { hasText: "/v1/groups" }).first();
  await operation.locator("summary").first().click();
  await operation.getByText("curl", { exact: true }).waitFor();
  assert.match(
    await operation.locator(".curl code").innerText(),
    /^curl -u "\$USERNAME:\$PASSWORD" .*\/v1\/groups'/,
  );
  assert.match(page.url(), /op=/);
  await operation.getByText(t("try.title"), { exact: true }).click();
  await operation.locator("textarea").fill('{"name":"Tried"}');
  await operation
    .getByRole("button", { name: t("try.sendAs", { method: "POST", path: "/v1/groups" }) })
    .click();
  const there = async () => (await postern.ask("GET", "/v1/groups?search=Tried")).items.length;
  assert.equal(await there(), 0, "nothing is sent before it was asked");
  await confirmed("try.send");
  await operation.getByText("201", { exact: true }).last().waitFor();
  await expectSound(page);
  assert.equal(await there(), 1);
  check();
});

test("the reference is there for whoever is not signed in, without a try", async (test) => {
  const tab = await openWatched(test, browser);
  const { page, t } = tab;
  await page.goto(`${postern.url}v1/console/#/reference?op=explain`);
  await page.getByRole("heading", { level: 1, name: t("reference.title") }).waitFor();
  await page.getByText(t("try.signIn")).waitFor();
  tab.check();
});
