// The gateway on workerd, in front of a real HTTP server. These tests are about the transport;
// tests/host/gateway.rs tests the decisions.

import { test } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";
import { WebSocket } from "ws";
import {
  admin,
  expectRefusal,
  expectStatus,
  nowInSeconds,
  registerApp,
  sessionOf,
  sign,
  signIn,
  signInBrowser,
} from "./support/client.mjs";
import { startOrigin } from "./support/origin.mjs";
import { deployment, startPostern } from "./support/workerd.mjs";

const MIB = 1024 * 1024;
const LARGE = 200 * MIB;
/** Bytes by which the memory of workerd may grow while a large body passes. */
const FLAT = 128 * MIB;

const token = (username = "alice") =>
  sign("abcd", { loginname: username, exp: nowInSeconds() + 600 });
const bearer = () => ({ authorization: `Bearer ${token()}` });

/** Starts Postern with a token app in front of an origin. */
async function inFrontOf(test, origin, changes = {}, more = {}) {
  const postern = await startPostern(test, {
    bindings: deployment({ ORIGIN_URL: origin.url ?? origin, ...changes }),
    ...more,
  });
  await registerApp(postern);
  return postern;
}

/** Sends a request whose bodies are streams. Returns the response when its head has arrived. */
function stream(postern, { method = "GET", path, headers = {} }, write) {
  const { hostname, port } = new URL(postern.url);
  return new Promise((done, failed) => {
    const request = http.request({ hostname, port, method, path, headers, agent: false }, done);
    request.on("error", failed);
    if (write) write(request);
    else request.end();
  });
}

/** Writes so many bytes, as fast as the reader takes them. `pause` is called between the chunks. */
async function pour(
  writable,
  bytes,
  { chunk = 256 * 1024, pause = () => {}, hash = createHash("sha256") } = {},
) {
  for (let sent = 0; sent < bytes; sent += chunk) {
    const part = Buffer.alloc(Math.min(chunk, bytes - sent), `${sent} `);
    hash.update(part);
    if (!writable.write(part)) await new Promise((done) => writable.once("drain", done));
    await pause();
  }
  writable.end();
  return hash.digest("hex");
}

async function drained(readable) {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of readable) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, hash: hash.digest("hex") };
}

test("the origin sees who calls, but no token and no claimed identity", async (test) => {
  const origin = await startOrigin(test);
  const postern = await inFrontOf(test, origin, { LOGIN_URL: "password" });
  const jwt = token();
  const spoofed = {
    "x-auth-user": "root",
    "x-auth-roles": "Administrator",
    X_Auth_User: "root",
    "x-forwarded-host": "evil.example",
  };
  const answer = await postern.send({
    path: `/reports?tab=1&token=${jwt}`,
    headers: {
      host: "gate.example",
      "cf-connecting-ip": "203.0.113.7",
      referer: `http://gate.example/?token=${jwt}`,
      ...spoofed,
    },
  });
  assert.equal(expectStatus(answer, 200).json.url, "/reports?tab=1");
  assert.match(answer.headers["x-request-id"], /^[0-9a-f-]{36}$/);
  const { credential, token: opaque, cookie } = await signIn(postern);
  const session = await signInBrowser(postern);
  expectStatus(await postern.send({ path: "/opaque", headers: credential }), 200);
  expectStatus(
    await postern.send({
      path: "/cookie",
      headers: { cookie: `${session}; JSESSIONID=${cookie}; JSESSIONID=1.node; theme=dark` },
    }),
    200,
  );
  // If the platform does not send the client's address, the client's own header is not used either.
  expectStatus(
    await postern.send({
      path: "/basic",
      headers: { ...admin, "x-forwarded-for": "198.51.100.1" },
    }),
    200,
  );

  const [first, ...others] = origin.requests;
  const expected = {
    "x-auth-user": "alice",
    "x-auth-user-id": "2",
    "x-auth-roles": "SYS_Reader",
    "x-auth-app": "ERP",
  };
  for (const [name, value] of Object.entries(expected))
    assert.equal(first.headers[name], value, name);
  assert.equal(first.headers["x-forwarded-host"], "gate.example");
  assert.equal(first.headers["x-forwarded-for"], "203.0.113.7");
  assert.equal(first.headers["x-forwarded-proto"], "http");
  assert.equal(first.headers.host, new URL(origin.url).host);
  assert.equal(first.headers["x-request-id"], answer.headers["x-request-id"]);
  assert.equal(first.headers.referer, "http://gate.example/");
  for (const { headers } of others)
    assert.deepEqual([headers["x-auth-user"], headers["x-forwarded-for"]], ["admin", undefined]);
  assert.equal(
    others.find(({ url }) => url === "/cookie").headers.cookie,
    "JSESSIONID=1.node; theme=dark",
  );
  const log = JSON.stringify(origin.requests);
  for (const secret of [jwt, opaque, cookie, admin.authorization, "root", "evil.example"])
    assert.ok(!log.includes(secret), secret);
});

test("without a valid token or without the grant, the origin gets no request", async (test) => {
  const origin = await startOrigin(test);
  const rules = JSON.stringify([{ path: "/reports", service: 7, permission: "VIEW" }]);
  const postern = await inFrontOf(test, origin, { ORIGIN_RULES: rules, ORIGIN_PUBLIC: "/static" });
  expectRefusal(await postern.send({ path: "/x" }), "missing");
  expectRefusal(
    await postern.send({
      path: `/x?token=${sign("wrong", { loginname: "alice", exp: nowInSeconds() + 600 })}`,
    }),
    "bad_signature",
  );
  assert.equal(
    expectStatus(await postern.send({ path: "/reports", headers: bearer() }), 403).headers[
      "content-type"
    ],
    "application/problem+json",
  );
  expectStatus(await postern.send({ path: "/static/..%2freports" }), 401);
  assert.equal(origin.requests.length, 0);
  expectStatus(
    await postern.send({ path: "/static/app.css", headers: { "x-auth-user": "root" } }),
    200,
  );
  const grant = { authObjectType: "USER", authObjectId: 2, permissions: ["VIEW"] };
  expectStatus(
    await postern.send({
      method: "POST",
      path: "/api/v1/services/7/auth",
      headers: admin,
      json: grant,
    }),
    200,
  );
  expectStatus(await postern.send({ path: "/reports", headers: bearer() }), 200);
  assert.deepEqual(
    origin.requests.map(({ headers }) => headers["x-auth-user"]),
    [undefined, "alice"],
  );
});

test("method, body, status and headers pass; redirects are not followed", async (test) => {
  const zipped = gzipSync("x".repeat(10_000));
  const origin = await startOrigin(test, (request, response) => {
    const answers = {
      "/redirect": () => response.writeHead(302, { location: "http://elsewhere.example/" }).end(),
      "/cookies": () =>
        response
          .writeHead(200, { "set-cookie": ["a=1; Path=/", "b=2"], "cache-control": "max-age=60" })
          .end("ok"),
      "/gzip": () =>
        response
          .writeHead(200, { "content-encoding": "gzip", "content-length": zipped.length })
          .end(zipped),
      "/varies": () =>
        response
          .writeHead(200, { vary: "accept-encoding", "access-control-allow-origin": "*" })
          .end("ok"),
      "/empty": () => response.writeHead(204).end(),
      "/unchanged": () => response.writeHead(304, { etag: '"1"' }).end(),
      "/teapot": () =>
        response
          .writeHead(418, "I am a teapot", { "content-type": "text/plain" })
          .end("short and stout"),
      "/odd": () => response.writeHead(700).end("odd"),
      "/hop": () =>
        response.writeHead(200, { connection: "close", "keep-alive": "timeout=9" }).end(),
    };
    const body = [];
    request
      .on("data", (chunk) => body.push(chunk))
      .on("end", () => {
        const echo = () =>
          response.end(
            JSON.stringify({
              method: request.method,
              body: String(Buffer.concat(body)),
              headers: request.headers,
            }),
          );
        (answers[request.url] ?? echo)();
      });
  });
  const postern = await inFrontOf(test, origin, { CORS_ORIGINS: "https://app.example.com" });
  const get = (path, more = {}) =>
    postern.send({ path, ...more, headers: { ...bearer(), ...more.headers } });

  assert.equal(
    expectStatus(await get("/redirect"), 302).headers.location,
    "http://elsewhere.example/",
  );
  const cookies = expectStatus(await get("/cookies"), 200);
  assert.deepEqual(cookies.headers["set-cookie"], ["a=1; Path=/", "b=2"]);
  assert.equal(cookies.headers["cache-control"], "private, max-age=60");
  const raw = await stream(postern, {
    path: "/gzip",
    headers: { ...bearer(), "accept-encoding": "gzip" },
  });
  const chunks = [];
  for await (const chunk of raw) chunks.push(chunk);
  assert.equal(raw.headers["content-encoding"], "gzip");
  assert.equal(gunzipSync(Buffer.concat(chunks)).length, 10_000);
  const varies = expectStatus(
    await get("/varies", { headers: { origin: "https://app.example.com" } }),
    200,
  ).headers;
  assert.deepEqual(
    [varies.vary, varies["access-control-allow-origin"]],
    ["accept-encoding, origin", "https://app.example.com"],
  );
  assert.equal(expectStatus(await get("/empty"), 204).text, "");
  assert.equal(expectStatus(await get("/unchanged"), 304).headers.etag, '"1"');
  assert.equal(expectStatus(await get("/teapot"), 418).text, "short and stout");
  expectStatus(await get("/odd"), 502);
  assert.equal(expectStatus(await get("/hop"), 200).headers["keep-alive"] === "timeout=9", false);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    const { json } = expectStatus(
      await get("/x", { method, body: "a body", headers: { "content-type": "text/plain" } }),
      200,
    );
    assert.deepEqual(
      [json.method, json.body, json.headers["content-length"], json.headers["content-type"]],
      [method, "a body", "6", "text/plain"],
    );
  }
  const chunked = expectStatus(
    await get("/x", { method: "POST", body: "in chunks", chunked: true }),
    200,
  ).json;
  assert.equal(chunked.body, "in chunks");
  const head = expectStatus(await get("/x", { method: "HEAD" }), 200);
  assert.equal(head.text, "");
  assert.equal(origin.requests.at(-1).method, "HEAD");
  expectStatus(await postern.send({ path: "/health" }), 200);
});

test("an origin's own URLs are told as clients know them", async (test) => {
  const origin = await startOrigin(test, ({ headers: { host } }, response) => {
    const url = `http://${host}/base/login?x=1`;
    response
      .writeHead(302, {
        location: url,
        "content-location": url,
        "set-cookie": ["a=1; Path=/base", "b=2; Expires=Thu, 01 Jan 2099 00:00:00 GMT"],
      })
      .end();
  });
  const postern = await inFrontOf(test, `${origin.url}/base`, { ORIGIN_PUBLIC: "/static" });
  for (const request of [{ path: "/x", headers: bearer() }, { path: "/static/x" }]) {
    const { headers } = expectStatus(await postern.send(request), 302);
    assert.deepEqual([headers.location, headers["content-location"]], ["/login?x=1", "/login?x=1"]);
    assert.deepEqual(headers["set-cookie"], [
      "a=1; Path=/",
      "b=2; Expires=Thu, 01 Jan 2099 00:00:00 GMT",
    ]);
  }
  const whole = await inFrontOf(test, origin);
  const { headers } = await whole.send({ path: "/x", headers: bearer() });
  assert.deepEqual(
    [headers.location, headers["set-cookie"][0]],
    ["/base/login?x=1", "a=1; Path=/base"],
  );
});

test("a path arrives as it was checked, and only public answers may be cached", async (test) => {
  const origin = await startOrigin(test, (_request, response) => {
    const all = {
      "cache-control": "public, s-maxage=9, max-age=5",
      "surrogate-control": "max-age=9",
      "cloudflare-cdn-cache-control": "max-age=9",
    };
    response.writeHead(200, all).end("ok");
  });
  const postern = await inFrontOf(test, `${origin.url}/base`, { ORIGIN_PUBLIC: "/static" });
  for (const [path, arrives] of [
    ["/a/../b/./c", "/b/c"],
    ["/a/%2e%2e/b", "/b"],
    ["/a\\b\\..\\c", "/a/c"],
    ["/a//b/", "/a//b/"],
    ["/a%2Fb%5cc%3fd%23e", "/a%2Fb%5cc%3fd%23e"],
    ["/a/..%2f..%2fb", undefined],
    ["/..%2fbase/reports", undefined],
    ["/..", undefined],
    ["/%2e%2e/x", undefined],
    ["/..\\x", undefined],
    ["/a'~!$&()*+,=@:b", "/a'~!$&()*+,=@:b"],
  ]) {
    const before = origin.requests.length;
    const answer = await postern.send({ path, headers: bearer() });
    expectStatus(answer, arrives === undefined ? 400 : 200, path);
    const urls = origin.requests.slice(before).map(({ url }) => decodeURI(url));
    assert.deepEqual(urls, arrives === undefined ? [] : [decodeURI(`/base${arrives}`)], path);
  }
  const { headers } = await postern.send({ path: "/x", headers: bearer() });
  assert.deepEqual(
    [
      headers["cache-control"],
      headers["surrogate-control"],
      headers["cloudflare-cdn-cache-control"],
    ],
    ["private, max-age=5", undefined, undefined],
  );
  // With this header, the runtime tells the origin that no cache on the way may answer.
  assert.equal(origin.requests.at(-1).headers["cache-control"], "no-cache");
  const open = (await postern.send({ path: "/static/x" })).headers;
  assert.equal(origin.requests.at(-1).headers["cache-control"], undefined);
  assert.deepEqual(
    [open["cache-control"], open["surrogate-control"]],
    ["public, s-maxage=9, max-age=5", "max-age=9"],
  );
});

/** The memory of the process in bytes; undefined if the system does not tell. */
function occupied(pid) {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(file, "utf8"))[1]) * 1024;
}

/** Runs `action`. Returns the most by which the memory of the process grew meanwhile. */
async function growth(pid, action) {
  const before = occupied(pid);
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, occupied(pid))), 50);
  try {
    await action();
  } finally {
    clearInterval(watch);
  }
  return peak - before;
}

test("a body of 200 MB passes both ways, whole, with flat memory", {
  timeout: 300_000,
}, async (test) => {
  let received;
  const origin = await startOrigin(test, async (request, response) => {
    if (request.method === "POST") {
      received = { ...(await drained(request)), declared: request.headers["content-length"] };
      response.end("taken");
    } else {
      response.writeHead(200, { "content-length": LARGE });
      await pour(response, LARGE);
    }
  });
  const postern = await inFrontOf(test, origin);
  // The first bodies make memory grow once, which is not what the test measures.
  await drained(await stream(postern, { path: "/down", headers: bearer() }));

  let sent;
  const up = await growth(postern.pid, async () => {
    const headers = { ...bearer(), "content-length": LARGE };
    const answer = await stream(
      postern,
      { method: "POST", path: "/up", headers },
      async (request) => (sent = pour(request, LARGE)),
    );
    assert.equal(answer.statusCode, 200);
    await drained(answer);
  });
  assert.deepEqual(received, { bytes: LARGE, hash: await sent, declared: String(LARGE) });

  let got;
  const down = await growth(
    postern.pid,
    async () => (got = await drained(await stream(postern, { path: "/down", headers: bearer() }))),
  );
  assert.equal(got.bytes, LARGE);
  const expected = await pour({ write: () => true, end() {} }, LARGE);
  assert.equal(got.hash, expected);
  test.diagnostic(
    `memory grew by ${(up / MIB).toFixed(1)} MiB up and ${(down / MIB).toFixed(1)} MiB down`,
  );
  if (Number.isFinite(up))
    assert.ok(up < FLAT && down < FLAT, `memory grew by ${up} bytes up and ${down} bytes down`);
});

test("a WebSocket is passed on, with who calls and without the token", async (test) => {
  const origin = await startOrigin(test);
  const postern = await inFrontOf(test, origin);
  const url = postern.url.replace("http", "ws");
  const jwt = token();
  const socket = new WebSocket(`${url}live?token=${jwt}&room=7`, {
    headers: { "x-auth-user": "root" },
  });
  test.after(() => socket.terminate());
  const echoed = await new Promise((done, failed) => {
    socket
      .on("error", failed)
      .on("open", () => socket.send("hello"))
      .on("message", (data) => done(String(data)));
  });
  assert.equal(echoed, "hello");
  const [{ url: seen, headers }] = origin.requests;
  assert.equal(seen, "/live?room=7");
  assert.equal(headers["x-auth-user"], "alice");
  assert.ok(!JSON.stringify(origin.requests).includes(jwt));

  const refused = new WebSocket(`${url}live`);
  const status = await new Promise((done) =>
    refused.on("unexpected-response", (_, answer) => done(answer.statusCode)).on("error", () => {}),
  );
  assert.equal(status, 401);
});

test("an origin that is down is a 502, and the log has no token", async (test) => {
  let log = "";
  const origin = await startOrigin(test);
  const postern = await inFrontOf(
    test,
    origin,
    { ORIGIN_TIMEOUT_S: "5" },
    { onOutput: (text) => (log += text) },
  );
  expectStatus(await postern.send({ path: "/x", headers: bearer() }), 200);
  await origin.stop();
  const jwt = token("bob");
  for (const request of [
    { path: `/x?token=${jwt}` },
    { method: "POST", path: `/x?token=${jwt}`, body: "x".repeat(1000) },
  ]) {
    const answer = expectStatus(await postern.send(request), 502);
    assert.equal(answer.headers["content-type"], "application/problem+json");
    assert.deepEqual(answer.json, {
      type: "about:blank",
      title: "Bad Gateway",
      status: 502,
      detail: "the origin cannot be reached",
    });
  }
  assert.match(log, /the origin failed/);
  assert.ok(!log.includes(jwt), "the log has no token");
});

test("a silent origin is a 504 after the time-out, and a slow upload is not", {
  timeout: 120_000,
}, async (test) => {
  const silent = net.createServer(() => {});
  await new Promise((done) => silent.listen(0, "127.0.0.1", done));
  test.after(() => silent.close());
  const away = await inFrontOf(test, `http://127.0.0.1:${silent.address().port}`, {
    ORIGIN_TIMEOUT_S: "1",
  });
  for (const request of [{}, { method: "POST", body: "x" }]) {
    const answer = expectStatus(
      await away.send({ path: "/x", headers: bearer(), ...request }),
      504,
    );
    assert.equal(answer.json.detail, "the origin did not answer within 1 seconds");
  }

  const origin = await startOrigin(test, async (request, response) =>
    response.end(JSON.stringify(await drained(request))),
  );
  const postern = await inFrontOf(test, origin, { ORIGIN_TIMEOUT_S: "1" });
  const pause = () => new Promise((done) => setTimeout(done, 300));
  const answer = await stream(
    postern,
    { method: "POST", path: "/slow", headers: bearer() },
    (request) => pour(request, 10 * 1000, { chunk: 1000, pause }),
  );
  assert.equal(answer.statusCode, 200);
  answer.resume();
});

test("an origin that breaks off in its answer breaks off for the client, too", async (test) => {
  const origin = await startOrigin(test, (_, response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write("only a part");
    setTimeout(() => response.destroy(), 100);
  });
  const postern = await inFrontOf(test, origin);
  await assert.rejects(async () =>
    drained(await stream(postern, { path: "/x", headers: bearer() })),
  );
  expectStatus(await postern.send({ path: "/health" }), 200);
});

test("a client that goes away in its body leaves the origin without an end", async (test) => {
  let ended;
  const gone = new Promise((done) => (ended = done));
  const origin = await startOrigin(test, (request) => {
    request
      .on("end", () => ended("an end"))
      .on("close", () => ended("no end"))
      .on("error", () => ended("no end"))
      .resume();
  });
  const postern = await inFrontOf(test, origin);
  const { hostname, port } = new URL(postern.url);
  const request = http.request({
    hostname,
    port,
    method: "POST",
    path: "/x",
    headers: { ...bearer(), "content-length": 100_000 },
  });
  request.on("error", () => {});
  request.write("x".repeat(50_000));
  const deadline = Date.now() + 30_000;
  while (origin.requests.length === 0 && Date.now() < deadline)
    await new Promise((done) => setTimeout(done, 20));
  request.destroy();
  assert.equal(await gone, "no end");
  expectStatus(await postern.send({ path: "/health" }), 200);
});

test("a page opened by a token has its style sheet and the origin's cookies", async (test) => {
  const origin = await startOrigin(test);
  const postern = await inFrontOf(test, origin);
  const page = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const opened = expectStatus(
    await postern.send({ path: `/page?tab=1&token=${token()}`, headers: page }),
    303,
  );
  assert.equal(opened.headers.location, "/page?tab=1");
  assert.deepEqual(origin.requests, [], "the origin is not asked with the token");
  const session = sessionOf(opened);
  const own = "JSESSIONID=0123456789ABCDEF0123456789ABCDEF.node1";
  for (const path of ["/page?tab=1", "/style.css"])
    expectStatus(await postern.send({ path, headers: { cookie: `${own}; ${session}` } }), 200);
  for (const { headers } of origin.requests)
    assert.deepEqual([headers["x-auth-user"], headers.cookie], ["alice", own]);
  expectStatus(await postern.send({ path: "/v1/users", headers: { cookie: session } }), 401);

  const old = await postern.send({
    path: "/style.css",
    headers: { cookie: "postern=v1.0.AA", authorization: `Bearer ${token()}` },
  });
  assert.equal(expectStatus(old, 200).headers["set-cookie"], undefined, "it was not looked at");
  expectStatus(await postern.send({ path: "/v1/sign-out", headers: { cookie: session } }), 200);
  expectRefusal(
    await postern.send({ path: "/style.css", headers: { cookie: session } }),
    "revoked",
  );
});

test("an origin sets cookies of its own, and none of Postern's", async (test) => {
  const set = [
    "JSESSIONID=1.node; Path=/",
    "postern=x",
    "a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT",
    "__Host-postern=y; Secure; Path=/",
    "=postern=z",
  ];
  const server = http.createServer((_, response) =>
    response.writeHead(200, { "set-cookie": set }).end("{}"),
  );
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  test.after(() => server.close());
  const postern = await inFrontOf(test, `http://127.0.0.1:${server.address().port}`);
  const send = (cookie) => postern.send({ path: `/x?token=${token()}`, headers: { cookie } });
  assert.deepEqual((await send("b=c")).headers["set-cookie"], [set[0], set[2]]);
  const { headers } = await postern.send({
    path: "/x",
    headers: { cookie: "postern=v1.0.AA", accept: "text/css" },
  });
  assert.deepEqual(
    headers["set-cookie"],
    ["postern=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"],
    "one that is over is taken back",
  );
});
