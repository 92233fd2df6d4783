// The four documented systems as a whole behind the gateway, with their own clients if they have
// some. Postern answers the documented paths, and the system all others, whoever calls.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  admin,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
} from "../edge/support/client.mjs";
import { callHeaders, proof } from "../edge/support/golden.mjs";
import { startOrigin } from "../edge/support/origin.mjs";
import { ADMIN_PASSWORD, deployment, startPostern, top } from "../edge/support/workerd.mjs";
import { openTab, startBrowser } from "./support/browser.mjs";
import { VERSIONS, bundle } from "./support/iclient.mjs";
import { fromPypi, succeed } from "./support/programs.mjs";

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.close());

const token = (username = "alice") =>
  sign("abcd", { loginname: username, exp: nowInSeconds() + 600 });

/** A system that answers these paths as given, and all others with the caller and the path. */
async function startSystem(test, answers = {}) {
  const origin = await startOrigin(test, async (request, response) => {
    const { pathname } = new URL(request.url, "http://system");
    const body = String(Buffer.concat(await request.toArray()));
    const known = {
      "/imanager/index.html": "<!doctype html><link rel=icon href=data:,><h1>GIS</h1>",
      ...answers,
    }[pathname];
    const isPage = pathname.endsWith(".html");
    const said = known ?? {
      path: request.url,
      method: request.method,
      user: request.headers["x-auth-user"],
      body,
    };
    response
      .setHeader("content-type", isPage ? "text/html" : "application/json")
      .end(isPage ? known : JSON.stringify(said));
  });
  const postern = await startPostern(test, {
    bindings: deployment({ ORIGIN_URL: origin.url, ORIGIN_PUBLIC: "/imanager/index.html" }),
  });
  await registerApp(postern);
  return { origin, postern };
}

/** What a user does with the GIS manager's client in a page. */
async function withClient({ password, jwt, map }) {
  const { SecurityManager, IManager, MapService } = globalThis.iclient;
  const base = location.origin;
  const said = {
    told: await SecurityManager.loginManager(`${base}/imanager`, { userName: "admin", password }),
  };
  // Version 9 answers before it has read the token.
  for (const until = Date.now() + 5000; !SecurityManager.imanagerToken && Date.now() < until; )
    await new Promise((done) => setTimeout(done, 10));
  said.token = SecurityManager.imanagerToken;
  const manager = new IManager(`${base}/imanager`);
  said.loaded = await manager.load();
  said.created = await manager.createIServer({ nodeName: "one" });
  said.servers = await manager.iServerList();
  said.portal = await manager.createIPortal({ nodeName: "two" });
  said.started = await manager.startNodes(["7"]);
  SecurityManager.registerToken(base, jwt);
  said.map = await new Promise((done) => {
    const eventListeners = {
      processCompleted: ({ result }) => done(result),
      processFailed: ({ error }) => done({ error }),
    };
    new MapService(base + map, { eventListeners }).processAsync();
  });
  return said;
}

const MAP = "/iserver/services/map-world/rest/maps/World";

for (const [name, version] of Object.entries(VERSIONS)) {
  test(`iClient ${version} signs in, orders and reads maps`, async (test) => {
    const { origin, postern } = await startSystem(test, {
      [`${MAP}.json`]: { name: "World", code: 200 },
    });
    const tab = await openTab(test, browser);
    await tab.goto(`${postern.url}imanager/index.html`);
    await tab.addScriptTag({ content: await bundle(name) });
    const jwt = token();
    const said = await tab.evaluate(withClient, { password: ADMIN_PASSWORD, jwt, map: MAP });
    assert.match(said.token, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.deepEqual(said.created, { isSucceed: true, msg: "", resultId: "1" });
    assert.deepEqual([said.servers.total, said.servers.list[0].nodeName], [1, "one"]);
    assert.equal(said.loaded.user, "admin");
    assert.match(said.portal.path, /^\/imanager\/i?cloud\/web\/nodes\/portal\.json$/);
    assert.equal(JSON.parse(said.portal.body).nodeName, "two");
    assert.deepEqual(
      [said.started.user, said.started.method, said.started.body],
      ["admin", "POST", '["7"]'],
    );
    assert.equal(said.map.name, "World", JSON.stringify(said.map));
    assert.ok(origin.requests.at(-1).url.startsWith(`${MAP}.json`));

    const users = origin.requests.map(({ headers }) => headers["x-auth-user"]);
    assert.deepEqual(users, [undefined, "admin", "admin", "admin", "alice"]);
    const seen = JSON.stringify(origin.requests);
    for (const secret of [said.token, jwt, ADMIN_PASSWORD, ".postern", "nodes/server"])
      assert.ok(!seen.includes(secret), secret);
  });
}

test("iclientpy reads and writes features with its user's password", async (test) => {
  const features =
    "/iserver/services/data-world/data/datasources/World/datasets/Cities/features.json";
  const { origin, postern } = await startSystem(test, {
    [features]: { featureCount: 2, startIndex: 0, succeed: true },
  });
  const user = { username: "alice", password: "correct horse" };
  expectStatus(
    await postern.send({ method: "POST", path: "/v1/users", headers: admin, json: user }),
    201,
  );
  const account = `${user.username}:${encodeURIComponent(user.password)}`;
  const url = `http://${account}@${new URL(postern.url).host}/iserver`;
  const printed = await succeed(fromPypi("python"), [
    join(top, "tests/all/support/iclientpy_calls.py"),
    url,
  ]);
  const { features: read, written } = JSON.parse(printed);
  assert.deepEqual([read.featureCount, written.succeed], [2, true]);
  assert.deepEqual(
    origin.requests.map(({ method }) => method),
    ["GET", "POST"],
  );
  for (const { headers } of origin.requests)
    assert.deepEqual([headers["x-auth-user"], headers.authorization], ["alice", undefined]);
});

const TOKEN_APPS = "/plugin/datafor-modeler/api/token";
const PORTAL = "/app-portal-service/v2.3/app";

/** Registers an application of the portal. Returns its secret. */
async function registerApplication(postern) {
  const application = {
    organization: "o1",
    name: "Console",
    accessKey: "console",
    authorizeApplications: true,
  };
  const { json } = expectStatus(
    await postern.send({
      method: "POST",
      path: "/v1/applications",
      headers: admin,
      json: application,
    }),
    201,
  );
  return json.secret;
}

/**
 * For each system without a client of its own: paths that Postern answers, and paths that the
 * system answers.
 */
const SYSTEMS = {
  "the BI suite": {
    async documented(postern) {
      const { json } = expectStatus(
        await postern.send({ path: `${TOKEN_APPS}/list`, headers: admin }),
        200,
      );
      assert.deepEqual(
        json.data.map(({ name }) => name),
        ["ERP"],
      );
    },
    others: [
      "/plugin/datafor-modeler/api/model/list",
      "/plugin/datafor-modeler/api/tokens",
      "/plugin/datafor-modeler/web/report/1",
      "/plugin/other/api/token/list",
    ],
  },
  "the API testing platform": {
    async documented(postern) {
      const secret = await registerApplication(postern);
      const json = proof({ appKey: "console", secret });
      const answer = expectStatus(
        await postern.send({ method: "POST", path: "/apim-token-service/v2.0/token/get", json }),
        200,
      );
      assert.equal(answer.json.data.expire, 7200);
    },
    others: [
      "/apim-token-service/v2.0/apis/7/tests",
      "/apim-token-service/v3.0/token/get",
      "/apim-test-service/v2.0/run",
    ],
  },
  "the IoT portal": {
    async documented(postern) {
      const secret = await registerApplication(postern);
      const json = proof({ appKey: "console", secret });
      const { accessToken } = expectStatus(
        await postern.send({ method: "POST", path: "/apim-token-service/v2.0/token/get", json }),
        200,
      ).json.data;
      const path = `${PORTAL}/authorization/set?orgId=o1`;
      const body = JSON.stringify({ appId: "console", dataAuthorizeType: ["USER"] });
      const headers = {
        "content-type": "application/json",
        ...callHeaders({ token: accessToken, secret }, path, body),
      };
      assert.deepEqual(
        expectStatus(await postern.send({ method: "POST", path, headers, body }), 200).json,
        { code: 0, message: "OK", data: true },
      );
      const status = expectStatus(
        await postern.send({ path: "/api/v1/services/5/auth/status", headers: admin }),
        200,
      );
      assert.equal(status.json.code, "S");
    },
    others: [
      `${PORTAL}/list`,
      "/app-portal-service/v2.3/user/info?id=1",
      "/api/v1/services/5",
      "/api/v1/services?name=a",
      "/api/v1/devices",
    ],
  },
};

for (const [system, { documented, others }] of Object.entries(SYSTEMS)) {
  test(`${system} answers all but what is documented`, async (test) => {
    const { origin, postern } = await startSystem(test);
    await documented(postern);
    assert.equal(origin.requests.length, 0, "Postern answers what is documented");
    const { credential } = await signIn(postern);
    for (const path of others) {
      expectStatus(await postern.send({ path }), 401, path);
      assert.deepEqual(expectStatus(await postern.send({ path, headers: credential }), 200).json, {
        path,
        method: "GET",
        user: "admin",
        body: "",
      });
      const inUrl = `${path}${path.includes("?") ? "&" : "?"}token=${token()}`;
      const posted = await postern.send({ method: "POST", path: inUrl, body: "x=1" });
      assert.deepEqual(expectStatus(posted, 200).json, {
        path,
        method: "POST",
        user: "alice",
        body: "x=1",
      });
    }
    assert.equal(origin.requests.length, 2 * others.length);
  });
}
