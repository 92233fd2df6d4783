// A page of the console that is open, with what tests press, fill and confirm on it.

import assert from "node:assert/strict";
import { browser, postern } from "./shared.mjs";
import { findings, open, openWatched, overflow, signIn } from "./support.mjs";

/** Signs in and opens a page. */
export async function opened(test, route, options) {
  const tab = await openWatched(test, browser, { acceptDownloads: true, ...options });
  await signIn(tab, postern.url);
  await open(tab.page, route);
  const { page, t } = tab;
  const dialog = page.getByRole("dialog");
  return {
    ...tab,
    dialog,
    field: (key, within = page) => within.getByLabel(t(key), { exact: true }),
    press: (key, values, within = page) =>
      within.getByRole("button", { name: t(key, values), exact: true }).click(),
    confirmed: async (key) => {
      await dialog.getByRole("listitem").first().waitFor();
      await dialog.getByRole("button", { name: t(key), exact: true }).click();
      await dialog.waitFor({ state: "detached" });
    },
  };
}

/** What is only there after something was done is as sound as the page was. */
export async function expectSound(page) {
  assert.deepEqual(await findings(page), []);
  assert.ok((await overflow(page)) <= 0, "it is wider than the window");
}
