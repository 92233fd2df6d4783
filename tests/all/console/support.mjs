// The console in a real browser: a Postern with its static files, tabs that write down whatever the
// console may not do, and the texts of the console by their names.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { admin } from "../../edge/support/client.mjs";
import { ADMIN_PASSWORD, deployment, startWorkerd, top } from "../../edge/support/workerd.mjs";
import { npmPackages } from "../support/programs.mjs";

const files = join(top, "public/v1/console");
const textsOf = (language) => JSON.parse(readFileSync(join(files, `texts/${language}.json`)));

export const LANGUAGES = {
  en: { locale: "en-US", texts: textsOf("en") },
  zh: { locale: "zh-CN", texts: textsOf("zh") },
};
export const WIDTHS = [1280, 360];

/** A text of the console in a language, by its name: `said(en)("users.title")`. */
export const said =
  (language) =>
  (name, values = {}) => {
    const text = LANGUAGES[language].texts[name];
    assert.ok(text !== undefined, `the console has no text ${name}`);
    return text.replace(/\{(\w+)\}/g, (_, value) => values[value] ?? `{${value}}`);
  };

/**
 * A Postern with the static files in front of it, stopped when the test is over. `ask` calls the
 * API as the first administrator. `https` is `{ key, cert }` of a certificate.
 */
export async function startConsole(test, { changes, https, port, folder, migrate } = {}) {
  const isolates = [{ bindings: deployment(changes) }];
  const workerd = await startWorkerd({ isolates, assets: true, https, port, folder, migrate });
  test.after(() => workerd.stop());
  const [isolate] = workerd.isolates;
  const ask = async (method, path, json, body) => {
    const answer = await isolate.send({ method, path, headers: admin, json, body });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  };
  return { ...isolate, url: workerd.url, port: new URL(workerd.url).port, ask, stop: workerd.stop };
}

/**
 * A tab that writes down errors of the page, breaches of its policy, and requests to other origins.
 * `check()` fails where there were any; `allowed` are patterns of messages that the test brings
 * about.
 */
export async function openWatched(
  test,
  browser,
  { language = "en", width = 1280, height = 900, scheme = "light", allowed = [], ...more } = {},
) {
  const context = await browser.newContext({
    locale: LANGUAGES[language].locale,
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: "reduce",
    ...more,
  });
  test.after(() => context.close());
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const { faults, requests } = watch(page, allowed);
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      console.error(`policy: ${violatedDirective} ${blockedURI}`),
    );
  });
  const check = () => assert.deepEqual(faults, [], "what the console may not do");
  return { page, context, requests, faults, check, t: said(language), language, width };
}

function watch(page, allowed) {
  const faults = [];
  const requests = [];
  const note = (text) => allowed.some((pattern) => pattern.test(text)) || faults.push(text);
  page.on(
    "console",
    (message) =>
      message.type() === "error" && note(`console: ${message.text()} ${message.location().url}`),
  );
  page.on("pageerror", (error) => note(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    requests.push({
      method: request.method(),
      path: url.pathname + url.search,
      url: request.url(),
    });
    const own = new URL(page.url() === "about:blank" ? request.url() : page.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.origin !== own.origin)
      note(`request: ${request.url()}`);
  });
  return { faults, requests };
}

/** Opens the console and signs in by its own form. */
export async function signIn(tab, base, route = "#/") {
  const { page, t } = tab;
  await page.goto(`${base}v1/console/${route}`);
  await page.getByLabel(t("session.username"), { exact: true }).fill("admin");
  await page.getByLabel(t("session.password"), { exact: true }).fill(ADMIN_PASSWORD);
  await page.getByRole("button", { name: t("session.signIn"), exact: true }).click();
  await page.getByRole("navigation").first().waitFor({ state: "attached" });
  await settled(page);
}

/** Goes to a page of the console, and waits until it is there. */
export async function open(page, route) {
  await page.evaluate((hash) => (location.hash = hash), route);
  await settled(page);
}

/** Waits until nothing is loading any more. */
export async function settled(page) {
  await page.locator("main h1").first().waitFor();
  await page.waitForFunction(
    () => !document.querySelector("main [aria-busy=true], main[aria-busy=true]"),
  );
}

const axeSource = () =>
  readFileSync(createRequire(join(npmPackages, "x")).resolve("axe-core/axe.min.js"), "utf8");
let axe;

/** What axe finds on the page by the rules of WCAG 2.2 AA, as lines. */
export async function findings(page) {
  axe ??= axeSource();
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await globalThis.axe.run(document, { runOnly: tags });
    return violations.map(({ id, nodes }) => ({
      id,
      nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`),
    }));
  });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node}`));
}

/** Whether the page is as wide as the window, so that nobody scrolls sideways to read it. */
export const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
