// Each page of the console: nothing that its policy forbids, nothing that axe finds, no error,
// nothing wider than the window, in light and dark, on wide and narrow windows. With
// SCREENSHOTS=folder each is photographed.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NASTY } from "./filled.mjs";
import { ROUTES, fileName } from "./routes.mjs";
import { WIDTHS, findings, open, openWatched, overflow, signIn } from "./support.mjs";
import { browser, postern } from "./shared.mjs";

const { SCREENSHOTS } = process.env;

for (const scheme of ["light", "dark"]) {
  for (const width of WIDTHS) {
    // Each language in each scheme and at each width would take twice the time, and find the same.
    const language = (scheme === "light") === (width === 360) ? "zh" : "en";
    test(`each page is sound: ${scheme}, ${width} px wide, ${language}`, async (test) => {
      const tab = await openWatched(test, browser, { language, width, scheme });
      const { page } = tab;
      await page.goto(`${postern.url}v1/console/`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      assert.deepEqual(await findings(page), [], "the sign-in page");
      await signIn(tab, postern.url);
      const found = [];
      for (const route of ROUTES) {
        await open(page, `#${route}`);
        await photograph(page, route, scheme, width);
        const title = await page.title();
        assert.match(title, / · Postern$/, route);
        assert.equal(await page.locator("h1").count(), 1, route);
        found.push(...(await findings(page)).map((line) => `${route}: ${line}`));
        const more = await overflow(page);
        if (more > 0) found.push(`${route}: is ${more} px wider than the window`);
        found.push(
          ...(await untranslated(page)).map((key) => `${route}: the text ${key} is missing`),
        );
        found.push(...tab.faults.splice(0).map((fault) => `${route}: ${fault}`));
      }
      assert.deepEqual(found, []);
    });
  }
}

/** Keys that are shown because they have no text; actions of the audit trail look like keys. */
const untranslated = (page) =>
  page.evaluate(() => {
    const shown = document.body.innerText.match(/\b[a-z][A-Za-z]+\.[a-z][\w.]*[a-z]\b/g) ?? [];
    const code = [...document.querySelectorAll("code, .code")]
      .map(({ textContent }) => textContent)
      .join(" ");
    const areas =
      /^(appForm|apps|audit|common|keys|may|overview|shell|session|transfer|reference|try|check|replace|shared|revocations|tombstones|kind|permission|pager|confirm|combobox|give|rules|users|groups|departments|services|applications|organizations)\./;
    return [...new Set(shown)].filter((text) => areas.test(text) && !code.includes(text));
  });

async function photograph(page, route, scheme, width) {
  if (!SCREENSHOTS) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({
    path: join(SCREENSHOTS, `${fileName(route)}-${scheme}-${width}.png`),
    fullPage: true,
  });
}

test("the theme follows the system until one is chosen, which stays", async (test) => {
  const tab = await openWatched(test, browser);
  const { page, t } = tab;
  const expectTheme = (theme) =>
    page.waitForFunction((wanted) => {
      const { backgroundColor } = getComputedStyle(document.documentElement);
      const isDark = /^rgb\(\d{1,2},/.test(backgroundColor);
      return document.documentElement.dataset.theme === wanted && isDark === (wanted === "dark");
    }, theme);
  await page.goto(`${postern.url}v1/console/`);
  await expectTheme("light");
  await page.emulateMedia({ colorScheme: "dark" });
  await expectTheme("dark");
  await page.getByLabel(t("shell.theme")).selectOption("light");
  await expectTheme("light");
  await page.reload();
  await expectTheme("light");
  await page.getByLabel(t("shell.theme")).selectOption("system");
  await expectTheme("dark");
  tab.check();
});

test("names with markup, quotes, right-to-left text or 64 KB are shown as text", async (test) => {
  const tab = await openWatched(test, browser);
  const { page } = tab;
  await signIn(tab, postern.url);
  const pages = [
    "/users",
    "/users/200",
    "/users/201",
    "/users/202",
    "/groups",
    "/groups/3",
    "/groups/4",
    "/departments",
    "/departments/3",
    "/services",
    "/services/3",
    "/services/4",
    "/keys",
    "/organizations",
    "/applications",
    "/applications/k2",
    "/audit",
    "/users/200/access",
  ];
  const seen = [];
  for (const route of pages) {
    await open(page, `#${route}`);
    seen.push(await page.locator("main").innerText());
    assert.equal(
      await page.locator("main img, main script, main b").count(),
      0,
      `${route} has made elements of a name`,
    );
    assert.equal((await overflow(page)) > 0, false, `${route} is wider than the window`);
  }
  const text = seen.join("\n");
  for (const name of [NASTY.markup, NASTY.quotes, NASTY.rightToLeft])
    assert.ok(text.includes(name), `${name} is shown nowhere`);
  assert.equal(await page.evaluate(() => globalThis.hit), undefined);
  tab.check();
});

test("a token of 64 KB with markup in its claims is shown as text", async (test) => {
  const tab = await openWatched(test, browser);
  const { page, t } = tab;
  await signIn(tab, postern.url, "#/token");
  const { tokenOf } = await import("./deeds.mjs");
  await page.getByLabel(t("token.token"), { exact: true }).fill(tokenOf(NASTY.markup));
  await page.getByRole("button", { name: t("token.submit") }).click();
  assert.ok(
    (await page.getByLabel(t("token.claims")).textContent()).includes(JSON.stringify(NASTY.markup)),
  );
  await page
    .getByLabel(t("token.token"), { exact: true })
    .fill(`eyJhbGciOiJIUzI1NiJ9.${"a".repeat(64 * 1024)}.b`);
  await page.getByRole("button", { name: t("token.submit") }).click();
  await page.getByRole("heading", { name: t("token.refused") }).waitFor();
  assert.equal((await overflow(page)) > 0, false);
  assert.equal(await page.locator("main img, main script").count(), 0);
  tab.check();
});
