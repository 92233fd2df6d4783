// The examples behind real proxies: what arrives of a request, and what Postern is asked about it.

import { it } from "node:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { APP_HOST } from "../support/neighbours.mjs";
import {
  ADMIN,
  ALICE,
  BOB,
  CAROL,
  CLAIMED,
  SERVICE,
  alice,
  aliases,
  bearer,
  behindEach,
  bob,
  carol,
  expectOwnAddress,
  forged,
  identity,
} from "./setup.mjs";

const BODY_BYTES = 8_000_000;

/** WebSocket is the only protocol to which a request may be upgraded. */
const isWebSocket = (upgrade) => upgrade === undefined || upgrade === "websocket";

behindEach((given, facts) => {
  it("the credentials in headers stay with Postern, and other cookies arrive", async () => {
    const { token, cookie } = given.session;
    const others = "X__Host-postern=c; JSESSIONID=1.node";
    const spellings = { "X-Auth-Token": token, X_Auth_Token: token, "X.Auth.Token": token };
    const headers = { ...bearer(alice()), ...spellings, cookie: `a=b; ${cookie}; ${others}` };
    const received = await given.arriving({ path: "/", headers });
    assert.equal(received.headers.authorization, undefined);
    assert.ok(!JSON.stringify(received).includes(token));
    const kept = facts.keepsCookie ? `a=b; ${cookie}; ${others}` : `a=b; ${others}`;
    assert.equal(received.headers.cookie, kept);

    for (const [sent, arrived] of [
      [cookie, undefined],
      [`${cookie}; a=b`, "a=b"],
      [`a=b; ${cookie}`, "a=b"],
      [`a=b; ${cookie}; postern=c`, "a=b"],
      [`postern=c; ${cookie}; a=b`, "a=b"],
      [`${cookie}; postern=c;a=b`, "a=b"],
      [`postern=c; a=b; ${cookie}`, "a=b"],
    ]) {
      const received = await given.arriving({ path: "/", headers: { cookie: sent } });
      assert.equal(received.headers.cookie || undefined, facts.keepsCookie ? sent : arrived, sent);
    }
  });

  it("the URL arrives as written, without the token where the proxy can remove it", async () => {
    for (const [path, without] of [
      ["/?token=TOKEN", "/"],
      ["/a/b//c?token=TOKEN", "/a/b//c"],
      ["/?token=TOKEN&a=b%20c&d", "/?a=b%20c&d"],
      ["/?a=b&token=TOKEN", "/?a=b"],
      ["/?a=b&token=TOKEN&c=d?&e=%C3%9C&f=100%", "/?a=b&c=d?&e=%C3%9C&f=100%"],
      ["/token=1?atoken=2&token=TOKEN&tokens=3", "/token=1?atoken=2&tokens=3"],
      ["/reports/?token=TOKEN&a=b", "/reports/?a=b"],
    ]) {
      const sent = path.replace("TOKEN", carol());
      assert.equal((await given.arriving({ path: sent })).url, facts.url(sent, without));
    }
    for (const path of ["/a//b/?a=%20&b", "/a%2Fb?c", "/%C3%9C/%e4?d=//e/../f", "/a;b=c/d+e"]) {
      given.forget();
      const answer = await given.proxy.send({ path, headers: bearer(alice()) });
      const arrived = given.app.received[0]?.url;
      assert.deepEqual([path, answer.status, arrived], [path, ...facts.path(path)]);
    }
  });

  it("a client's own query is no question to Postern", async () => {
    const path = `/?service=9&permission=ADMIN&user=1&app=other`;
    await given.expectIdentity({ path, headers: bearer(alice()) }, ALICE);
    const reports = `/reports/${path.slice(1)}`;
    await given.refused({ path: reports, headers: bearer(alice()) }, 403);
    // Where a proxy appends the URL, Postern does not read it there.
    const asked = given.front.received.map(({ url }) => url.split("?")[0]);
    const expected = [facts.asked("signed-in", "/"), facts.asked(`${SERVICE}/VIEW`, "/reports/")];
    assert.deepEqual(asked, expected);
  });

  it("a page of another origin may read with the cookie, and change nothing", async () => {
    const { cookie } = given.session;
    const from = (origin, method) => ({ method, path: "/", headers: { cookie, origin } });
    await given.refused(from("https://evil.example", "POST"), 403);
    await given.refused(
      { method: "DELETE", path: "/", headers: { cookie, "sec-fetch-site": "cross-site" } },
      403,
    );
    await given.expectIdentity(from("https://evil.example", "GET"), ADMIN);
    await given.expectIdentity(from(`https://${APP_HOST}`, "POST"), ADMIN);
    const lies = {
      "x-forwarded-method": "GET",
      "x-forwarded-host": "evil.example",
      "x-original-method": "GET",
    };
    const lying = from("https://evil.example", "POST");
    await given.refused({ ...lying, headers: { ...lying.headers, ...lies } }, 403);
  });

  it("a client's own forwarded URL neither helps it nor changes who it is", async () => {
    const headerNames = ["X-Forwarded-Uri", "x-original-uri", "X-Original-URL", "X-Rewrite-URL"];
    const names = [...headerNames, ...aliases("X-Forwarded-Uri"), ...aliases("X-Original-URI")];
    for (const own of [
      `/?token=${alice()}`,
      [`/?token=${alice()}`, "/"],
      ["/", `/?token=${alice()}`],
    ]) {
      const headers = Object.fromEntries(names.map((header) => [header, own]));
      await given.refused({ path: "/", headers }, 401);
      await given.refused({ path: `/?token=${forged()}`, headers }, 401);
      await given.refused(
        { path: "/", headers: { ...headers, connection: names.join(", ") } },
        facts.nominated,
      );
      await given.expectIdentity({ path: `/?token=${bob()}`, headers }, BOB);
    }
  });

  it("no client names another path, method or address than Postern was asked about", async () => {
    const names = [
      ...[
        "Forwarded",
        "X-Real-IP",
        "X-Rewrite-URL",
        "X-Original-URL",
        "X-Original-URI",
        "X-Original-Method",
      ],
      ...["X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Proto"],
      "X-Forwarded-For",
      ...["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"],
      ...["SCRIPT_NAME", "X-Script-Name", "X-Forwarded-Prefix", "Destination"],
      ...["X_HTTP_Method_Override", "X_HTTP_Method", "X_Forwarded_Uri", "X_Original_URL"],
    ];
    const said = Object.fromEntries(names.map((name) => [name, "made-up"]));
    for (const more of [{}, { connection: names.slice(0, 5).join(", ") }]) {
      const { lines } = await given.arriving({
        path: "/",
        headers: { ...said, ...more, ...bearer(alice()) },
      });
      assert.deepEqual(
        lines.filter(([, value]) => value.includes("made-up")),
        [],
      );
    }
  });

  it("nothing arrives under another host than the application's", async () => {
    const { status } = await given.proxy.send({ path: "/", headers: bearer(alice()) });
    assert.equal(status, 200);
    for (const host of ["other.example", "app.example.com.other.example", "127.0.0.1", "x"]) {
      given.forget();
      await given.proxy.send({ path: "/", headers: { host, ...bearer(alice()) } });
      assert.deepEqual(given.app.received, [], host);
    }
  });

  it("Postern is told every host under which the application may take a request", async () => {
    for (const [path, host] of [
      [`https://${APP_HOST}/`, "other.example"],
      [`https://${APP_HOST}/`, APP_HOST],
      ["/", APP_HOST],
    ]) {
      given.forget();
      await given.proxy.send({ path, headers: { host, ...bearer(alice()) } });
      for (const { headers } of given.app.received) {
        const told = given.front.received.flatMap(({ headers }) =>
          headers["x-forwarded-host"].split(", "),
        );
        assert.ok(told.includes(headers.host), `${told}, not ${headers.host}`);
        assert.ok(told.includes(headers["x-forwarded-host"]), `${told}`);
      }
    }
  });

  it("no client speaks another protocol to the application behind the proxy's back", async () => {
    const settings = { "http2-settings": "AAMAAABkAAQCAAAAAAIAAAAA" };
    for (const upgrade of [
      "h2c",
      "H2C",
      "websocket, h2c",
      ["websocket", "h2c"],
      ["h2c", "websocket"],
      "other/1",
    ]) {
      const connection = "Upgrade, HTTP2-Settings";
      const headers = { connection, upgrade, ...settings, ...bearer(alice()) };
      given.forget();
      const refused = (error) => ({ status: String(error) });
      const { status } = await given.proxy.send({ path: "/", headers }).catch(refused);
      const arrived = given.app.received.map(({ headers }) => headers.upgrade);
      assert.ok(arrived.every(isWebSocket), `${upgrade}: ${status} ${arrived}`);
    }
  });

  const ifHttp2 = facts.http2 ? it : () => {};
  ifHttp2("cookies of a browser that speaks HTTP/2 arrive in one header", async () => {
    const { cookie } = given.session;
    const status = await given.proxy.sendByHttp2({ ":path": "/", cookie: ["a=b", cookie, "c=d"] });
    const [received] = given.app.received;
    assert.deepEqual([status, identity(received)["X-Auth-User"]], [200, "admin"]);
    assert.equal(received.headers.cookie, facts.keepsCookie ? `a=b; ${cookie}; c=d` : "a=b; c=d");
  });

  it("a location with a permission is open to who has it, in each spelling", async () => {
    const paths = [
      "/reports/",
      "/reports/2026?a=b",
      "//reports/2026",
      "/%72eports/2026",
      "/a/../reports/2026",
      "/./reports/2026",
    ];
    for (const path of [
      ...paths,
      "/reports//2026",
      "/a/%2e%2e/reports/2026",
      "/reports/./x",
      "/reports%2F2026",
      "/%2Freports/",
    ]) {
      const [status, arrived] = facts.path(path);
      if (status !== 200) {
        await given.refused({ path, headers: bearer(carol()) }, status);
        continue;
      }
      await given.refused({ path, headers: bearer(alice()) }, 403);
      assert.equal((await given.arriving({ path, headers: bearer(carol()) })).url, arrived);
    }
    await given.refused({ path: "/reports/" }, 401);
    await given.refused({ path: "/reports/", headers: bearer(forged()) }, 401);
    await given.refused({ path: `/reports/?token=${alice()}` }, 403);
    await given.refused({ path: `/reports/?service=2&permission=NONE&token=${alice()}` }, 403);
    await given.expectIdentity({ path: "/reports/", headers: bearer(carol()) }, CAROL);
    // nginx itself redirects here, to the path with the slash.
    given.forget();
    const answer = await given.proxy.send({ path: "/reports", headers: bearer(alice()) });
    assert.ok([301, 403].includes(answer.status), String(answer.status));
    assert.deepEqual(given.app.received, []);
  });

  for (const chunked of [false, true]) {
    const length = chunked ? "in chunks" : "of declared length";
    it(`a body of 8 MB arrives whole, and Postern gets none of it, ${length}`, async () => {
      const body = randomBytes(BODY_BYTES);
      const headers = { "content-type": "application/octet-stream", ...bearer(alice()) };
      for (const method of ["POST", "PUT", "DELETE"]) {
        const received = await given.arriving({
          method,
          path: "/upload?a=b",
          headers,
          body,
          chunked,
        });
        assert.equal(received.method, method);
        assert.equal(received.url, "/upload?a=b");
        assert.equal(received.headers["content-type"], "application/octet-stream");
        assert.ok(
          received.body.equals(body),
          `${received.body.length} of ${body.length} bytes arrived`,
        );
      }
      assert.deepEqual(
        given.front.received.map(({ method }) => method),
        ["POST", "PUT", "DELETE"].map(facts.askedMethod),
      );
      for (const asked of given.front.received) {
        assert.equal(asked.body.length, 0);
        assert.equal(asked.headers["content-length"] ?? "0", "0");
        assert.equal(asked.headers["transfer-encoding"], undefined);
      }
    });
  }

  it("any method is asked about, and arrives as it is", async () => {
    for (const method of ["HEAD", "PATCH", "PROPFIND", "REPORT", "OPTIONS"]) {
      await given.refused({ method, path: "/dav" }, 401);
      const { method: arrived } = await given.arriving({
        method,
        path: "/dav",
        headers: bearer(alice()),
      });
      assert.equal(arrived, method);
    }
  });

  it("a preflight is refused like any request without a credential", async () => {
    const asks = {
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    };
    const headers = { origin: "https://other.example", ...asks };
    await given.refused({ method: "OPTIONS", path: "/", headers }, 401);
    await given.refused(
      { method: "OPTIONS", path: "/reports/", headers: { ...headers, ...bearer(alice()) } },
      403,
    );
    const arrived = await given.arriving({
      method: "OPTIONS",
      path: "/",
      headers: { ...headers, ...bearer(alice()) },
    });
    assert.equal(arrived.headers["access-control-request-method"], "POST");
  });

  it("Postern is asked once for each request, with the URL as the client wrote it", async () => {
    const path = `/a/b/c?x=%zz&token=${alice()}`;
    const before = given.front.connections;
    for (let again = 0; again < 5; again += 1) await given.arriving({ path });
    assert.equal(given.front.received.length, 5);
    for (const { url, headers, lines } of given.front.received) {
      const told = lines
        .filter(([header]) => header.toLowerCase() === "x-forwarded-uri")
        .map(([, value]) => value);
      if (facts.appendsUrl) assert.deepEqual([url, told], [facts.asked("signed-in", path), []]);
      else assert.deepEqual([url.split("?")[0], told], [facts.asked("signed-in", path), [path]]);
      assert.equal(headers.host, facts.host(given.front.address));
    }
    assert.ok(given.front.connections - before <= facts.connections, "a connection is used again");
    assert.deepEqual([...new Set(given.front.serverNames)], [facts.serverName]);
  });

  it("Postern gets the credentials and headers that it reads, and no others", async () => {
    const credentials = { ...bearer(alice()), "x-auth-token": "a", cookie: "b=c" };
    const looked = {
      origin: "https://evil.example",
      "sec-fetch-site": "none",
      "sec-fetch-mode": "cors",
      "sec-fetch-dest": "empty",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      accept: "*/*",
    };
    const others = {
      "cf-connecting-ip": "192.0.2.1",
      "x-other": "d",
      "x-http-method-override": "GET",
      "access-control-request-method": "GET",
    };
    const own = { "x-forwarded-for": CLAIMED };
    await given.arriving({ path: "/", headers: { ...credentials, ...looked, ...others, ...own } });
    const [{ headers }] = given.front.received;
    expectOwnAddress(headers);
    for (const [name, value] of Object.entries({ ...credentials, ...looked }))
      assert.equal(headers[name], value);
    if (facts.passesAll) return;
    for (const name of Object.keys(others)) assert.equal(headers[name], undefined, name);
    assert.deepEqual(
      Object.keys(headers)
        .filter((name) => !(name in { ...credentials, ...looked }))
        .sort(),
      facts.addedHeaders,
    );
  });
});
