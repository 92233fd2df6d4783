// What people see who open an application behind the gateway in a real browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import https from "node:https";
import { after, before, test } from "node:test";
import { admin, expectStatus, nowInSeconds, registerApp, sign } from "../edge/support/client.mjs";
import { startOrigin } from "../edge/support/origin.mjs";
import {
  ADMIN_PASSWORD,
  deployment,
  startIsolates,
  startPostern,
  stateFolder,
} from "../edge/support/workerd.mjs";
import { expectWhole, startApplication } from "./support/application.mjs";
import { historyOf, openTab, startBrowser, urlsSeenBy } from "./support/browser.mjs";
import { makeCertificate, startFront } from "./support/neighbours.mjs";

/** Postern promises 10 s; the rest is for a busy machine. */
const BOUND_MS = 15_000;

let browser;
before(
  async () =>
    (browser = await startBrowser({ hosts: ["intranet.test", "portal.test", "app.test"] })),
);
after(() => browser?.close());

const token = (username = "alice") =>
  sign("abcd", { loginname: username, exp: nowInSeconds() + 600 });

/**
 * Starts Postern with a token app in front of an origin. `at` is its URL by another name of this
 * machine.
 */
async function inFrontOf(test, origin, changes = {}) {
  const postern = await startPostern(test, {
    bindings: deployment({ ORIGIN_URL: origin.url, ...changes }),
  });
  await registerApp(postern);
  return { ...postern, at: (host) => `http://${host}:${new URL(postern.url).port}` };
}

/** A portal on another host with a link to a page. Returns the portal's URL. */
async function portalWithLinkTo(test, href) {
  const html =
    '<!doctype html><meta name="referrer" content="unsafe-url"><link rel="icon" href="data:,">' +
    `<a href="${href}">open</a>`;
  const { url } = await startOrigin(test, (_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end(html),
  );
  return url.replace("127.0.0.1", "portal.test");
}

// Browsers send no Sec-Fetch-Mode over http, unless the host is local.
for (const host of ["localhost", "intranet.test"]) {
  test(`a page opened by a token is whole, and the token is nowhere (${host})`, async (test) => {
    const origin = await startApplication(test);
    const postern = await inFrontOf(test, origin);
    const jwt = token();
    const tab = await openTab(test, browser);
    const seen = [];
    const look = async (path, sent) => {
      await expectWhole(tab, path, "alice", sent);
      seen.push(...(await urlsSeenBy(tab)), await tab.content());
    };
    await tab.goto(await portalWithLinkTo(test, `${postern.at(host)}/page?tab=1&token=${jwt}`));
    await tab.click("a");
    await look("/page");
    assert.equal(tab.url(), `${postern.at(host)}/page?tab=1`);
    await tab.click("a");
    await look("/next");
    await tab.click("button");
    await look("/form", "field=a+b");
    await tab.goBack();
    await look("/next");
    await tab.goBack();
    await look("/page");
    await tab.goForward();
    await look("/next");
    await tab.reload();
    await look("/next");

    const history = await historyOf(tab);
    assert.ok(history.includes(`${postern.at(host)}/page?tab=1`), history.join(" "));
    const asked = origin.requests.map(({ method, url }) => `${method} ${url}`);
    for (const request of [
      "GET /page?tab=1",
      "GET /style.css",
      "GET /picture.gif",
      "GET /script.js",
      "GET /api/data?x=1",
      "POST /api/save",
      "GET /next?page=2",
      "POST /form",
    ]) {
      assert.ok(asked.includes(request), `${request} is not among ${asked.join(", ")}`);
    }
    for (const { url, headers } of origin.requests)
      assert.equal(headers["x-auth-user"], "alice", url);
    const picture = origin.requests.find(({ url }) => url === "/picture.gif");
    assert.equal(picture.headers.referer, `${postern.at(host)}/page?tab=1`);
    for (const text of [...seen, ...history, JSON.stringify(origin.requests)]) {
      assert.ok(!text.includes(jwt) && !text.includes("token="), text);
    }
    const cookies = await tab.context().cookies();
    assert.deepEqual(
      cookies.map(({ name, httpOnly, path }) => [name, httpOnly, path]),
      [["postern", true, "/"]],
    );
    assert.equal(await tab.evaluate(() => document.cookie), "");
    assert.ok(!cookies[0].value.includes(jwt));
  });
}

/** A page of another site over https, which shows a URL in a frame. Returns the page's URL. */
async function startFraming(test, certificate, framed) {
  const html =
    '<!doctype html><link rel="icon" href="data:,">' +
    `<iframe name="framed" src="${framed}"></iframe>`;
  const files = { key: readFileSync(certificate.key), cert: readFileSync(certificate.certificate) };
  const server = https.createServer(files, (_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end(html),
  );
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://portal.test:${server.address().port}/`;
}

/** Postern behind https at app.test. */
async function overHttps(test, changes) {
  const certificate = makeCertificate(stateFolder(test), "app.test");
  const origin = await startApplication(test);
  const behind = {};
  const front = await startFront(behind, certificate);
  test.after(front.stop);
  const at = `https://app.test:${front.address.split(":")[1]}`;
  Object.assign(behind, await inFrontOf(test, origin, { PUBLIC_ORIGIN: at, ...changes }));
  return { postern: behind, origin, at, certificate };
}

test("an application in another site's frame is whole with SESSION_SAMESITE none", async (test) => {
  const { origin, at, certificate } = await overHttps(test, { SESSION_SAMESITE: "none" });
  const tab = await openTab(test, browser, { ignoreHTTPSErrors: true });
  await tab.goto(await startFraming(test, certificate, `${at}/page?token=${token()}`));
  const frame = tab.frame("framed");
  await expectWhole(frame, "/page", "alice");
  await frame.click("a");
  await expectWhole(frame, "/next", "alice");
  await frame.click("button");
  await expectWhole(frame, "/form", "alice", "field=a+b");
  for (const { url, headers } of origin.requests)
    assert.equal(headers["x-auth-user"], "alice", url);
  const [{ name, secure, sameSite }] = await tab.context().cookies(at);
  assert.deepEqual([name, secure, sameSite], ["__Host-postern", true, "None"]);
  // The browser sends the frame's cookie only in frames of that site.
  const alone = await tab.context().newPage();
  assert.equal((await alone.goto(`${at}/page`)).status(), 401);
});

test("a frame of another site says what happened when its session has ended", async (test) => {
  const { postern, at, certificate } = await overHttps(test, { SESSION_SAMESITE: "none" });
  const tab = await openTab(test, browser, { ignoreHTTPSErrors: true });
  const jwt = token();
  await tab.goto(await startFraming(test, certificate, `${at}/page?token=${jwt}`));
  const frame = tab.frame("framed");
  await expectWhole(frame, "/page", "alice");
  expectStatus(
    await postern.send({ method: "POST", path: "/v1/revocations", json: { token: jwt } }),
    204,
  );
  await frame.click("button");
  await frame.waitForSelector("h1:text('Your sign-in has ended')");
});

test("without SESSION_SAMESITE another site's frame shows its page by the token", async (test) => {
  const { origin, at, certificate } = await overHttps(test);
  const tab = await openTab(test, browser, { ignoreHTTPSErrors: true });
  await tab.goto(await startFraming(test, certificate, `${at}/page?token=${token()}`));
  await tab.frame("framed").waitForSelector("h1:text('/page of alice')");
  await tab.waitForLoadState("load");
  assert.deepEqual(await tab.context().cookies(at), []);
  assert.deepEqual(
    origin.requests.map(({ url }) => url),
    ["/page"],
    "what belongs to it has no credential",
  );
});

test("signing out ends the session, a copied cookie and the token in the link", async (test) => {
  const origin = await startApplication(test);
  const postern = await inFrontOf(test, origin);
  const link = `${postern.at("localhost")}/page?token=${token()}`;
  const tab = await openTab(test, browser);
  await tab.goto(link);
  await expectWhole(tab, "/page", "alice");
  const copied = await tab.context().cookies();
  await tab.goto(`${postern.at("localhost")}/v1/sign-out`);
  assert.equal(await tab.textContent("h1"), "You are signed out");
  assert.deepEqual(await tab.context().cookies(), []);
  const before = origin.requests.length;
  const refused = async (title, reason) => {
    const answer = await tab.goto(link.split("?")[0]);
    assert.equal(answer.status(), 401);
    assert.equal(await tab.textContent("h1"), title);
    assert.ok((await tab.textContent("small")).includes(reason));
  };
  await refused("This page needs a sign-in", "missing");
  assert.equal((await tab.goto(link)).status(), 401, "the link in the portal opens nothing again");
  await tab.context().addCookies(copied);
  await refused("Your sign-in has ended", "revoked");
  assert.equal(origin.requests.length, before, "the application sees nothing of that");
});

test("a user who is disabled elsewhere is out within 10 seconds", async (test) => {
  const origin = await startApplication(test);
  const [here, elsewhere] = await startIsolates(test, 2, { changes: { ORIGIN_URL: origin.url } });
  await registerApp(elsewhere);
  const tab = await openTab(test, browser);
  await tab.goto(`${here.url}page?token=${token()}`);
  await expectWhole(tab, "/page", "alice");
  expectStatus(
    await elsewhere.send({
      method: "PATCH",
      path: "/v1/users/2",
      headers: admin,
      json: { enabled: false },
    }),
    200,
  );
  const since = Date.now();
  const ask = () => tab.evaluate(async () => (await fetch("/api/data")).status);
  while ((await ask()) === 200) assert.ok(Date.now() - since < BOUND_MS, "alice is still let in");
  assert.equal((await tab.reload()).status(), 403);
  assert.equal(await tab.textContent("h1"), "You may not open this page");
});

/**
 * In English with scripts; in Chinese without scripts, at a host to which browsers send no
 * Sec-Fetch-Site.
 */
const SIGN_INS = [
  {
    context: { locale: "en-US" },
    host: "localhost",
    words: {
      title: "Sign in",
      name: "User name",
      password: "Password",
      button: "Sign in",
      wrong: "The user name or the password is wrong.",
    },
  },
  {
    context: { locale: "zh-CN", javaScriptEnabled: false },
    host: "intranet.test",
    words: {
      title: "登录",
      name: "用户名",
      password: "密码",
      button: "登录",
      wrong: "用户名或密码错误。",
    },
  },
];

for (const { context, host, words } of SIGN_INS) {
  const where = `${context.locale}, ${host}`;
  test(`a sign-in at Postern leads to the page that was asked for (${where})`, async (test) => {
    const origin = await startApplication(test);
    const postern = await inFrontOf(test, origin, { LOGIN_URL: "password" });
    const tab = await openTab(test, browser, context);
    await tab.goto(`${postern.at(host)}/reports?q=1&x=%26`);
    assert.equal(new URL(tab.url()).pathname, "/v1/sign-in");
    assert.equal(await tab.getAttribute("html", "lang"), context.locale.slice(0, 2));
    assert.equal(await tab.title(), words.title);
    const [name, password] = [words.name, words.password].map((label) =>
      tab.getByLabel(label, { exact: true }),
    );
    const signInWith = async (text) => {
      await password.fill(text);
      await tab.getByRole("button", { name: words.button }).click();
    };
    await name.fill("admin");
    await signInWith("wrong");
    assert.equal(await tab.getByRole("alert").textContent(), words.wrong);
    assert.deepEqual(
      [await name.inputValue(), await password.inputValue()],
      ["admin", ""],
      "the name is kept",
    );
    await signInWith(ADMIN_PASSWORD);
    await tab.waitForURL(`${postern.at(host)}/reports?q=1&x=%26`);
    assert.equal(await tab.textContent("h1"), "/reports of admin");
    if (context.javaScriptEnabled !== false) await expectWhole(tab, "/reports", "admin");
    assert.ok(!JSON.stringify(origin.requests).includes(ADMIN_PASSWORD));
  });
}

test("an application with no-referrer pages gets its own forms and calls", async (test) => {
  const origin = await startApplication(test, { "referrer-policy": "no-referrer" });
  const postern = await inFrontOf(test, origin);
  const tab = await openTab(test, browser);
  await tab.goto(`${postern.at("localhost")}/page?token=${token()}`);
  await expectWhole(tab, "/page", "alice");
  await tab.click("button");
  await expectWhole(tab, "/form", "alice", "field=a+b");
  assert.equal(origin.requests.find(({ url }) => url === "/form").headers.origin, "null");
});

test("people whose browser prefers Chinese are told in Chinese what to do", async (test) => {
  const origin = await startApplication(test);
  const postern = await inFrontOf(test, origin);
  for (const [locale, title] of [
    ["zh-CN", "此页面需要登录"],
    ["zh-TW", "此页面需要登录"],
    ["de-DE", "This page needs a sign-in"],
  ]) {
    const tab = await openTab(test, browser, { locale });
    assert.equal((await tab.goto(`${postern.at("localhost")}/page`)).status(), 401);
    assert.equal(await tab.textContent("h1"), title);
  }
  assert.equal(origin.requests.length, 0);
});
