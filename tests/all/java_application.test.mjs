// An application on Tomcat works behind the gateway as without it: its sign-in, its JSESSIONID and
// its redirects, beside Postern's session. Neither session disturbs the other.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { nowInSeconds, registerApp, sign } from "../edge/support/client.mjs";
import { deployment, startPostern, stateFolder } from "../edge/support/workerd.mjs";
import { openTab, startBrowser } from "./support/browser.mjs";
import { ACCOUNT, startJavaApplication } from "./support/java_application.mjs";

const cleaning = [];
let browser;
let application;
before(async () => {
  [browser, application] = await Promise.all([
    startBrowser(),
    startJavaApplication(stateFolder({ after: (action) => cleaning.push(action) })),
  ]);
});
after(async () => {
  await Promise.all([browser?.close(), application?.stop()]);
  cleaning.forEach((action) => action());
});

const token = () => sign("abcd", { loginname: "alice", exp: nowInSeconds() + 600 });

async function signInToApplication(tab) {
  assert.equal(await tab.textContent("h1"), "login");
  await tab.fill("[name=j_username]", ACCOUNT.username);
  await tab.fill("[name=j_password]", ACCOUNT.password);
  await tab.click("button");
}

/** The content of the application's page, when the tab shows it at this URL. */
async function home(tab, url) {
  await tab.waitForURL((now) => now.href.replace(/;jsessionid=[^?]*/, "") === url);
  assert.equal(await tab.textContent("h1"), "home");
  const of = (id) => tab.textContent(`#${id}`);
  return {
    user: await of("user"),
    caller: await of("caller"),
    visits: Number(await of("visits")),
    sent: await of("sent"),
    cookies: await of("cookies"),
  };
}

const cookiesOf = async (tab) =>
  Object.fromEntries((await tab.context().cookies()).map((cookie) => [cookie.name, cookie]));

const FORMS = {
  routed: /^[0-9A-F]{32}\.node1$/,
  plain: /^[0-9A-F]{32}$/,
  below: /^[0-9A-F]{32}\.node1$/,
};

for (const [name, form] of Object.entries(FORMS)) {
  test(`an application on Tomcat has its sessions beside Postern's (${name})`, async (test) => {
    const postern = await startPostern(test, {
      bindings: deployment({ ORIGIN_URL: application.urls[name] }),
    });
    await registerApp(postern);
    const tab = await openTab(test, browser);
    const page = `${postern.url}app/home.jsp`;
    await tab.goto(`${page}?token=${token()}`);
    await signInToApplication(tab);
    const first = await home(tab, page);
    assert.deepEqual(
      [first.user, first.caller, first.visits, first.sent],
      ["tom", "alice", 1, "GET null"],
    );
    const cookies = await cookiesOf(tab);
    assert.deepEqual(Object.keys(cookies).sort(), ["JSESSIONID", "lang", "postern"]);
    assert.match(cookies.JSESSIONID.value, form);
    assert.deepEqual([cookies.JSESSIONID.path, cookies.lang.path], ["/", "/app"]);
    await tab.click("a");
    const second = await home(tab, page);
    assert.deepEqual([second.user, second.visits], ["tom", 2]);
    assert.deepEqual(
      second.cookies.split("; ").sort(),
      [`JSESSIONID=${cookies.JSESSIONID.value}`, "lang=zh"],
      "Postern's is not among them",
    );
    await tab.click("button");
    const third = await home(tab, page);
    assert.deepEqual(
      [third.user, third.caller, third.visits, third.sent],
      ["tom", "alice", 3, "POST a"],
    );

    // Signs out of the application, but not of Postern.
    await tab.goto(`${postern.url}app/logout.jsp`);
    assert.equal(tab.url(), `${postern.url}bye.jsp`);
    assert.equal(await tab.textContent("#caller"), "alice");
    await tab.goto(page);
    await signInToApplication(tab);
    assert.equal((await home(tab, page)).visits, 1);

    // Signs out of Postern, but not of the application.
    const { JSESSIONID } = await cookiesOf(tab);
    await tab.goto(`${postern.url}v1/sign-out`);
    assert.equal((await tab.goto(page)).status(), 401);
    assert.equal((await cookiesOf(tab)).JSESSIONID.value, JSESSIONID.value);
    await tab.goto(
      `${page}?token=${sign("abcd", { loginname: "bob", exp: nowInSeconds() + 600 })}`,
    );
    const last = await home(tab, page);
    assert.deepEqual([last.user, last.caller, last.visits], ["tom", "bob", 2]);
  });
}
