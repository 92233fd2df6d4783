// The main deed of each page that the five tasks leave out: token apps and their secrets, import and
// export, audit, rules, applications, revocations, and the API reference.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { startBrowser } from "../support/browser.mjs";
import { tokenOf, verified } from "./deeds.mjs";
import { NASTY, SECRET, fill } from "./filled.mjs";
import { findings, open, openWatched, overflow, signIn, startConsole } from "./support.mjs";

let [browser, postern] = [];
const stops = [];
before(async () => {
  browser = await startBrowser();
  postern = await startConsole({ after: (stop) => stops.push(stop) });
  await fill(postern);
});
after(async () => {
  await browser?.close();
  for (const stop of stops) await stop();
});

async function opened(test, route, options) {
  const tab = await openWatched(test, browser, { acceptDownloads: true, ...options });
  await signIn(tab, postern.url);
  await open(tab.page, route);
  const { page, t } = tab;
  const dialog = page.getByRole("dialog");
  return {
    ...tab,
    dialog,
    field: (key, within = page) => within.getByLabel(t(key), { exact: true }),
    press: (key, values, within = page) => within.getByRole("button", { name: t(key, values), exact: true }).click(),
    confirmed: async (key) => {
      await dialog.getByRole("listitem").first().waitFor();
      await dialog.getByRole("button", { name: t(key), exact: true }).click();
      await dialog.waitFor({ state: "detached" });
    },
  };
}

test("a token app is created, changed, disabled and deleted", async (test) => {
  const { page, t, field, press, confirmed, dialog, check } = await opened(test, "#/token-apps");
  await page.getByRole("button", { name: t("apps.new") }).or(page.getByRole("link", { name: t("apps.new") })).first().click();
  await press("appForm.create");
  assert.equal(await page.evaluate(() => document.activeElement.name), "name", "what is missing has the focus");
  await page.getByLabel(t("appForm.name")).first().fill("Portal");
  await page.getByLabel(t("appForm.secret.secret")).fill(SECRET);
  await press("appForm.create");
  await page.getByRole("heading", { level: 1, name: "Portal" }).waitFor();
  assert.equal((await postern.ask("GET", "/v1/token-apps/Portal")).algorithm, "HS256");

  await page.getByRole("button", { name: t("common.edit") }).or(page.getByRole("link", { name: t("common.edit") })).first().click();
  await page.getByText(t("appForm.group.accepted"), { exact: true }).click();
  await page.getByLabel(t("appForm.audiences")).fill("bi\nreports");
  await press("common.save");
  await page.getByRole("heading", { level: 1, name: "Portal" }).waitFor();
  assert.deepEqual((await postern.ask("GET", "/v1/token-apps/Portal")).audiences, ["bi", "reports"]);

  await press("app.disable");
  await confirmed("app.disable");
  assert.equal((await postern.ask("GET", "/v1/token-apps/Portal")).enabled, false);
  await press("app.delete");
  const last = dialog.getByRole("button", { name: t("app.delete"), exact: true });
  assert.equal(await last.isDisabled(), true, "its name has to be typed first");
  await dialog.getByRole("textbox").fill("Portal");
  await last.click();
  await page.getByRole("heading", { level: 1, name: t("apps.title") }).waitFor();
  const { items } = await postern.ask("GET", "/v1/token-apps");
  assert.ok(!items.some(({ name }) => name === "Portal"));
  check();
});

test("what the API refuses in a folded part of the form is shown at its field", async (test) => {
  const { page, t, press, check } = await opened(test, "#/token-apps/ERP/edit", { allowed: [/Failed to load resource.*400/] });
  await page.getByText(t("appForm.group.groups"), { exact: true }).click();
  await page.getByLabel(t("appForm.groupMap")).fill("analysts = nothing");
  await page.getByText(t("appForm.group.groups"), { exact: true }).click();
  await press("common.save");
  const field = page.getByLabel(t("appForm.groupMap"));
  await page.locator('[aria-invalid="true"]').waitFor();
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  assert.ok(await field.isVisible());
  assert.equal(await field.inputValue(), "analysts = nothing");
  check();
});

test("a shared secret is replaced, and no token is refused in between", async (test) => {
  await postern.ask("POST", "/v1/token-apps", { name: "Shop", algorithm: "HS256", secret: `${SECRET}-shop`, claims: { username: "sub" }, createsUsers: false });
  const { page, t, press, confirmed, check } = await opened(test, "#/token-apps/Shop/secret");
  await press("shared.random");
  const secret = await page.locator(".secret-once code").first().textContent();
  await press("shared.make", { name: "Shop-next" });
  await page.getByText(t("shared.step2"), { exact: true }).waitFor();
  await page.getByLabel(t("shared.freshToken")).waitFor();
  const [old, fresh] = [tokenOf("alice", `${SECRET}-shop`), tokenOf("alice", secret)];
  assert.deepEqual([await verified(postern, old), await verified(postern, fresh)], [200, 200], "both count");
  await page.getByLabel(t("shared.freshToken")).fill(fresh);
  await press("shared.try");
  await page.getByText(t("token.acceptedShort"), { exact: true }).waitFor();
  await press("shared.finish");
  assert.equal(await verified(postern, old), 200, "nothing is over before it was asked");
  await confirmed("shared.finish");
  await page.getByRole("heading", { level: 1, name: "Shop" }).waitFor();
  assert.deepEqual([await verified(postern, old), await verified(postern, fresh)], [401, 200]);
  const { items } = await postern.ask("GET", "/v1/token-apps");
  assert.ok(!items.some(({ name }) => name === "Shop-next"));
  check();
});

test("the keys of an app are shown with why one does not count", async (test) => {
  const keys = [
    { kty: "OKP", crv: "Ed25519", kid: "new", use: "sig", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
    { kty: "OKP", crv: "Ed25519", kid: "sealing", use: "enc", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
  ];
  await postern.ask("POST", "/v1/token-apps", { name: "Issuer", algorithm: "EdDSA", secret: JSON.stringify({ keys }), claims: { username: "sub" } });
  const { page, t, check } = await opened(test, "#/token-apps/Issuer");
  const row = (name) => page.getByRole("row", { name: new RegExp(`^${name}\\b`) });
  await row("new").getByText(t("app.canBeUsed"), { exact: true }).waitFor();
  await row("sealing").getByText(t("app.cannotBeUsed"), { exact: true }).waitFor();
  check();
});

test("an export is the file that the API brings, and goes on after it broke off", async (test) => {
  const { page, t, press, check } = await opened(test, "#/transfer", { allowed: [/Failed to load resource/] });
  const whole = (await postern.send({ path: "/v1/export", headers: { authorization: `Basic ${Buffer.from("admin:correct horse admin").toString("base64")}` } })).text;
  const lines = whole.split("\n");
  let broken = 0;
  await page.route("**/v1/export?**", async (route) => {
    if (broken++ > 0) return route.continue();
    const body = `${lines.slice(0, 9).join("\n")}\n${lines[9].slice(0, 10)}`;
    return route.fulfill({ status: 200, headers: { "content-type": "application/x-ndjson", "x-postern-total": String(lines.length - 1) }, body });
  });
  await page.getByRole("button", { name: t("transfer.bringOut"), exact: true }).first().click();
  await page.getByRole("alert").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), press("transfer.goOn")]);
  assert.equal(download.suggestedFilename(), "postern.ndjson");
  assert.equal(readFileSync(await download.path(), "utf8"), whole);
  assert.equal(broken, 2);
  check();
});

/** What is only there after something was done is as sound as the page was. */
async function expectSound(page) {
  assert.deepEqual(await findings(page), []);
  assert.ok((await overflow(page)) <= 0, "it is wider than the window");
}

/** Records that take several requests. */
const RECORDS = Array.from({ length: 9000 }, (_, at) => JSON.stringify({ record: "group", id: 10_000 + at, name: `imported ${at} ${"x".repeat(200)}` }));
const file = (lines, name = "records.ndjson") => ({ name, mimeType: "application/x-ndjson", buffer: Buffer.from(lines.join("\n")), lastModified: 1 });

test("an import shows how far it is, waits while Postern does not answer, and goes on after a reload", async (test) => {
  const { page, t, press, confirmed, check } = await opened(test, "#/transfer", { allowed: [/Failed to load resource/] });
  const bodies = [];
  let mode = "passing";
  await page.route("**/v1/import?**", (route) => {
    bodies.push(route.request().postDataBuffer().length);
    if (mode === "down" || (mode === "passing" && bodies.length === 2)) return route.fulfill({ status: mode === "down" ? 403 : 503, contentType: "application/problem+json", body: '{"status":503,"detail":"down"}' });
    if (bodies.length === 3) mode = "down";
    return route.continue();
  });
  const path = `${process.env.TMPDIR ?? "/tmp"}/postern-console-import-${process.pid}.ndjson`;
  const { writeFileSync, rmSync } = await import("node:fs");
  writeFileSync(path, RECORDS.join("\n"));
  test.after(() => rmSync(path, { force: true }));
  await page.getByLabel(t("transfer.file")).setInputFiles(path);
  await page.getByRole("button", { name: t("transfer.bringIn"), exact: true }).click();
  await confirmed("transfer.bringIn");
  await page.getByRole("alert").waitFor();
  assert.ok(Number(await page.getByRole("progressbar").getAttribute("value")) > 0.3);
  assert.equal(bodies.length, 4, "the second was sent again, and the fourth was refused");
  await page.unroute("**/v1/import?**");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: t("transfer.title") }).waitFor();
  await page.getByLabel(t("transfer.file")).setInputFiles(path);
  await page.getByText(t("transfer.anew")).waitFor();
  await press("transfer.goOn");
  const sent = [];
  page.on("request", (request) => request.url().includes("/v1/import") && sent.push(request.postDataBuffer().length));
  await confirmed("transfer.bringIn");
  await page.getByText(t("transfer.imported", { n: "9,000" })).waitFor();
  const total = RECORDS.join("\n").length;
  assert.ok(sent.reduce((sum, one) => sum + one, 0) < total / 2 + 1024 * 1024, "it has not begun anew");
  assert.ok(bodies.every((length) => length <= 1024 * 1024));
  const listed = await postern.ask("GET", "/v1/groups/18999");
  assert.match(listed.name, /^imported 8999 /);
  check();
});

test("a wrong line of an import is shown with its number in the file", async (test) => {
  const { page, t, press, confirmed, check } = await opened(test, "#/transfer", { allowed: [/Failed to load resource/] });
  await page.getByLabel(t("transfer.file")).setInputFiles(file(["", '{"record":"group","id":1,"name":"Analysts"}', '{"record":"group","id":"x","name":"wrong"}']));
  await press("transfer.bringIn");
  await confirmed("transfer.bringIn");
  const alert = page.getByRole("alert");
  await alert.waitFor();
  assert.match(await alert.locator("li").first().innerText(), /^3\b.*\bid\b/s);
  check();
});

test("the audit trail is filtered, shows what was changed, and is brought out", async (test) => {
  await postern.ask("PATCH", "/v1/users/101", { name: NASTY.markup });
  const { page, t, press, check } = await opened(test, "#/audit");
  await page.getByText(t("audit.filter"), { exact: true }).click();
  await page.getByLabel(t("audit.target")).fill("bob");
  await page.getByLabel(t("audit.action")).fill("user.update");
  await press("audit.show");
  await page.waitForFunction(() => location.hash.includes("target=bob"));
  const rows = page.locator("main tbody tr");
  await page.waitForFunction(() => document.querySelectorAll("main tbody tr").length === 1);
  await rows.first().getByRole("button", { name: t("audit.showChange"), exact: true }).click();
  assert.ok((await page.locator(".changes ins").first().innerText()).includes(JSON.stringify(NASTY.markup)));
  await expectSound(page);
  await page.getByLabel(t("audit.format")).selectOption("csv");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: t("audit.bring"), exact: true }).click()]);
  const [head, first, ...more] = readFileSync(await download.path(), "utf8").trim().split("\r\n");
  assert.equal(head, "id,at,actor,actorId,address,action,target,before,after,requestId");
  assert.match(first, /,admin,1,.*,user\.update,bob,/);
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
  const { page, t, field, press, confirmed, dialog, check } = await opened(test, "#/applications?do=new");
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

test("a token is explained together with what its user may do", async (test) => {
  const { page, t, field, press, check } = await opened(test, "#/token");
  await field("token.token").fill(tokenOf("alice"));
  await page.getByText(t("token.ask"), { exact: true }).click();
  await page.getByRole("combobox", { name: t("token.service") }).fill("Reports");
  await page.getByRole("option", { name: /^Reports/ }).first().click();
  await field("may.permission").selectOption("MODIFY");
  await press("token.submit");
  await page.getByRole("heading", { name: t("token.refused") }).waitFor();
  await page.getByRole("paragraph").filter({ hasText: new RegExp(`^${t("may.no")}$`) }).waitFor();
  await page.getByRole("link", { name: "Sales" }).first().waitFor();
  await expectSound(page);
  check();
});

test("the name of a deleted user is freed when that was asked", async (test) => {
  const { page, t, confirmed, check } = await opened(test, "#/tombstones");
  await page.getByRole("button", { name: t("tombstones.freeOf", { username: "nasty-long" }), exact: true }).click();
  await confirmed("tombstones.free");
  await page.getByText(t("tombstones.none")).waitFor();
  assert.deepEqual((await postern.ask("GET", "/v1/tombstones")).items, []);
  check();
});

test("the reference finds an operation, shows it, and tries it; what changes something asks first", async (test) => {
  const { page, t, press, confirmed, check } = await opened(test, "#/reference");
  await page.getByRole("searchbox").fill("creates a group");
  const operation = page.locator("details.operation", { hasText: "/v1/groups" }).first();
  await operation.locator("summary").first().click();
  await operation.getByText("curl", { exact: true }).waitFor();
  assert.match(await operation.locator(".curl code").innerText(), /^curl -u "\$USERNAME:\$PASSWORD" .*\/v1\/groups'/);
  assert.match(page.url(), /op=/);
  await operation.getByText(t("try.title"), { exact: true }).click();
  await operation.locator("textarea").fill('{"name":"Tried"}');
  await operation.getByRole("button", { name: t("try.sendAs", { method: "POST", path: "/v1/groups" }) }).click();
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
