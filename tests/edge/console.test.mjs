// Sign-in to the console on workerd, and ADMIN_HOST in front of an application. tests/host/console
// tests each rule.

import { test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { admin, basic, expectStatus, signIn, signInBrowser } from "./support/client.mjs";
import { startOrigin } from "./support/origin.mjs";
import {
  ADMIN_PASSWORD,
  deployment,
  startIsolates,
  startPostern,
  startWorkerd,
} from "./support/workerd.mjs";

const SESSION = "/v1/console/session";
const ADMIN_HOST = "admin.example.com";
const APP_HOST = "app.example.com";
/** No application can be on this host, so it needs no ADMIN_HOST. */
const OWN_HOST = "admin.localhost";
/** Postern promises 10 s; the rest is for a busy machine. */
const BOUND_MS = 15_000;

const own = { "sec-fetch-site": "same-origin" };
const account = { username: "admin", password: ADMIN_PASSWORD };

const cookieIn = (answer) => {
  const [set] = answer.headers["set-cookie"] ?? [];
  assert.match(set, /^postern-admin=[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
  return set.split(";")[0];
};

/** Signs in at a host. Returns the console's cookie for it. */
async function signInAt(postern, host, json = account) {
  const answer = await postern.send({
    method: "POST",
    path: SESSION,
    headers: { ...own, host },
    json,
  });
  return cookieIn(expectStatus(answer, 201, "signing in to the console:"));
}

const users = (postern, cookie, host, headers = own) =>
  postern.send({ path: "/v1/users?limit=1", headers: { ...headers, host, cookie } });

test("an administrator signs in, manages, and signs out", async (test) => {
  const postern = await startPostern(test);
  const told = async (headers) =>
    expectStatus(await postern.send({ path: SESSION, headers }), 200).json;
  assert.deepEqual(await told({}), { signIn: "here", user: null, key: null, expiresAt: null });
  expectStatus(
    await postern.send({ method: "POST", path: SESSION, json: account }),
    403,
    "no page of the console",
  );
  const cookie = await signInAt(postern, OWN_HOST);
  const mine = { ...own, host: OWN_HOST, cookie };
  const { user, expiresAt } = await told(mine);
  assert.deepEqual(user, { id: 1, username: "admin" });
  assert.ok(expiresAt > Date.now(), String(expiresAt));
  const created = expectStatus(
    await postern.send({
      method: "POST",
      path: "/v1/groups",
      headers: mine,
      json: { name: "Sales" },
    }),
    201,
  );
  assert.equal(created.headers["cache-control"], "no-store");
  for (const site of ["same-site", "cross-site", "none"])
    expectStatus(await users(postern, cookie, OWN_HOST, { "sec-fetch-site": site }), 401, site);
  const origin = `http://${OWN_HOST}`;
  expectStatus(
    await users(postern, cookie, OWN_HOST, { origin }),
    200,
    "a browser without Sec-Fetch-Site",
  );
  expectStatus(await users(postern, cookie, OWN_HOST, { origin: `http://${APP_HOST}` }), 401);
  expectStatus(await users(postern, cookie, OWN_HOST, {}), 401);

  const out = expectStatus(
    await postern.send({ method: "DELETE", path: SESSION, headers: mine }),
    204,
  );
  assert.match(out.headers["set-cookie"][0], /^postern-admin=; .*Max-Age=0/);
  const over = expectStatus(await users(postern, cookie, OWN_HOST), 401);
  assert.equal(over.headers["x-postern-reason"], "revoked");
  assert.match(over.headers["set-cookie"][0], /^postern-admin=; .*Max-Age=0/);
});

test("on ADMIN_HOST nothing reaches the application; elsewhere is no console", async (test) => {
  const origin = await startOrigin(test, (_request, response) => {
    response.setHeader("set-cookie", [
      "__Host-postern-admin=planted; Path=/; Secure",
      "postern-admin=planted",
      "=postern-admin=planted",
      "a=b",
    ]);
    response.end("the application");
  });
  const bindings = deployment({
    ORIGIN_URL: origin.url,
    ORIGIN_PUBLIC: ["/"],
    LOGIN_URL: "password",
    ADMIN_HOST,
    CORS_ORIGINS: [`http://${APP_HOST}`],
  });
  const postern = await startPostern(test, { bindings });
  const get = (host, path, headers = {}) => postern.send({ path, headers: { host, ...headers } });
  for (const path of [
    "/x",
    "/static/app.js",
    "/api/v1/services/5/unknown",
    "//v1/users",
    "/%76%31/users",
    "/a/..%2fx",
  ]) {
    for (const host of [
      ADMIN_HOST,
      "ADMIN.Example.com",
      `${ADMIN_HOST}.`,
      `${ADMIN_HOST}:80`,
      `${ADMIN_HOST}:8443`,
    ]) {
      expectStatus(await get(host, path), 404, `${host}${path}`);
    }
  }
  expectStatus(await get(ADMIN_HOST, "/", { "x-forwarded-host": APP_HOST }), 302);
  for (const path of ["/v1/sign-in", "/v1/sign-out"])
    expectStatus(await get(ADMIN_HOST, path), 404, path);
  assert.deepEqual(origin.requests, []);

  const cookie = await signInAt(postern, ADMIN_HOST);
  const app = expectStatus(
    await get(APP_HOST, "/x", { ...own, cookie: `a=1; ${cookie}; __Host-postern-admin=x` }),
    200,
  );
  assert.equal(
    origin.requests[0].headers.cookie,
    "a=1",
    "the application sees no cookie of the console",
  );
  assert.deepEqual(app.headers["set-cookie"], ["a=b"], "and sets none");
  expectStatus(await users(postern, cookie, ADMIN_HOST), 200);
  for (const host of [APP_HOST, `x${ADMIN_HOST}`]) {
    expectStatus(await users(postern, cookie, host), 401, host);
    expectStatus(
      await users(postern, cookie, host, {
        ...own,
        "x-forwarded-host": ADMIN_HOST,
        forwarded: `host=${ADMIN_HOST}`,
      }),
      401,
      host,
    );
    expectStatus(
      await postern.send({
        method: "POST",
        path: SESSION,
        headers: { ...own, host },
        json: account,
      }),
      404,
      host,
    );
    const { json } = expectStatus(await get(host, SESSION, { ...own, cookie }), 200);
    assert.deepEqual(json, {
      signIn: "elsewhere",
      at: `http://${ADMIN_HOST}/v1/console/`,
      user: null,
      key: null,
      expiresAt: null,
    });
  }
  // A page of the application, which CORS_ORIGINS lists, and which is same-site.
  const ofApp = { "sec-fetch-site": "same-site", origin: `http://${APP_HOST}` };
  for (const answer of [
    await users(postern, cookie, ADMIN_HOST, ofApp),
    await postern.send({
      method: "POST",
      path: "/v1/groups",
      headers: { ...ofApp, host: ADMIN_HOST, cookie },
      json: {},
    }),
  ]) {
    expectStatus(answer, 401);
    assert.equal(answer.headers["access-control-allow-credentials"], undefined);
  }
  const gateway = await signInBrowser({
    send: (request) =>
      postern.send({ ...request, headers: { ...request.headers, host: APP_HOST } }),
  });
  expectStatus(await get(APP_HOST, "/v1/verify", { cookie: gateway }), 200);
  expectStatus(
    await get(ADMIN_HOST, "/v1/verify", { cookie: gateway }),
    401,
    "a session of the gateway",
  );
  expectStatus(
    await get(ADMIN_HOST, "/v1/users", { ...own, cookie: gateway }),
    401,
    "a session of the gateway",
  );
  const asked = {
    cookie: gateway,
    "x-forwarded-uri": "/",
    "x-forwarded-method": "GET",
    "x-forwarded-proto": "http",
    "x-forwarded-host": APP_HOST,
  };
  expectStatus(await get(ADMIN_HOST, "/v1/forward-auth", asked), 200, "a proxy asks by any host");
});

test("without ADMIN_HOST, a console before an application refuses sign-ins", async (test) => {
  const origin = await startOrigin(test);
  const postern = await startPostern(test, { bindings: deployment({ ORIGIN_URL: origin.url }) });
  assert.equal((await postern.send({ path: SESSION })).json.signIn, "off");
  const refused = expectStatus(
    await postern.send({ method: "POST", path: SESSION, headers: own, json: account }),
    404,
  );
  assert.match(refused.json.detail, /ADMIN_HOST/);
  expectStatus(
    await postern.send({ path: "/v1/users", headers: admin }),
    200,
    "Authorization counts on",
  );
});

test("another isolate refuses an ended session within 10 s", { timeout: 120_000 }, async (test) => {
  const [here, there] = await startIsolates(test, 2);
  const { token } = await signIn(here);
  const make = async (json) =>
    expectStatus(await here.send({ method: "POST", path: "/v1/keys", headers: admin, json }), 201)
      .json;
  const key = await make({ name: "ci", may: ["administration"] });
  const person = { username: "carol", password: "correct horse", type: "Administrator" };
  const { id } = expectStatus(
    await here.send({ method: "POST", path: "/v1/users", headers: admin, json: person }),
    201,
  ).json;
  const sessions = {
    "signing out": await signInAt(here, OWN_HOST),
    "signing out of a key": await signInAt(here, OWN_HOST, { key: key.key }),
    "the end of the role": await signInAt(here, OWN_HOST, {
      username: "carol",
      password: "correct horse",
    }),
  };
  const kept = await signInAt(here, OWN_HOST);
  for (const cookie of [kept, ...Object.values(sessions)])
    expectStatus(await users(there, cookie, OWN_HOST), 200);

  for (const what of ["signing out", "signing out of a key"]) {
    expectStatus(
      await here.send({
        method: "DELETE",
        path: SESSION,
        headers: { ...own, host: OWN_HOST, cookie: sessions[what] },
      }),
      204,
      what,
    );
  }
  expectStatus(
    await here.send({
      method: "PATCH",
      path: `/v1/users/${id}`,
      headers: admin,
      json: { type: "SYS_Reader" },
    }),
    200,
  );
  const since = Date.now();
  for (const [what, cookie] of Object.entries(sessions)) {
    const status = what === "the end of the role" ? 403 : 401;
    expectStatus(await users(here, cookie, OWN_HOST), status, what);
    let answer = await users(there, cookie, OWN_HOST);
    while (answer.status === 200) {
      assert.ok(Date.now() < since + BOUND_MS, `${what} is not heard of`);
      await pause(200);
      answer = await users(there, cookie, OWN_HOST);
    }
    expectStatus(answer, status, what);
  }
  expectStatus(await users(there, kept, OWN_HOST), 200);
  assert.ok(token, "an opaque token is another thing");
  for (const name of ["postern-admin", "__Host-postern-admin"]) {
    expectStatus(await users(here, `${name}=${token}`, OWN_HOST), 401);
  }
  expectStatus(
    await here.send({
      path: "/v1/users",
      headers: { authorization: basic("carol", "correct horse") },
    }),
    403,
  );
});

test("/v1/ leads to the console", async (test) => {
  const workerd = await startWorkerd({ assets: true });
  test.after(() => workerd.stop());
  const [postern] = workerd.isolates;
  for (const path of ["/v1", "/v1/"]) {
    const answer = expectStatus(await postern.send({ path }, workerd.url), 302, path);
    assert.equal(answer.headers.location, "/v1/console/");
  }
  assert.equal(
    expectStatus(await postern.send({ path: "/" }), 302).headers.location,
    "/v1/console/",
  );
});
