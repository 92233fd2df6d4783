// Real Chromium with playwright-core. scripts/lib/programs.sh installs the one, npm the other.

import { createRequire } from "node:module";
import { join } from "node:path";
import { npmPackages } from "./programs.mjs";
import { program } from "./processes.mjs";

/** Milliseconds after which something that does not come fails its test. */
const PATIENCE_MS = 15_000;

/**
 * Starts the browser. This machine is the only host that it can reach; `hosts` are further names of
 * it. The caller closes it.
 */
export function startBrowser({ hosts = [] } = {}) {
  const { chromium } = createRequire(join(npmPackages, "x"))("playwright-core");
  const mapped = hosts.map((host) => `MAP ${host} 127.0.0.1`);
  const rules = [...mapped, "EXCLUDE 127.0.0.1", "EXCLUDE localhost", "MAP * ~NOTFOUND"];
  return chromium.launch({
    executablePath: program("chromium"),
    // Chromium refuses to run a sandbox as root.
    chromiumSandbox: process.getuid() !== 0,
    args: [`--host-resolver-rules=${rules.join(", ")}`, "--disable-dev-shm-usage"],
  });
}

/** A tab with its own cookies, which is closed when the test is over. */
export async function openTab(test, browser, options) {
  const context = await browser.newContext(options);
  test.after(() => context.close());
  context.setDefaultTimeout(PATIENCE_MS);
  return context.newPage();
}

/** Each URL to which a tab can go back or forward. */
export async function historyOf(page) {
  const session = await page.context().newCDPSession(page);
  const { entries } = await session.send("Page.getNavigationHistory");
  await session.detach();
  return entries.map(({ url }) => url);
}

/** Each URL that a script of the page can find. */
export const urlsSeenBy = (page) =>
  page.evaluate(() => [
    location.href,
    document.URL,
    document.referrer,
    ...performance.getEntries().map(({ name }) => name),
    ...globalThis.navigation.entries().map(({ url }) => url),
  ]);
