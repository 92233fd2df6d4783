// What a script of the application can do with the session of an administrator who has opened the
// application. The script calls each operation of the OpenAPI document from the page, which has the
// same origin.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { admin, nowInSeconds, registerApp, sign } from "../edge/support/client.mjs";
import { ADMIN_PASSWORD, deployment, startPostern, top } from "../edge/support/workerd.mjs";
import { expectWhole, startApplication } from "./support/application.mjs";
import { openTab, startBrowser } from "./support/browser.mjs";

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.close());

const document = JSON.parse(readFileSync(join(top, "public/v1/openapi.json")));

/** Values for required parameters. An `id` in the path or query gets a number or a name. */
const VALUES = {
  accessKey: "k",
  apiId: 1,
  appId: "k",
  authObjectId: 2,
  authObjectType: "USER",
  authPermission: "VIEW",
  enabled: true,
  name: "ERP",
  orgId: "o1",
  permission: "VIEW",
  prefix: "pst_",
  resourceType: "User",
  service: 1,
  tokenId: 1,
  type: "USER",
  urn: "urn:ietf:params:scim:schemas:core:2.0:User",
  userId: 2,
  username: "alice",
};

function sampleOf({ name, schema }) {
  const value = name === "id" ? (schema.type === "integer" ? 2 : "o1") : VALUES[name];
  assert.notEqual(
    value,
    undefined,
    `the document has the new parameter ${name}: give it a value here`,
  );
  return encodeURIComponent(value);
}

/** A request for each operation of the document, with the document's example as its body. */
function operations() {
  return Object.entries(document.paths).flatMap(([template, item]) =>
    Object.entries(item).map(([method, { parameters = [], requestBody, security }]) => {
      const required = parameters.filter((one) => one.required);
      const of = (place) => required.filter((one) => one.in === place);
      const path = of("path").reduce(
        (text, one) => text.replace(`{${one.name}}`, sampleOf(one)),
        template,
      );
      const query = of("query")
        .map((one) => `${one.name}=${sampleOf(one)}`)
        .join("&");
      const [[type, { example } = {}] = []] = Object.entries(requestBody?.content ?? {});
      const body = type && (typeof example === "string" ? example : JSON.stringify(example));
      const schemes = security.flatMap((one) => Object.keys(one));
      // The operation needs no credential, or takes the token from the body.
      const isOpen = security.length === 0 || security.some((one) => Object.keys(one).length === 0);
      const url = query ? `${path}?${query}` : path;
      return { method: method.toUpperCase(), path: url, type, body, schemes, isOpen };
    }),
  );
}

const named = ({ method, path }) => `${method} ${path}`;
const ALL = operations();
/** The requests have no body, because it could name another token. */
const BY_SESSION = ALL.filter(({ schemes }) => schemes.includes("session")).map(
  ({ method, path }) => ({ method, path }),
);
const CLOSED = ALL.filter(({ schemes, isOpen }) => !isOpen && !schemes.includes("session"));

/** The answers that a script of the page gets, each as its status and body. */
const called = (tab, requests) =>
  tab.evaluate(
    (all) =>
      Promise.all(
        all.map(async ({ method, path, type, body }) => {
          const answer = await fetch(path, {
            method,
            body,
            headers: type ? { "content-type": type } : {},
            redirect: "manual",
          });
          return { status: answer.status, text: await answer.text() };
        }),
      ),
    requests,
  );

/** All rows of the database. */
async function stateOf(postern) {
  const query = (sql) => postern.tool("query", { sql });
  const tables = await query(
    "SELECT name FROM sqlite_master " +
      "WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name",
  );
  assert.ok(tables.length > 20);
  return Promise.all(
    tables.map(async ({ name }) => [name, await query(`SELECT * FROM "${name}"`)]),
  );
}

const SESSIONS = {
  async "a password"(tab, at) {
    await tab.goto(`${at}page`);
    await tab.getByLabel("User name").fill("admin");
    await tab.getByLabel("Password").fill(ADMIN_PASSWORD);
    await tab.getByRole("button").click();
    return "admin";
  },
  async "a token"(tab, at) {
    await tab.goto(
      `${at}page?boss=${sign("boss", { loginname: "chief", exp: nowInSeconds() + 600 })}`,
    );
    return "chief";
  },
};

for (const [how, open] of Object.entries(SESSIONS)) {
  const what = "a script of the application manages nothing by an administrator's session";
  test(`${what}, which began with ${how}`, async (test) => {
    const origin = await startApplication(test);
    const postern = await startPostern(test, {
      bindings: deployment({ ORIGIN_URL: origin.url, LOGIN_URL: "password" }),
    });
    await registerApp(postern);
    await registerApp(postern, {
      name: "Boss",
      token_name: "boss",
      secret: "boss",
      initroles: ["Administrator"],
    });
    const user = { username: "alice", password: "correct horse", type: "SYS_Reader" };
    assert.equal(
      (await postern.send({ method: "POST", path: "/v1/users", headers: admin, json: user }))
        .status,
      201,
    );
    const tab = await openTab(test, browser);
    const username = await open(tab, postern.url);
    await expectWhole(tab, "/page", username);

    const before = await stateOf(postern);
    const passed = origin.requests.length;
    const answers = await called(tab, CLOSED);
    assert.ok(CLOSED.length > 100);
    CLOSED.forEach((operation, index) =>
      assert.equal(answers[index].status, 401, `${named(operation)}: ${answers[index].text}`),
    );
    assert.deepEqual(await stateOf(postern), before, "nothing has changed");
    assert.equal(origin.requests.length, passed);

    assert.ok(BY_SESSION.every(({ path }) => /^\/v1\/(verify|check|forward-auth)\b/.test(path)));
    for (const [index, { status, text }] of (await called(tab, BY_SESSION)).entries()) {
      assert.notEqual(status, 401, `${named(BY_SESSION[index])}: ${text}`);
    }
    const ask = async (method, path, body) => {
      const [{ status, text }] = await called(tab, [
        { method, path, type: body && "application/json", body: body && JSON.stringify(body) },
      ]);
      return [status, JSON.parse(text)];
    };
    const [status, { user: self }] = await ask("GET", "/v1/verify");
    assert.deepEqual([status, self.username, self.type], [200, username, "Administrator"]);
    const check = "/v1/check?service=1&permission=VIEW";
    assert.deepEqual(await ask("GET", check), [
      200,
      { allowed: true, service: 1, permission: "VIEW", user: self.id },
    ]);
    for (const other of ["&user=2", "&username=alice"])
      assert.equal((await ask("GET", check + other))[0], 403, "nothing about others");
    assert.equal((await ask("POST", "/v1/revocations", { app: "ERP", jti: "1" }))[0], 401);
    assert.deepEqual(await stateOf(postern), before, "nothing has changed");
  });
}

test("the same requests are answered with the administrator's password", async (test) => {
  const postern = await startPostern(test);
  await registerApp(postern);
  const refused = [];
  for (const operation of CLOSED.filter(({ schemes }) => schemes.includes("basic"))) {
    const { method, path, type, body } = operation;
    const { status } = await postern.send({
      method,
      path,
      body,
      headers: { ...admin, ...(type && { "content-type": type }) },
    });
    if (status === 401) refused.push(named(operation));
  }
  assert.deepEqual(refused, []);
});
