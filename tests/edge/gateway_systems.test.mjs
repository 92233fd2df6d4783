// Whole systems behind the gateway on workerd: their other paths, their methods, their preflights.

import { test } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { admin, expectStatus, nowInSeconds, registerApp, sign, signIn } from "./support/client.mjs";
import { startOrigin } from "./support/origin.mjs";
import { deployment, startPostern } from "./support/workerd.mjs";

const inFrontOf = (test, origin, changes = {}) =>
  startPostern(test, { bindings: deployment({ ORIGIN_URL: origin.url, ...changes }) });

/** Each of the four documented systems: a path of Postern's, and one that is the system's own. */
const SYSTEMS = [
  { ours: ["POST", "/imanager/security/tokens"], theirs: "/imanager/services.json" },
  {
    ours: ["GET", "/plugin/datafor-modeler/api/token/list"],
    theirs: "/plugin/datafor-modeler/api/model/list",
  },
  { ours: ["GET", "/api/v1/services/5/auth/status"], theirs: "/api/v1/services/5" },
  {
    ours: ["GET", "/app-portal-service/v2.3/app/authorization/info"],
    theirs: "/app-portal-service/v2.3/app/list",
  },
];

test("beside the documented paths of the four systems, all others are theirs", async (test) => {
  const origin = await startOrigin(test);
  const postern = await inFrontOf(test, origin);
  const { credential } = await signIn(postern);
  for (const {
    ours: [method, path],
    theirs,
  } of SYSTEMS) {
    const before = origin.requests.length;
    assert.notEqual((await postern.send({ method, path, headers: credential })).status, 404, path);
    assert.equal(
      expectStatus(await postern.send({ path: theirs }), 401).headers["content-type"],
      "application/problem+json",
    );
    for (const spelled of [
      path.replace("/", "//"),
      path.toUpperCase(),
      `${path};x=1`,
      path.replace(/\/(?=[^/]*$)/, "%2f"),
      `${path}/`,
      `/x/..%2f${path.slice(1)}`,
    ]) {
      // The runtime does not resolve anything in these paths, and Postern has no route for them.
      expectStatus(
        await postern.send({ method, path: spelled, headers: credential }),
        404,
        spelled,
      );
    }
    assert.equal(origin.requests.length, before, "the origin sees none of that");
    assert.equal(
      expectStatus(await postern.send({ path: `${theirs}?a=b`, headers: credential }), 200).json
        .url,
      `${theirs}?a=b`,
    );
    assert.equal(origin.requests.at(-1).headers["x-auth-user"], "admin");
  }
  for (const path of [
    "/v1/nowhere",
    "/scim/v2/nowhere",
    "/access/v1/nowhere",
    "/SCIM/v2",
    "/health/x",
  ]) {
    expectStatus(await postern.send({ path, headers: credential }), 404, path);
  }
});

test("the paths of a dialect that is not served are the origin's", async (test) => {
  const origin = await startOrigin(test);
  const postern = await inFrontOf(test, origin, { DIALECTS: ["services", "imanager_nodes"] });
  for (const {
    ours: [method, path],
  } of SYSTEMS.filter(({ theirs }) => !theirs.startsWith("/api/"))) {
    assert.equal(
      expectStatus(await postern.send({ method, path, headers: admin }), 200, path).json.url,
      path,
    );
  }
  assert.equal(origin.requests.length, 3);
  assert.equal(
    expectStatus(
      await postern.send({ path: "/api/v1/services/5/auth/status", headers: admin }),
      200,
    ).json.code,
    "S",
  );
});

test("each application of ORIGINS gets the requests of its host and its path", async (test) => {
  const [rest, maps, portal] = [
    await startOrigin(test),
    await startOrigin(test),
    await startOrigin(test),
  ];
  const ORIGINS = [
    { path: "/maps", url: `${maps.url}/base`, timeoutS: 5 },
    { host: "portal.example.com", url: portal.url },
  ];
  const postern = await inFrontOf(test, rest, { ORIGINS });
  const { credential } = await signIn(postern);
  for (const [path, host, origin, arrived] of [
    ["/maps/1?a=b", undefined, maps, "/base/maps/1?a=b"],
    ["/mapsx", undefined, rest, "/mapsx"],
    ["/maps/1", "portal.example.com", portal, "/maps/1"],
  ]) {
    const headers = { ...credential, ...(host && { host }) };
    assert.equal(expectStatus(await postern.send({ path, headers }), 200, path).json.url, arrived);
    const [{ headers: told }] = origin.requests.splice(0);
    assert.equal(told["x-auth-user"], "admin");
  }
  assert.match(
    expectStatus(await postern.send({ path: "/maps%2f1", headers: credential }), 400).json.detail,
    /more than one application/,
  );
  assert.deepEqual(
    [rest, maps, portal].map(({ requests }) => requests.length),
    [0, 0, 0],
  );
});

/** The first line of the answer to a request that is sent as raw text. */
function firstLine(postern, text) {
  const { hostname, port } = new URL(postern.url);
  return new Promise((done, failed) => {
    const socket = net.connect(port, hostname, () => socket.write(text));
    socket
      .on("data", (chunk) => {
        done(String(chunk).split("\r\n")[0]);
        socket.destroy();
      })
      .on("error", failed);
  });
}

/**
 * Methods that workerd passes on; it answers 501 to others. Node's server does not know BAN and
 * MSEARCH.
 */
const METHODS = [
  "ACL",
  "CHECKOUT",
  "COPY",
  "DELETE",
  "GET",
  "HEAD",
  "LOCK",
  "MERGE",
  "MKACTIVITY",
  "MKCOL",
  "MOVE",
  "NOTIFY",
  "OPTIONS",
  "PATCH",
  "POST",
  "PROPFIND",
  "PROPPATCH",
  "PURGE",
  "PUT",
  "QUERY",
  "REPORT",
  "SEARCH",
  "SUBSCRIBE",
  "UNLOCK",
  "UNSUBSCRIBE",
];

test("each method of the runtime reaches the origin, but CONNECT and TRACE", async (test) => {
  const origin = await startOrigin(test);
  const rules = [{ path: "/dav", methods: ["PROPFIND", "MKCOL"], service: 7, permission: "VIEW" }];
  const postern = await inFrontOf(test, origin, { ORIGIN_RULES: rules });
  for (const method of METHODS) {
    const body = ["GET", "HEAD"].includes(method) ? undefined : "a body";
    const answer = expectStatus(
      await postern.send({ method, path: "/x", headers: admin, body }),
      200,
      method,
    );
    assert.equal(origin.requests.at(-1).method, method);
    if (method !== "HEAD")
      assert.deepEqual([answer.json.method, answer.json.body], [method, body ?? ""]);
    expectStatus(await postern.send({ method, path: "/x" }), 401, `${method} without a credential`);
  }
  expectStatus(await postern.send({ method: "PROPFIND", path: "/dav/a", headers: admin }), 200);
  assert.equal(
    expectStatus(await postern.send({ method: "REPORT", path: "/dav/a", headers: admin }), 405)
      .headers.allow,
    "MKCOL, PROPFIND",
  );
  const seen = origin.requests.length;
  assert.match(
    expectStatus(await postern.send({ method: "TRACE", path: "/x", headers: admin }), 405).headers
      .allow,
    /\bQUERY\b/,
  );
  for (const method of ["MKCALENDAR", "BREW", "get"]) {
    const head =
      `${method} /x HTTP/1.1\r\nHost: a\r\nAuthorization: ${admin.authorization}\r\n` +
      "Content-Length: 0\r\n\r\n";
    assert.match(
      await firstLine(postern, head),
      /^HTTP\/1.1 501 /,
      `${method}: the runtime does not know it`,
    );
  }
  assert.equal(origin.requests.length, seen);
});

const preflight = (path, more = {}) => ({
  method: "OPTIONS",
  path,
  headers: {
    origin: "https://app.example.com",
    "access-control-request-method": "PUT",
    "access-control-request-headers": "x-requested-with, depth",
    ...more,
  },
});

test("a preflight reaches the origin as a preflight, without credential and body", async (test) => {
  const answer = {
    "access-control-allow-origin": "https://app.example.com",
    "access-control-allow-methods": "PUT",
  };
  const origin = await startOrigin(test, (request, response) => {
    let body = "";
    request
      .on("data", (chunk) => (body += chunk))
      .on("end", () =>
        response.writeHead(204, { ...answer, "access-control-max-age": body.length }).end(),
      );
  });
  const rules = [
    { path: "/closed", service: 7, permission: "VIEW" },
    { path: "/dav", methods: ["GET"], service: 7, permission: "VIEW" },
  ];
  const postern = await inFrontOf(test, origin, { ORIGIN_RULES: rules });
  const sly = {
    ...admin,
    cookie: "session=1",
    "x-auth-user": "root",
    "x-http-method-override": "PUT",
    "x-custom": "1",
  };
  for (const chunked of [false, true]) {
    const { headers } = expectStatus(
      await postern.send({ ...preflight("/closed/a?x=1", sly), body: "a body", chunked }),
      204,
    );
    assert.deepEqual(
      [headers["access-control-allow-methods"], headers["access-control-max-age"], headers.vary],
      ["PUT", "0", undefined],
    );
    const { url, headers: seen } = origin.requests.at(-1);
    assert.equal(url, "/closed/a?x=1");
    assert.equal(seen["access-control-request-headers"], "x-requested-with, depth");
    for (const name of [
      "authorization",
      "cookie",
      "x-auth-user",
      "x-http-method-override",
      "x-custom",
    ])
      assert.equal(seen[name], undefined, name);
  }
  const before = origin.requests.length;
  expectStatus(await postern.send({ method: "OPTIONS", path: "/closed/a" }), 401);
  expectStatus(await postern.send(preflight("/dav/a")), 405);
  expectStatus(await postern.send({ ...preflight("/closed/a"), method: "POST" }), 401);
  assert.equal(origin.requests.length, before);
});

test("a preflight shows nobody a page that runs for any method", async (test) => {
  const page = {
    "content-type": "text/html",
    "set-cookie": "a=b",
    etag: '"1"',
    location: "/secret",
    "cache-control": "public",
  };
  const cors = { "access-control-allow-origin": "*", vary: "origin", allow: "GET" };
  const origin = await startOrigin(test, (_, response) =>
    response.writeHead(200, { ...page, ...cors }).end("the whole page"),
  );
  const postern = await inFrontOf(test, origin);
  for (const method of ["OPTIONS", "GET"])
    expectStatus(await postern.send({ method, path: "/report.php" }), 401);
  const { text, headers } = expectStatus(await postern.send(preflight("/report.php")), 200);
  assert.equal(text, "");
  for (const name of Object.keys(page)) assert.equal(headers[name], undefined, name);
  for (const [name, value] of Object.entries(cors)) assert.equal(headers[name], value, name);
  assert.equal(
    (await postern.send({ path: "/report.php", headers: admin })).text,
    "the whole page",
  );
});

test("with CORS_ORIGINS, Postern answers preflights, and answers vary by origin", async (test) => {
  const origin = await startOrigin(test, (_, response) =>
    response.writeHead(200, { vary: "accept" }).end(),
  );
  const postern = await inFrontOf(test, origin, { CORS_ORIGINS: "https://app.example.com" });
  for (const path of ["/x", "/imanager/services.json", "/v1/token-apps/ERP"]) {
    const { headers } = expectStatus(await postern.send(preflight(path)), 204, path);
    assert.equal(headers["access-control-allow-methods"], "PUT");
    assert.equal(headers["access-control-allow-headers"], "x-requested-with, depth");
    assert.deepEqual(
      [headers["access-control-allow-origin"], headers.vary],
      ["https://app.example.com", "origin"],
    );
  }
  expectStatus(await postern.send(preflight("/x", { origin: "https://evil.example" })), 403);
  assert.equal(origin.requests.length, 0);
  assert.equal((await postern.send({ path: "/x" })).headers.vary, "origin");
  assert.equal((await postern.send({ path: "/x", headers: admin })).headers.vary, "accept, origin");
});

test("unknown facts about a caller are sent empty, too long roles not at all", async (test) => {
  const origin = await startOrigin(test);
  const postern = await inFrontOf(test, origin, { VERDICT_MAX_AGE_S: 60 });
  const roles = Array.from({ length: 100 }, (_, number) => `${number}`.padStart(100, "r"));
  await registerApp(postern, { initroles: roles });
  const headers = {
    authorization: `Bearer ${sign("abcd", { loginname: "alice", exp: nowInSeconds() + 30 })}`,
  };
  expectStatus(
    await postern.send({ path: "/x", headers: { ...headers, "x-auth-name": "root" } }),
    200,
  );
  const told = await postern.send({ path: "/v1/forward-auth/signed-in", headers });
  const expected = {
    "x-auth-user": "alice",
    "x-auth-name": "",
    "x-auth-email": "",
    "x-auth-roles": "",
    "x-auth-app": "ERP",
    "x-auth-roles-truncated": "1",
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.deepEqual(
      [origin.requests.at(-1).headers[name], told.headers[name]],
      [value, value],
      name,
    );
  }
  const age = Number(/^private, max-age=(\d+)$/.exec(told.headers["cache-control"])?.[1]);
  assert.ok(age > 0 && age <= 30, `the token has 30 seconds, and the verdict ${age}`);
  assert.equal(told.headers["x-accel-expires"], String(age));
});
