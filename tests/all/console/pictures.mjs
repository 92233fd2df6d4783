// Takes the pictures of docs/console/ anew:
//   POSTERN_BUILT=1 node tests/all/console/pictures.mjs [folder]

import { join } from "node:path";
import { nowInSeconds, sign } from "../../edge/support/client.mjs";
import { top } from "../../edge/support/workerd.mjs";
import { startBrowser } from "../support/browser.mjs";
import { NASTY, SECRET, lines } from "./filled.mjs";
import { open, openWatched, settled, signIn, startConsole } from "./support.mjs";

const folder = process.argv[2] ?? join(top, "docs/console");
const HEIGHT = 800;

const stops = [];
const run = { after: (stop) => stops.push(stop) };
let browser;
try {
  browser = await startBrowser();
  await takeAll(await startConsole(run));
} finally {
  await browser?.close();
  for (const stop of stops) await stop().catch(() => {});
}

async function takeAll(postern) {
  const key = await fill(postern);
  const take = async (name, route, scheme, prepare = () => {}) => {
    const tab = await openWatched(run, browser, { scheme, height: HEIGHT });
    await signIn(tab, postern.url);
    await open(tab.page, route);
    await tab.page.waitForTimeout(300);
    await prepare(tab);
    await settled(tab.page);
    // What was just told covers a corner.
    await tab.page.locator(".toast").waitFor({ state: "detached", timeout: 8000 });
    await tab.page.screenshot({ path: join(folder, `${name}.png`) });
  };
  const scrollTo = (page, title) =>
    page.getByRole("heading", { name: title, exact: true }).evaluate((heading) => {
      scrollTo(0, heading.getBoundingClientRect().top + scrollY - 80);
    });
  await take("overview", "#/", "light");
  await take("service", "#/services/1", "light");
  await take("may", "#/may?user=alice&service=1&permission=EXPORT", "light");
  await take("token", "#/token", "light", async ({ page, t }) => {
    const claims = { sub: "alice", iat: nowInSeconds() - 9000, exp: nowInSeconds() - 5400 };
    await page.getByLabel(t("token.token"), { exact: true }).fill(sign(SECRET, claims));
    await page.getByRole("button", { name: t("token.submit") }).click();
    await page.locator(".result").waitFor();
    await page.locator("#verdict").evaluate((heading) => {
      scrollTo(0, heading.getBoundingClientRect().top + scrollY - 330);
    });
  });
  await take("audit", "#/audit?action=token_app.update", "dark", async ({ page, t }) => {
    const show = page.getByRole("button", { name: t("audit.showChange"), exact: true });
    await show.first().click();
  });
  await take("key", `#/keys/${key}`, "dark", ({ page, t }) => scrollTo(page, t("key.secrets")));
}

/** The company of the tests without the names that want to be markup. */
async function fill(postern) {
  const nasty = Object.values(NASTY).map((name) => JSON.stringify(name));
  const records = lines().filter((line) => !nasty.some((name) => line.includes(name)));
  const there = records.filter((line) => !/"(?:serviceId|authObjectId)":(?:[34])\b/.test(line));
  await postern.ask("POST", "/v1/import", undefined, there.join("\n"));
  const app = { name: "ERP", algorithm: "HS256", secret: SECRET, claims: { username: "sub" } };
  await postern.ask("POST", "/v1/token-apps", app);
  await postern.ask("POST", "/v1/token-apps", { ...app, name: "Shop", secret: `${SECRET}-shop` });
  await postern.ask("PATCH", "/v1/token-apps/Shop", { audiences: ["bi"] });
  await postern.ask("POST", "/v1/services/1/grants", {
    authObjectType: "GROUP",
    authObjectId: 1,
    permissions: ["MODIFY", "TEST"],
    expiresAt: (nowInSeconds() + 40 * 24 * 3600) * 1000,
  });
  const { id, key } = await postern.ask("POST", "/v1/keys", {
    name: "billing",
    may: ["decisions"],
  });
  const second = await postern.ask("POST", `/v1/keys/${id}/secret`);
  for (const bearer of [key, second.key])
    await postern.send({ path: "/v1/verify", headers: { authorization: `Bearer ${bearer}` } });
  return id;
}
