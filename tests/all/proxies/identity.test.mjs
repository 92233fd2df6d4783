// The examples, behind real nginx and real Caddy: who gets through, and what the application is told about them.

import { after, before, beforeEach, describe, it } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { admin, expectStatus, nowInSeconds, registerApp, sign, signIn, signInBrowser, verifyBearer } from "../edge/support/client.mjs";
import { send } from "../edge/support/http.mjs";
import { POSTERN_HOST, makeCertificate, startApp, startFront, startProxy } from "./support/proxies.mjs";
import { deployment, startWorkerd } from "../edge/support/workerd.mjs";

const SERVICE = 1;
const IDENTITY = ["X-Auth-User", "X-Auth-User-Id", "X-Auth-Name", "X-Auth-Email", "X-Auth-Roles", "X-Auth-App", "X-Auth-Roles-Truncated"];

const claims = (username, more) => ({ loginname: username, exp: nowInSeconds() + 600, ...more });
const token = (username, more) => sign("abcd", claims(username, more));
const alice = () => token("alice", { name: "Alice Ünal", email: "alice@example.com" });
/** Of bob and carol Postern knows neither a name nor an address. */
const bob = () => token("bob");
const carol = () => token("carol");
const forged = () => sign("wrong", claims("alice"));
const bearer = (value) => ({ authorization: `Bearer ${value}` });

const ALICE = { "X-Auth-User": "alice", "X-Auth-Name": "Alice %C3%9Cnal", "X-Auth-Email": "alice@example.com", "X-Auth-Roles": "SYS_Reader", "X-Auth-App": "ERP" };
const BOB = { "X-Auth-User": "bob", "X-Auth-Roles": "SYS_Reader", "X-Auth-App": "ERP" };
const ADMIN = { "X-Auth-User": "admin", "X-Auth-Roles": "Administrator" };

/** What the application is told, or might take for it: names and values of all headers that read like Postern's. */
function identity({ lines }) {
  const told = lines.filter(([name]) => name.toLowerCase().replaceAll(/[^a-z\d]/g, "-").startsWith("x-auth"));
  const canonical = (name) => IDENTITY.find((one) => one.toLowerCase() === name.toLowerCase()) ?? name;
  const members = told.map(([name, value]) => [canonical(name), value]);
  assert.equal(new Set(members.map(([name]) => name)).size, members.length, `a header came twice: ${told.join("; ")}`);
  // An empty header says nothing. Whether it arrives depends on the proxy.
  return Object.fromEntries(members.filter(([, value]) => value !== ""));
}

/** Other names that some application takes for this one, since it reads all that is no letter or digit as `_`. */
function aliases(name) {
  const [first, ...rest] = name.split("-");
  const mixed = rest.reduce((names, part) => names.flatMap((begun) => [`${begun}-${part}`, `${begun}_${part}`]), [first]).slice(1);
  return [...mixed, ...Array.from("!#$%&'*+.^`|~", (character) => name.replaceAll("-", character))];
}

for (const name of ["nginx", "caddy"]) {
  describe(`behind ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), `postern-${name}-`));
    const scratch = (part) => {
      const path = join(folder, part);
      mkdirSync(path);
      return path;
    };
    let [workerd, postern, certificate, app, front, proxy, session, ids] = [];

    before(async () => {
      workerd = await startWorkerd({ isolates: [{ bindings: deployment({ LOGIN_URL: "password" }) }] });
      [postern] = workerd.isolates;
      await registerApp(postern);
      const [, value] = (await signInBrowser(postern)).split("=");
      session = { ...(await signIn(postern)), cookie: `__Host-postern=${value}` };
      const idOf = async (who) => String(expectStatus(await verifyBearer(postern, who), 200).json.user.id);
      ids = { alice: await idOf(alice()), bob: await idOf(bob()), carol: await idOf(carol()), admin: await idOf(session.token) };
      const json = { authObjectType: "USER", authObjectId: Number(ids.carol), permissions: ["VIEW"] };
      expectStatus(await postern.send({ method: "POST", path: `/api/v1/services/${SERVICE}/auth`, headers: admin, json }), 200);

      certificate = makeCertificate(folder, "postern");
      app = await startApp();
      front = await startFront(postern, certificate);
      const addresses = { app: app.address, postern: front.address };
      proxy = await startProxy(name, { ...addresses, folder: scratch("proxy"), trusted: certificate, certificate });
    });
    after(async () => {
      await proxy?.stop();
      await Promise.all([app?.stop(), front?.stop(), workerd?.stop()]);
      rmSync(folder, { recursive: true, force: true });
    });
    beforeEach(() => {
      app.received.length = 0;
      front.received.length = 0;
    });

    /** What the application gets of a request that must get there. */
    async function arriving(request) {
      app.received.length = 0;
      expectStatus(await send(proxy.url, request), 200, `${request.path}:`);
      assert.equal(app.received.length, 1, "the application is asked once");
      return app.received[0];
    }

    async function expectIdentity(request, expected) {
      const told = identity(await arriving(request));
      assert.deepEqual(told, { ...expected, "X-Auth-User-Id": ids[expected["X-Auth-User"]] });
    }

    /** The answer to a request that must not reach the application. */
    async function refused(request, status, through = proxy) {
      app.received.length = 0;
      const answer = expectStatus(await send(through.url, request), status, `${request.path}:`);
      assert.deepEqual(app.received, [], "the application is not asked");
      return answer;
    }

    it("a token app's token gets through, as a Bearer and in the URL, and the application is told whose it is", async () => {
      await expectIdentity({ path: "/", headers: bearer(alice()) }, ALICE);
      await expectIdentity({ path: `/?token=${alice()}` }, ALICE);
      await expectIdentity({ path: `/page?a=b&token=${bob()}&c=100%` }, BOB);
    });

    it("an opaque token, a cookie and a password get through, and the application is told whose they are", async () => {
      await expectIdentity({ path: "/", headers: { "x-auth-token": session.token } }, ADMIN);
      await expectIdentity({ path: "/", headers: bearer(session.token) }, ADMIN);
      await expectIdentity({ path: "/", headers: { cookie: `a=b; ${session.cookie}` } }, ADMIN);
      await expectIdentity({ path: "/", headers: admin }, ADMIN);
    });

    it("a page that is opened by a token in its URL has its pictures, and the session is Postern's alone", async () => {
      const page = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
      const opened = await send(proxy.url, { path: `/page?a=b&token=${bob()}`, headers: page });
      expectStatus(opened, name === "nginx" ? 200 : 303);
      if (name !== "nginx") assert.deepEqual([opened.headers.location, app.received], ["/page?a=b", []]);
      const [set] = opened.headers["set-cookie"];
      assert.match(set, /^__Host-postern=v1\.[^;]+; Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=Lax$/);
      const [cookie] = set.split(";");
      await expectIdentity({ path: "/picture.png", headers: { cookie: `a=b; ${cookie}` } }, BOB);
      assert.equal(app.received[0].headers.cookie, "a=b");
      await refused({ path: "/reports/", headers: { cookie } }, 403);
      expectStatus(await postern.send({ path: "/v1/sign-out", headers: { cookie: cookie.replace("__Host-", "") } }), 200);
      await refused({ path: "/picture.png", headers: { cookie } }, 401);
    });

    it("what a client says about itself never arrives, also where Postern says nothing", async () => {
      const said = IDENTITY.flatMap((header) => [header, header.toLowerCase(), header.toUpperCase(), ...aliases(header)]);
      const spoofed = Object.fromEntries(said.map((header) => [header, ["root", "Administrator"]]));
      await expectIdentity({ path: "/", headers: { ...spoofed, ...bearer(alice()) } }, ALICE);
      await expectIdentity({ path: "/", headers: { ...spoofed, ...bearer(bob()) } }, BOB);
      await expectIdentity({ path: `/?token=${bob()}`, headers: spoofed }, BOB);
      await expectIdentity({ path: "/", headers: { ...spoofed, "x-auth-token": session.token } }, ADMIN);
      await expectIdentity({ path: "/", headers: { ...spoofed, cookie: session.cookie } }, ADMIN);
      await expectIdentity({ path: "/reports/", headers: { ...spoofed, ...bearer(session.token) } }, ADMIN);
    });

    it("a user without roles has none, whatever the client says", async () => {
      const bare = await registerApp(postern, { name: "BARE", token_name: "bare", secret: "efgh", initroles: [] });
      const headers = { ...bearer(sign(bare.secret, claims("dave"))), "X-Auth-Roles": "Administrator" };
      const told = identity(await arriving({ path: "/", headers }));
      assert.equal(told["X-Auth-User"], "dave");
      assert.equal(told["X-Auth-Roles"] ?? "", "");
    });

    it("roles reach the application up to 4 KiB, and are left out beyond that", async () => {
      const numbers = (count) => Array.from({ length: count }, (_, number) => `${number}`);
      const roles = (count) => numbers(count).map((number) => number.padStart(100, "r"));
      const role_map = Object.fromEntries(numbers(200).map((number) => [number, number.padStart(100, "r")]));
      const fieldmap = { username: "loginname", name: "name", email: "email", roles: "roles" };
      const { secret } = await registerApp(postern, { name: "ROLES", token_name: "roles", secret: "roles-secret", fieldmap, role_map });
      for (const [username, count] of [["erin", 40], ["frank", 200]]) {
        const token = sign(secret, { ...claims(username), iat: nowInSeconds(), roles: numbers(count) });
        const told = identity(await arriving({ path: "/", headers: bearer(token) }));
        assert.equal(told["X-Auth-User"], username);
        const expected = count === 40 ? [roles(count).join(","), undefined] : [undefined, "1"];
        assert.deepEqual([told["X-Auth-Roles"], told["X-Auth-Roles-Truncated"]], expected);
      }
    });

    it("a client cannot have what Postern says dropped as hop by hop", async () => {
      for (const connection of [IDENTITY.join(", "), `close, ${IDENTITY.join(",").toLowerCase()}`, ["close", ...IDENTITY]]) {
        await expectIdentity({ path: "/", headers: { connection, ...bearer(alice()) } }, ALICE);
      }
    });

    it("the credentials in headers stay with Postern, and other cookies arrive", async () => {
      const headers = { ...bearer(alice()), "X-Auth-Token": session.token, cookie: `a=b; ${session.cookie}; X__Host-postern=c; JSESSIONID=1.node` };
      const received = await arriving({ path: "/", headers: { ...headers, X_Auth_Token: session.token, "X.Auth.Token": session.token } });
      assert.equal(received.headers.authorization, undefined);
      assert.equal(received.headers.cookie, "a=b; X__Host-postern=c; JSESSIONID=1.node");
      assert.ok(!JSON.stringify(received).includes(session.token));

      for (const [sent, arrived] of [
        [session.cookie, undefined],
        [`${session.cookie}; a=b`, "a=b"],
        [`a=b; ${session.cookie}`, "a=b"],
      ]) {
        const { cookie } = (await arriving({ path: "/", headers: { cookie: sent } })).headers;
        assert.equal(cookie || undefined, arrived, sent);
      }
    });

    it("the URL arrives as it was written, but for the token where the proxy can take it out", async () => {
      for (const [path, without] of [
        ["/?token=TOKEN", "/"],
        ["/a%2Fb//c?token=TOKEN", "/a%2Fb//c"],
        ["/?token=TOKEN&a=b%20c&d", "/?a=b%20c&d"],
        ["/?a=b&token=TOKEN", "/?a=b"],
        ["/?a=b&token=TOKEN&c=d?&e=%C3%9C&f=100%", "/?a=b&c=d?&e=%C3%9C&f=100%"],
        ["/token=1?atoken=2&token=TOKEN&tokens=3", "/token=1?atoken=2&tokens=3"],
        ["/reports/?token=TOKEN&a=b", "/reports/?a=b"],
      ]) {
        const sent = path.replace("TOKEN", carol());
        assert.equal((await arriving({ path: sent })).url, name === "nginx" ? without : sent);
      }
      const path = "/a%2Fb//c?a=%20&b";
      assert.equal((await arriving({ path, headers: bearer(alice()) })).url, path);
    });

    it("a client's own query is no question to Postern", async () => {
      const path = `/?service=9&permission=ADMIN&user=1&app=other`;
      await expectIdentity({ path, headers: bearer(alice()) }, ALICE);
      await refused({ path: `/reports/${path.slice(1)}`, headers: bearer(alice()) }, 403);
      // Caddy appends it, and nothing reads it there.
      const asked = front.received.map(({ url }) => url.split("?")[0]);
      assert.deepEqual(asked, ["/v1/forward-auth/signed-in", `/v1/forward-auth/${SERVICE}/VIEW`]);
    });

    it("a page of another origin may read with the cookie, and change nothing", async () => {
      const cookie = session.cookie;
      const from = (origin, method) => ({ method, path: "/", headers: { cookie, origin } });
      await refused(from("https://evil.example", "POST"), 403);
      await refused({ method: "DELETE", path: "/", headers: { cookie, "sec-fetch-site": "cross-site" } }, 403);
      await expectIdentity(from("https://evil.example", "GET"), ADMIN);
      await expectIdentity(from(proxy.url, "POST"), ADMIN);
    });

    it("no credential and a wrong one are a 401 that says how to come, and the application is not asked", async () => {
      const direct = expectStatus(await postern.send({ path: "/v1/forward-auth" }), 401);
      const answer = await refused({ path: "/" }, 401);
      assert.equal(answer.headers["www-authenticate"], direct.headers["www-authenticate"]);
      assert.ok(answer.headers["www-authenticate"]);

      await refused({ path: "/", headers: bearer(forged()) }, 401);
      await refused({ path: `/?token=${forged()}` }, 401);
      await refused({ path: "/", headers: { "x-auth-token": "a205f1f3-c535-4507-87b8-e17db82efc61" } }, 401);
      await refused({ path: "/", headers: { cookie: `__Host-postern=${"0".repeat(32)}` } }, 401);
      await refused({ path: `/?token=${alice()}`, headers: bearer(forged()) }, 401);
      await refused({ method: "POST", path: "/", body: `token=${alice()}` }, 401);
      await refused({ method: "OPTIONS", path: "/" }, 401);
    });

    it("a client's own forwarded URL does not help it, and does not make it somebody else", async () => {
      const names = ["X-Forwarded-Uri", "x-original-uri", "X-Original-URL", "X-Rewrite-URL", ...aliases("X-Forwarded-Uri"), ...aliases("X-Original-URI")];
      for (const own of [`/?token=${alice()}`, [`/?token=${alice()}`, "/"], ["/", `/?token=${alice()}`]]) {
        const headers = Object.fromEntries(names.map((header) => [header, own]));
        await refused({ path: "/", headers }, 401);
        await refused({ path: `/?token=${forged()}`, headers }, 401);
        await refused({ path: "/", headers: { ...headers, connection: names.join(", ") } }, 401);
        await expectIdentity({ path: `/?token=${bob()}`, headers }, BOB);
      }
    });

    it("a location that asks for a permission is open to who has it, in whatever way its path is written", async () => {
      const paths = ["/reports/", "/reports/2026?a=b", "//reports/2026", "/%72eports/2026", "/a/../reports/2026", "/./reports/2026"];
      for (const path of paths) {
        await refused({ path, headers: bearer(alice()) }, 403);
        const { url } = await arriving({ path, headers: bearer(carol()) });
        assert.equal(url, path);
      }
      await refused({ path: "/reports/" }, 401);
      await refused({ path: "/reports/", headers: bearer(forged()) }, 401);
      await refused({ path: `/reports/?token=${alice()}` }, 403);
      await refused({ path: `/reports/?service=2&permission=NONE&token=${alice()}` }, 403);
      await expectIdentity({ path: "/reports/", headers: bearer(carol()) }, { ...BOB, "X-Auth-User": "carol" });
      // nginx itself redirects here, to the path with the slash.
      app.received.length = 0;
      const answer = await send(proxy.url, { path: "/reports", headers: bearer(alice()) });
      assert.ok([301, 403].includes(answer.status), String(answer.status));
      assert.deepEqual(app.received, []);
    });

    for (const chunked of [false, true]) {
      it(`a body arrives whole, and Postern gets none of it, ${chunked ? "in chunks" : "of declared length"}`, async () => {
        const body = randomBytes(700_000);
        const headers = { "content-type": "application/octet-stream", ...bearer(alice()) };
        for (const method of ["POST", "PUT", "DELETE"]) {
          const received = await arriving({ method, path: "/upload?a=b", headers, body, chunked });
          assert.equal(received.method, method);
          assert.equal(received.url, "/upload?a=b");
          assert.equal(received.headers["content-type"], "application/octet-stream");
          assert.ok(received.body.equals(body), `${received.body.length} of ${body.length} bytes arrived`);
        }
        assert.equal(front.received.length, 3);
        for (const asked of front.received) {
          assert.equal(asked.method, "GET");
          assert.equal(asked.body.length, 0);
          assert.equal(asked.headers["content-length"] ?? "0", "0");
          assert.equal(asked.headers["transfer-encoding"], undefined);
        }
      });
    }

    it("Postern is asked once for each request, by its own name, with the URL as the client wrote it", async () => {
      const path = `/a%2Fb//c?x=%zz&token=${alice()}`;
      const before = front.connections;
      for (let again = 0; again < 5; again += 1) await arriving({ path });
      assert.equal(front.received.length, 5);
      for (const { url, headers, lines } of front.received) {
        assert.equal(url.split("?")[0], "/v1/forward-auth/signed-in");
        assert.equal(headers.host, POSTERN_HOST);
        assert.deepEqual(lines.filter(([header]) => header.toLowerCase() === "x-forwarded-uri").map(([, value]) => value), [path]);
      }
      assert.ok(front.connections - before <= 1, "a connection is used again");
      // Caddy is given an address in place of the name, and says none then.
      assert.deepEqual([...new Set(front.serverNames)], [name === "nginx" ? POSTERN_HOST : false]);
    });

    // Caddy passes all headers on, and has no path of its own for Postern.
    if (name === "nginx") {
      it("Postern gets the credentials and the URL, and nothing else that a client sends", async () => {
        const credentials = { ...bearer(alice()), "x-auth-token": "a", cookie: "b=c" };
        await arriving({ path: "/", headers: { ...credentials, "cf-connecting-ip": "192.0.2.1", origin: "https://evil.example", "x-other": "d" } });
        const [{ headers }] = front.received;
        assert.deepEqual(Object.keys(headers).sort(), [
          "authorization", "cookie", "host", "origin", "x-auth-token",
          "x-forwarded-host", "x-forwarded-method", "x-forwarded-proto", "x-forwarded-uri",
        ]);
      });

      it("the way to Postern is not open to clients", async () => {
        for (const path of ["/_postern/signed-in", "/_postern/may-view-1", "/_postern/", "/_postern/other"]) {
          await refused({ path, headers: bearer(alice()) }, 404);
        }
        assert.deepEqual(front.received, []);
      });
    }

    it("any other answer than a yes lets nobody through", async (test) => {
      test.after(() => (front.canned = undefined));
      for (const status of [301, 302, 304, 400, 404, 429, 500, 503]) {
        front.canned = { status, headers: { location: "/", "x-auth-user": "alice" } };
        const answer = await send(proxy.url, { path: "/", headers: bearer(alice()) });
        assert.ok(answer.status >= 300, `${status} became ${answer.status}`);
        if (name === "nginx") assert.equal(answer.status, 500);
        assert.deepEqual(app.received, [], `after ${status} the application is not asked`);
      }
    });

    it("somebody else in Postern's place is not believed", async (test) => {
      const other = makeCertificate(folder, "other");
      const addresses = { app: app.address, postern: front.address };
      const wary = await startProxy(name, { ...addresses, folder: scratch("wary"), trusted: other, certificate });
      test.after(() => wary.stop());
      await refused({ path: "/", headers: bearer(alice()) }, name === "nginx" ? 500 : 502, wary);
      assert.deepEqual(front.received, []);
    });

    it("without Postern nobody gets through", async (test) => {
      const gone = await startFront(postern, certificate);
      test.after(() => gone.stop());
      const addresses = { app: app.address, postern: gone.address };
      const lonely = await startProxy(name, { ...addresses, folder: scratch("lonely"), trusted: certificate, certificate });
      test.after(() => lonely.stop());
      expectStatus(await send(lonely.url, { path: "/", headers: bearer(alice()) }), 200);
      app.received.length = 0;
      await gone.stop();
      for (const path of ["/", "/reports/", `/?token=${alice()}`]) {
        await refused({ path, headers: bearer(carol()) }, name === "nginx" ? 500 : 502, lonely);
      }
    });
  });
}
