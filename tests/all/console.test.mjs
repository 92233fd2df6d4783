// The console's five tasks in a real browser: in both languages, on a wide and on a narrow window,
// by mouse and by keyboard alone. tests/all/console/ has the rest: pages, failures, hostile pages,
// size.

import { test } from "node:test";
import { DEEDS } from "./console/deeds.mjs";
import { HANDS } from "./console/hands.mjs";
import { browser, postern } from "./console/shared.mjs";
import { LANGUAGES, WIDTHS, openWatched, signIn } from "./console/support.mjs";

for (const language of Object.keys(LANGUAGES)) {
  for (const width of WIDTHS) {
    for (const [by, hand] of Object.entries(HANDS)) {
      test(`five tasks by ${by}, ${width} px wide, in ${language}`, async (test) => {
        const tab = await openWatched(test, browser, { language, width });
        await signIn(tab, postern.url);
        tab.hand = hand(tab.page);
        for (const [name, deed] of Object.entries(DEEDS)) {
          await test.test(name, () => deed(tab, postern));
        }
        tab.check();
      });
    }
  }
}
