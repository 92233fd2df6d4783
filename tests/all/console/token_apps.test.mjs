// Token apps in the console: their form, their keys, and how their secrets are replaced.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SECRET } from "./filled.mjs";
import { tokenOf, verified } from "./deeds.mjs";
import { opened } from "./opened.mjs";
import { postern } from "./shared.mjs";

test("a token app is created, changed, disabled and deleted", async (test) => {
  const { page, t, press, confirmed, dialog, check } = await opened(test, "#/token-apps");
  await page
    .getByRole("button", { name: t("apps.new") })
    .or(page.getByRole("link", { name: t("apps.new") }))
    .first()
    .click();
  await press("appForm.create");
  assert.equal(
    await page.evaluate(() => document.activeElement.name),
    "name",
    "what is missing has the focus",
  );
  await page.getByLabel(t("appForm.name")).first().fill("Portal");
  await page.getByLabel(t("appForm.secret.secret")).fill(SECRET);
  await press("appForm.create");
  await page.getByRole("heading", { level: 1, name: "Portal" }).waitFor();
  assert.equal((await postern.ask("GET", "/v1/token-apps/Portal")).algorithm, "HS256");

  await page
    .getByRole("button", { name: t("common.edit") })
    .or(page.getByRole("link", { name: t("common.edit") }))
    .first()
    .click();
  await page.getByText(t("appForm.group.accepted"), { exact: true }).click();
  await page.getByLabel(t("appForm.audiences")).fill("bi\nreports");
  await press("common.save");
  await page.getByRole("heading", { level: 1, name: "Portal" }).waitFor();
  assert.deepEqual((await postern.ask("GET", "/v1/token-apps/Portal")).audiences, [
    "bi",
    "reports",
  ]);

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
  const { page, t, press, check } = await opened(test, "#/token-apps/ERP/edit", {
    allowed: [/Failed to load resource.*400/],
  });
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
  await postern.ask("POST", "/v1/token-apps", {
    name: "Shop",
    algorithm: "HS256",
    secret: `${SECRET}-shop`,
    claims: { username: "sub" },
    createsUsers: false,
  });
  const { page, t, press, confirmed, check } = await opened(test, "#/token-apps/Shop/secret");
  await press("shared.random");
  const secret = await page.locator(".secret-once code").first().textContent();
  await press("shared.make", { name: "Shop-next" });
  await page.getByText(t("shared.step2"), { exact: true }).waitFor();
  await page.getByLabel(t("shared.freshToken")).waitFor();
  const [old, fresh] = [tokenOf("alice", `${SECRET}-shop`), tokenOf("alice", secret)];
  assert.deepEqual(
    [await verified(postern, old), await verified(postern, fresh)],
    [200, 200],
    "both count",
  );
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
    {
      kty: "OKP",
      crv: "Ed25519",
      kid: "new",
      use: "sig",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
    {
      kty: "OKP",
      crv: "Ed25519",
      kid: "sealing",
      use: "enc",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
  ];
  await postern.ask("POST", "/v1/token-apps", {
    name: "Issuer",
    algorithm: "EdDSA",
    secret: JSON.stringify({ keys }),
    claims: { username: "sub" },
  });
  const { page, t, check } = await opened(test, "#/token-apps/Issuer");
  const row = (name) => page.getByRole("row", { name: new RegExp(`^${name}\\b`) });
  await row("new").getByText(t("app.canBeUsed"), { exact: true }).waitFor();
  await row("sealing").getByText(t("app.cannotBeUsed"), { exact: true }).waitFor();
  check();
});
