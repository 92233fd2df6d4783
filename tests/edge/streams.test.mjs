// A stream through the gateway ends with the credential that opened it. These tests are about the
// transport and the time; tests/host/streams.rs tests who may stay.

import { before, after, describe, test } from "node:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import http from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket, WebSocketServer } from "ws";
import {
  admin,
  basic,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  signInBrowser,
} from "./support/client.mjs";
import { deployment, startPostern, startWorkerd } from "./support/workerd.mjs";

/** Postern promises 10 s; the rest is for a busy machine. */
const BOUND_MS = 15_000;
/** Longer than the time between two checks of a stream, twice. */
const LONG_MS = 13_000;
const SECRET = "a shared secret of thirty-two b!";
const EVENT = "event: tick\ndata: \u{1F600} caf\u00e9\n\n";

/** What must be stopped in the end, because one process serves all tests of this file. */
const cleaning = [];
const context = { after: (action) => cleaning.push(action) };
let origin;
let postern;
/** Another isolate on the same database. It makes changes that the first one has to notice. */
let elsewhere;
/** A third isolate, whose D1 stops answering. */
let cutOff;
let probe;

/** An origin whose WebSockets and event streams do what their path says. */
async function startOrigin() {
  const sockets = [];
  const gone = [];
  const server = http.createServer((request, response) => {
    const path = new URL(request.url, "http://x").pathname;
    const type = path.startsWith("/plain") ? "text/plain" : "Text/Event-Stream; charset=utf-8";
    response.writeHead(200, {
      "content-type": type,
      "cache-control": "no-cache",
      "x-of": "the origin",
    });
    response.write(EVENT);
    const timer = setInterval(() => response.write(EVENT), 200);
    response.on("close", () => {
      clearInterval(timer);
      gone.push(request.url);
    });
    if (path.endsWith("/short")) setTimeout(() => response.end(EVENT), 900);
    if (path.endsWith("/breaks")) setTimeout(() => response.destroy(), 900);
  });
  const handleProtocols = (offered) => [...offered].at(-1);
  const accepting = new WebSocketServer({ server, handleProtocols, maxPayload: 64 << 20 });
  accepting.on("headers", (headers, { url }) => {
    if (url.endsWith("/cookies"))
      headers.push("Set-Cookie: postern=of-the-origin; Path=/", "Set-Cookie: app=1; Path=/");
  });
  accepting.on("connection", (socket, { url, headers }) => {
    const seen = {
      url,
      headers,
      socket,
      closed: new Promise((done) =>
        socket.on("close", (code, reason) => done([code, String(reason)])),
      ),
    };
    sockets.push(seen);
    const path = new URL(url, "http://x").pathname;
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => {
      if (path === "/ws/closes") socket.close(4321, "enough");
      else if (path === "/ws/closes-without-code") socket.close();
      else if (path === "/ws/breaks") socket.terminate();
      else if (path === "/ws/invalid-code")
        socket._socket.write(Buffer.from([0x88, 2, 1015 >> 8, 1015 & 255]));
      else if (path === "/ws/floods")
        for (let part = 0; part < 200; part += 1) socket.send(randomBytes(256 * 1024));
      else socket.send(data, { binary: isBinary });
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  context.after(async () => {
    accepting.clients.forEach((socket) => socket.terminate());
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  return { url: `http://127.0.0.1:${server.address().port}`, sockets, gone };
}

/**
 * Opens a WebSocket through an isolate: `{ socket, closed, arrived }`, where `closed` promises
 * `[code, reason, when]`.
 */
async function openSocket(
  isolate,
  path,
  { headers, protocols = [], onUpgrade = () => {}, ...options } = {},
) {
  const socket = new WebSocket(isolate.url.replace("http", "ws") + path.slice(1), protocols, {
    headers,
    maxPayload: 64 << 20,
    ...options,
  });
  onUpgrade(socket);
  cleaning.push(() => socket.terminate());
  const messages = [];
  const waiting = [];
  socket.on("message", (data, isBinary) => {
    messages.push(isBinary ? data : String(data));
    waiting.splice(0).forEach((wake) => wake());
  });
  await new Promise((done, failed) => socket.on("open", done).on("error", failed));
  const closed = new Promise((done) => {
    socket.on("close", (code, reason) => {
      done([code, String(reason), Date.now()]);
      waiting.splice(0).forEach((wake) => wake());
    });
  });
  const arrived = async (count) => {
    while (messages.length < count) {
      assert.notEqual(
        socket.readyState,
        WebSocket.CLOSED,
        `closed after ${messages.length} messages`,
      );
      await new Promise((wake) => waiting.push(wake));
    }
    return messages;
  };
  return { socket, closed, arrived };
}

/**
 * Opens an event stream: `{ response, ended, text }`, where `ended` promises `["end" or "broken",
 * when]`.
 */
async function openStream(isolate, path, headers) {
  const { hostname, port } = new URL(isolate.url);
  const request = http.request({ hostname, port, path, headers, agent: false });
  cleaning.push(() => request.destroy());
  const response = await new Promise((done, failed) =>
    request.on("response", done).on("error", failed).end(),
  );
  assert.equal(response.statusCode, 200);
  const stream = { response, request, text: "" };
  response.setEncoding("utf8").on("data", (part) => (stream.text += part));
  stream.ended = new Promise((done) => {
    response
      .on("end", () => done(["end", Date.now()]))
      .on("error", () => done(["broken", Date.now()]));
  });
  return stream;
}

/** Opens a WebSocket and an event stream with a credential, and lets some data of each arrive. */
async function openBoth(isolate, path, headers) {
  const [socket, stream] = await Promise.all([
    openSocket(isolate, `/ws${path}`, { headers }),
    openStream(isolate, `/events${path}`, headers),
  ]);
  socket.socket.send("hello");
  await socket.arrived(1);
  return { socket, stream };
}

/** Asserts that both end after `begun`, and within the bound. */
async function bothEnd({ socket, stream }, begun) {
  const timer = AbortSignal.timeout(BOUND_MS + 5_000);
  const late = new Promise((_, failed) =>
    timer.addEventListener("abort", () => failed(new Error("it is still open"))),
  );
  const [[code, reason], [how]] = await Promise.race([
    Promise.all([socket.closed, stream.ended]),
    late,
  ]);
  assert.deepEqual([code, reason, how], [1008, "the credential is no longer valid", "end"]);
  assert.ok(Date.now() - begun < BOUND_MS, `${Date.now() - begun} ms`);
  assert.ok(
    stream.text.startsWith(EVENT) && stream.text.length % EVENT.length === 0,
    "the events are whole",
  );
}

const token = (username, seconds = 600, secret = SECRET) =>
  sign(secret, { loginname: username, exp: nowInSeconds() + seconds });
const bearer = (...of) => ({ authorization: `Bearer ${token(...of)}` });
const administer = (isolate, method, path, json) =>
  isolate.send({ method, path, headers: admin, ...(json && { json }) });

async function idOf(username) {
  const { json } = expectStatus(
    await administer(elsewhere, "GET", `/v1/users?username=${username}`),
    200,
  );
  return json.items[0].id;
}

before(async () => {
  origin = await startOrigin();
  const rules = JSON.stringify([
    { path: "/ws/granted", service: 7, permission: "VIEW" },
    { path: "/events/granted", service: 7, permission: "VIEW" },
  ]);
  const bindings = deployment({
    ORIGIN_URL: origin.url,
    ORIGIN_RULES: rules,
    ORIGIN_PUBLIC: "/ws/public",
    LOGIN_URL: "password",
  });
  const shared = { bindings, database: "shared", namespace: "shared" };
  const workerd = await startWorkerd({
    isolates: [shared, shared, { ...shared, entry: "observed" }],
  });
  cleaning.push(() => workerd.stop());
  [postern, elsewhere, cutOff] = workerd.isolates;
  await registerApp(elsewhere, { secret: SECRET });
  await registerApp(elsewhere, { name: "CRM", token_name: "crm", secret: `${SECRET}2` });
  probe = await startPostern(context, {
    entry: "probe",
    bindings: deployment({ ORIGIN_URL: origin.url }),
  });
  await registerApp(probe, { secret: SECRET });
});

after(async () => {
  for (const action of cleaning.reverse()) await action();
});

describe("streams", { concurrency: true, timeout: 60_000 }, () => {
  describe("a WebSocket and an event stream end", { concurrency: true }, () => {
    test("when the token expires, at that moment", async () => {
      const endsAt = (nowInSeconds() + 4) * 1000;
      const both = await openBoth(postern, "", bearer("expires", 4));
      const [[code, , closedAt], [how, endedAt]] = await Promise.all([
        both.socket.closed,
        both.stream.ended,
      ]);
      assert.deepEqual([code, how], [1008, "end"]);
      for (const at of [closedAt, endedAt])
        assert.ok(at > endsAt - 50 && at < endsAt + 2_500, `${at - endsAt} ms`);
    });

    test("when the user is disabled", async () => {
      const both = await openBoth(postern, "", bearer("disabled"));
      const id = await idOf("disabled");
      await administer(elsewhere, "PATCH", `/v1/users/${id}`, { enabled: false });
      await bothEnd(both, Date.now());
    });

    test("when the user is deleted, who is not created again", async () => {
      const both = await openBoth(postern, "", bearer("deleted"));
      expectStatus(
        await administer(elsewhere, "DELETE", `/v1/users/${await idOf("deleted")}`),
        204,
      );
      await bothEnd(both, Date.now());
      const { json } = await administer(elsewhere, "GET", "/v1/users?username=deleted");
      assert.deepEqual(json.items, []);
    });

    test("when all tokens of the user are revoked", async () => {
      const both = await openBoth(postern, "", bearer("revoked"));
      expectStatus(
        await administer(elsewhere, "DELETE", `/v1/users/${await idOf("revoked")}/tokens`),
        204,
      );
      await bothEnd(both, Date.now());
    });

    test("when the grant is taken away that the path asks for", async () => {
      await elsewhere.send({ path: "/v1/verify", headers: bearer("granted") });
      const id = await idOf("granted");
      const grant = { authObjectType: "USER", authObjectId: id, permissions: ["VIEW"] };
      const created = expectStatus(
        await administer(elsewhere, "POST", "/api/v1/services/7/auth", grant),
        200,
      );
      const both = await openBoth(postern, "/granted", bearer("granted"));
      expectStatus(
        await administer(elsewhere, "DELETE", `/api/v1/services/auth/${created.json.data.id}`),
        200,
      );
      await bothEnd(both, Date.now());
    });

    test("when the opaque token is signed out, by header and by cookie", async () => {
      const { credential } = await signIn(elsewhere);
      const cookie = await signInBrowser(elsewhere);
      const both = [
        await openBoth(postern, "", credential),
        await openBoth(postern, "", { cookie }),
      ];
      const begun = Date.now();
      expectStatus(
        await elsewhere.send({ path: "/imanager/security/logout", headers: credential }),
        200,
      );
      expectStatus(await elsewhere.send({ path: "/v1/sign-out", headers: { cookie } }), 200);
      for (const one of both) await bothEnd(one, begun);
    });

    test("when the token's app is disabled", async () => {
      const both = await openBoth(postern, "?y=1", {
        authorization: `Bearer ${token("of-crm", 600, `${SECRET}2`)}`,
      });
      await registerApp(elsewhere, {
        name: "CRM",
        token_name: "crm",
        secret: `${SECRET}2`,
        enable: "0",
      });
      await bothEnd(both, Date.now());
    });

    test("when D1 is silent, and not while it fails", async () => {
      const both = await openBoth(cutOff, "", bearer("cut-off"));
      const state = (d1) => cutOff.send({ method: "POST", path: "/testing", json: { d1 } });
      expectStatus(await state("down"), 204);
      await pause(LONG_MS);
      both.socket.socket.send("still there");
      await both.socket.arrived(2);
      expectStatus(await state("silent"), 204);
      await bothEnd(both, Date.now());
    });

    test("when the password is another, without a failed sign-in", async () => {
      const json = { username: "typist", password: "the first password" };
      const { id } = expectStatus(await administer(elsewhere, "POST", "/v1/users", json), 201).json;
      const both = await openBoth(postern, "", { authorization: basic("typist", json.password) });
      expectStatus(
        await administer(elsewhere, "PUT", `/v1/users/${id}/password`, {
          password: "the second password",
        }),
        204,
      );
      await bothEnd(both, Date.now());
      const { json: audit } = await administer(elsewhere, "GET", "/v1/audit?limit=100");
      assert.ok(
        audit.items.every(
          ({ action, target }) => !(action.includes("fail") && target.includes("typist")),
        ),
      );
    });
  });

  describe("a stream whose credential is good", { concurrency: true }, () => {
    test("stays open, and an event stream brings the bytes that the origin sends", async () => {
      const { socket, stream } = await openBoth(postern, "", bearer("good"));
      const byPassword = await openBoth(postern, "", admin);
      await pause(LONG_MS);
      socket.socket.send("still there");
      assert.deepEqual(await socket.arrived(2), ["hello", "still there"]);
      const events = stream.text.length / EVENT.length;
      assert.ok(events > 40 && stream.text === EVENT.repeat(events), `${events}`);
      assert.equal(byPassword.socket.socket.readyState, WebSocket.OPEN);
      assert.equal(stream.response.headers["x-of"], "the origin");
    });

    test("stays open when the wasm is replaced, and ends by the new instance", async () => {
      const both = await openBoth(probe, "", bearer("survivor"));
      assert.ok((await probe.send({ path: "/panic" })).status >= 500);
      await pause(LONG_MS);
      both.socket.socket.send("still there");
      await both.socket.arrived(2);
      const { json } = await administer(probe, "GET", "/v1/users?username=survivor");
      expectStatus(
        await administer(probe, "PATCH", `/v1/users/${json.items[0].id}`, { enabled: false }),
        200,
      );
      await bothEnd(both, Date.now());
    });

    test("goes on as it is on a public path, and in a body that is no event stream", async () => {
      const open = await openSocket(postern, "/ws/public/x");
      const plain = await openStream(postern, "/plain/x", bearer("plain", 2));
      await pause(6_000);
      open.socket.send("hello");
      await open.arrived(1);
      const before = plain.text.length;
      await pause(1_000);
      assert.ok(plain.text.length > before, "it still flows");
    });
  });

  test("a WebSocket of the origin sets cookies, but none of Postern's name", async () => {
    for (const [path, headers] of [
      ["/ws/public/cookies", {}],
      ["/ws/cookies", bearer("alice")],
    ]) {
      let set;
      const onUpgrade = (socket) =>
        socket.on("upgrade", (response) => (set = response.headers["set-cookie"]));
      const opened = await openSocket(postern, path, { headers, onUpgrade });
      opened.socket.send("hello");
      assert.deepEqual([await opened.arrived(1), set], [["hello"], ["app=1; Path=/"]], path);
    }
  });

  describe("between the two sides of a WebSocket", { concurrency: true }, () => {
    const opened = (path, more) => openSocket(postern, path, { headers: bearer("alice"), ...more });
    const atOrigin = (mark) => origin.sockets.find(({ url }) => url.includes(mark));

    test("200 messages come back in order, and frames of 20 MiB whole", async () => {
      const { socket, arrived } = await opened("/ws/echo");
      for (let number = 0; number < 200; number += 1) socket.send(`message ${number}`);
      assert.deepEqual(
        await arrived(200),
        Array.from({ length: 200 }, (_, number) => `message ${number}`),
      );
      const large = randomBytes(20 << 20);
      socket.send(large);
      socket.send(Buffer.alloc(0));
      socket.send("");
      const [frame, empty, text] = (await arrived(203)).slice(200);
      assert.ok(large.equals(frame));
      assert.ok(Buffer.isBuffer(empty) && empty.length === 0);
      assert.equal(text, "");
    });

    test("the subprotocol is the one that the origin chooses", async () => {
      const { socket } = await opened("/ws/protocol?m=protocol", { protocols: ["one", "two"] });
      assert.equal(socket.protocol, "two");
      assert.equal((await opened("/ws/none")).socket.protocol, "");
    });

    for (const [what, path, code, reason] of [
      ["with its code and reason", "/ws/closes", 4321, "enough"],
      ["without a code", "/ws/closes-without-code", 1005, ""],
      ["by breaking off", "/ws/breaks", 1011, "the connection to the origin broke"],
      ["with a code that nobody may send", "/ws/invalid-code", 1002, ""],
    ]) {
      test(`the origin closes ${what}`, async () => {
        const { socket, closed } = await opened(path);
        socket.send("close");
        assert.deepEqual((await closed).slice(0, 2), [code, reason]);
      });
    }

    for (const [what, close, code, reason] of [
      ["with-code", (socket) => socket.close(3999, "done here"), 3999, "done here"],
      ["without-code", (socket) => socket.close(), 1005, ""],
      ["by-leaving", (socket) => socket.terminate(), 1001, "the client has gone"],
    ]) {
      test(`the client closes, ${what}`, async () => {
        const { socket } = await opened(`/ws/x?m=${what}`);
        close(socket);
        assert.deepEqual(await atOrigin(`m=${what}`).closed, [code, reason]);
      });
    }

    test("the origin's last messages arrive after the client has closed", async () => {
      const { socket, arrived, closed } = await opened("/ws/x?m=half");
      socket._socket.cork();
      socket.send("one");
      socket.close(1000);
      socket._socket.uncork();
      assert.deepEqual(await arrived(1), ["one"]);
      assert.equal((await closed)[0], 1000);
    });

    test("a side that reads too slowly is closed before much waits for it", async () => {
      const { socket } = await opened("/ws/floods?m=floods", { perMessageDeflate: false });
      socket.pause();
      socket.send("go");
      assert.deepEqual(await atOrigin("m=floods").closed, [1013, "too many messages wait"]);
    });

    test("a client that leaves an event stream is gone for the origin, too", async () => {
      const { request } = await openStream(postern, "/events?m=leaves", bearer("alice"));
      request.destroy();
      const deadline = Date.now() + BOUND_MS;
      while (!origin.gone.some((url) => url.includes("m=leaves"))) {
        assert.ok(Date.now() < deadline);
        await pause(50);
      }
    });

    test("an event stream ends and breaks as the origin's does", async () => {
      const whole = await openStream(postern, "/events/short", bearer("alice"));
      const broken = await openStream(postern, "/events/breaks", bearer("alice"));
      assert.equal((await whole.ended)[0], "end");
      assert.equal((await broken.ended)[0], "broken");
    });
  });
});
