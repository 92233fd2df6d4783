// A small application behind the gateway: pages with a style sheet, a picture, a script that calls
// the application, a link and a form.

import assert from "node:assert/strict";
import { startOrigin } from "../../edge/support/origin.mjs";

/** One black pixel. */
const PICTURE = Buffer.from(
  "R0lGODlhAQABAIAAAAAAAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==",
  "base64",
);

const SCRIPT = `
  const tell = (id, text) => (document.getElementById(id).textContent = text);
  const called = async (url, init) => (await fetch(url, init)).text();
  (async () => {
    tell("read", await called("/api/data?x=1"));
    tell("wrote", await called("/api/save", { method: "POST", body: "saved" }));
    document.body.dataset.done = "yes";
  })();`;

const page = (title) => `<!doctype html><title>${title}</title>
  <link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,">
  <h1>${title}</h1><img id="picture" src="/picture.gif">
  <p id="read"></p><p id="wrote"></p>
  <a href="/next?page=2">next</a>
  <form method="post" action="/form"><input name="field" value="a b"><button>send</button></form>
  <script src="/script.js"></script>`;

const FILES = {
  "/style.css": ["text/css", "h1 { color: rgb(1, 2, 3) }"],
  "/script.js": ["text/javascript", SCRIPT],
  "/picture.gif": ["image/gif", PICTURE],
};

async function answer(request, response) {
  const { pathname } = new URL(request.url, "http://application");
  const [type, content] = FILES[pathname] ?? ["text/html;charset=utf-8"];
  const body = String(Buffer.concat(await request.toArray()));
  const user = request.headers["x-auth-user"];
  const text = pathname.startsWith("/api/")
    ? `${request.method} by ${user} ${body}`.trim()
    : page(`${pathname} of ${user} ${body}`.trim());
  response.setHeader("content-type", type).end(content ?? text);
}

/**
 * Starts the application, which is stopped when the test is over. `requests` lists what it got.
 * Each answer has the `headers`.
 */
export const startApplication = (test, headers = {}) =>
  startOrigin(test, (request, response) =>
    answer(request, response.setHeaders(new Map(Object.entries(headers)))),
  );

/**
 * Waits until the tab shows the application's page at `path`, and all that belongs to it. `sent` is
 * what a form sent there.
 */
export async function expectWhole(tab, path, user, sent = "") {
  await tab.waitForURL((url) => url.pathname === path);
  await tab.waitForSelector("body[data-done=yes]");
  const seen = await tab.evaluate(() => ({
    title: document.title,
    color: getComputedStyle(document.querySelector("h1")).color,
    width: document.querySelector("#picture").naturalWidth,
    read: document.querySelector("#read").textContent,
    wrote: document.querySelector("#wrote").textContent,
  }));
  const expected = {
    title: `${path} of ${user} ${sent}`.trim(),
    color: "rgb(1, 2, 3)",
    width: 1,
    read: `GET by ${user}`,
    wrote: `POST by ${user} saved`,
  };
  assert.deepEqual(seen, expected);
}
