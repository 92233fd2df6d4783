// The five tasks for which people open the console, done by a hand (hands.mjs) from the overview
// on. Each brings what it needs with it, so that they run in any order and several times.

import assert from "node:assert/strict";
import { ADMIN_PASSWORD } from "../../edge/support/workerd.mjs";
import { basic, nowInSeconds, sign } from "../../edge/support/client.mjs";
import { SECRET } from "./filled.mjs";
import { settled } from "./support.mjs";

let count = 0;
const fresh = (name) => `${name}${++count}`;

/** Goes to a page by the navigation, which narrow windows hide behind a button. */
export async function goTo({ page, t, hand, width }, title) {
  if (width < 900) await hand.press(page.getByRole("button", { name: t("shell.menu") }));
  await hand.press(
    page
      .getByRole("navigation", { name: t("shell.navigation") })
      .getByRole("link", { name: t(title), exact: true }),
  );
  await page.getByRole("heading", { level: 1, name: t(title) }).waitFor();
  await settled(page);
}

/** Picks something in a field that searches. */
export async function pick({ page, t, hand }, label, text) {
  const field = page.getByRole("combobox", { name: t(label) });
  await hand.type(field, text);
  const option = page.getByRole("option", { name: new RegExp(`^${text}`) }).first();
  await option.waitFor();
  await hand.pick(field, option);
}

const dialog = ({ page }) => page.getByRole("dialog");
const button = (within, name) => within.getByRole("button", { name, exact: true });

async function issued(postern, username, password) {
  const path = "/imanager/cloud/security/tokens.json";
  const answer = await postern.send({ method: "POST", path, json: { username, password } });
  assert.equal(answer.status, 200, answer.text);
  return answer.text;
}

const verified = async (postern, bearer) =>
  (await postern.send({ path: "/v1/verify", headers: { authorization: `Bearer ${bearer}` } }))
    .status;

export const DEEDS = {
  async "find out why a token is refused"(tab) {
    const { page, t, hand } = tab;
    await goTo(tab, "token.title");
    const token = sign("not the secret of the app at all", {
      sub: "alice",
      exp: nowInSeconds() + 600,
    });
    await hand.paste(page.getByLabel(t("token.token"), { exact: true }), `Bearer ${token}`);
    await hand.press(button(page, t("token.submit")));
    await page.getByRole("heading", { name: t("token.refused") }).waitFor();
    const because = page.getByText(t("token.because", { app: "ERP" }));
    assert.match(await because.textContent(), /it was not made by the shared secret/);
    await page.getByText(t("check.signature"), { exact: true }).waitFor();
    assert.match(await page.getByLabel(t("token.claims")).textContent(), /"sub": "alice"/);
    assert.ok(!page.url().includes(token.slice(0, 20)));
    const kept = await page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]),
    );
    assert.ok(!kept.includes(token.slice(0, 20)), kept);
  },

  async "give a group access"(tab, postern) {
    const { page, t, hand } = tab;
    const name = fresh("Planners");
    const { id } = await postern.ask("POST", "/v1/groups", { name });
    await goTo(tab, "give.title");
    await pick(tab, "give.to", name);
    await pick(tab, "give.service", "Reports");
    await hand.tick(page.getByRole("checkbox", { name: t("permission.MODIFY") }));
    await hand.press(button(page, t("give.verb")));
    await page.getByText(t("give.done")).first().waitFor();
    const { items } = await postern.ask("GET", "/v1/services/1/grants?limit=500");
    const given = items.find(
      ({ authObjectType, authObjectId }) => authObjectType === "GROUP" && authObjectId === id,
    );
    assert.deepEqual(given?.permissions, ["VIEW", "MODIFY"]);
  },

  async "see what a person may do"(tab) {
    const { page, t } = tab;
    await goTo(tab, "may.title");
    await pick(tab, "may.user", "alice");
    await tab.hand.choose(
      page.getByLabel(t("may.permission")),
      await optionOf(page, t("may.permission"), "EXPORT"),
    );
    await pick(tab, "may.service", "Reports");
    await tab.hand.press(button(page, t("may.ask")));
    await page
      .getByRole("paragraph")
      .filter({ hasText: new RegExp(`^${t("may.yes")}$`) })
      .waitFor();
    await page.getByRole("link", { name: "Sales" }).first().waitFor();
  },

  async "replace a secret without an outage"(tab, postern) {
    const { page, t, hand } = tab;
    const name = fresh("robot");
    const { key: old, prefix } = await postern.ask("POST", "/v1/keys", {
      name,
      may: ["decisions"],
    });
    await goTo(tab, "keys.title");
    await hand.press(await linkInPages(tab, name));
    await page.getByRole("heading", { level: 1, name }).waitFor();
    await hand.press(button(page, t("key.makeSecond")));
    const made = await dialog(tab).locator(".secret-once code").textContent();
    assert.match(made, /^pst_/);
    await hand.press(button(dialog(tab), t("once.stored")));
    await hand.press(button(page, t("key.handedOut")));
    assert.deepEqual(
      [await verified(postern, old), await verified(postern, made)],
      [200, 200],
      "both count",
    );
    await hand.press(button(page, t("key.removeOldOne", { prefix })));
    await dialog(tab).getByRole("listitem").first().waitFor();
    assert.equal(await verified(postern, old), 200, "nothing is removed before it was asked");
    await hand.press(button(dialog(tab), t("key.removeOld")));
    await page.getByText(t("key.replaced")).waitFor();
    assert.deepEqual([await verified(postern, old), await verified(postern, made)], [401, 200]);
    assert.ok(!(await page.content()).includes(made), "it is shown once");
  },

  async "disconnect somebody now"(tab, postern) {
    const { page, t, hand } = tab;
    const username = fresh("mallory");
    const password = "correct horse staple";
    await postern.ask("POST", "/v1/users", { username, password, type: "SYS_Reader" });
    const token = await issued(postern, username, password);
    assert.equal(await verified(postern, token), 200);
    await goTo(tab, "users.title");
    await hand.type(page.getByRole("searchbox").first(), username);
    await page.waitForFunction(() => document.querySelectorAll("main tbody tr").length === 1);
    await hand.press(page.getByRole("link", { name: username }).first());
    await page.getByRole("heading", { level: 1, name: username }).waitFor();
    await hand.press(button(page, t("disconnect.verb")));
    await dialog(tab).getByText(t("disconnect.appTokens")).waitFor();
    assert.equal(await verified(postern, token), 200, "nothing is revoked before it was asked");
    await hand.press(button(dialog(tab), t("disconnect.verb")));
    await page
      .getByText(t("disconnect.doneDisabled", { name: username }))
      .first()
      .waitFor();
    assert.notEqual(await verified(postern, token), 200);
    const signedIn = await postern.send({
      path: "/v1/verify",
      headers: { authorization: basic(username, password) },
    });
    assert.notEqual(signedIn.status, 200);
  },
};

/** The text of an option that has a word in it. */
const optionOf = (page, label, word) =>
  page
    .getByLabel(label)
    .evaluate(
      (select, wanted) => [...select.options].find(({ value }) => value === wanted).label.trim(),
      word,
    );

/** A link of a list, on whichever of its pages it is. */
async function linkInPages({ page, t, hand }, name) {
  const link = page.getByRole("link", { name, exact: true });
  for (let at = 0; at < 10 && (await link.count()) === 0; at += 1) {
    await hand.press(button(page, t("pager.next")));
    await settled(page);
    await page.waitForTimeout(100);
  }
  return link;
}

/** Signs a token under the secret of the app ERP, or another one. */
export const tokenOf = (username, secret = SECRET) =>
  sign(secret, { sub: username, exp: nowInSeconds() + 600 });
export { ADMIN_PASSWORD, verified };
