// A browser, and a Postern with something in it, for all tests of the file that imports this.

import { after, before } from "node:test";
import { startBrowser } from "../support/browser.mjs";
import { fill } from "./filled.mjs";
import { startConsole } from "./support.mjs";

export let [browser, postern] = [];
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
