// The examples behind real proxies: who is admitted, and what the application learns about them.

import { it } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  admin,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
} from "../../edge/support/client.mjs";
import { APP_HOST, OF_APP } from "../support/neighbours.mjs";
import {
  ADMIN,
  ALICE,
  BOB,
  IDENTITY,
  alice,
  aliases,
  bearer,
  behindEach,
  bob,
  claims,
  forged,
  identity,
} from "./setup.mjs";

behindEach((given, facts) => {
  it("a token app's token is admitted as Bearer and in the URL, with its identity", async () => {
    await given.expectIdentity({ path: "/", headers: bearer(alice()) }, ALICE);
    await given.expectIdentity({ path: `/?token=${alice()}` }, ALICE);
    await given.expectIdentity({ path: `/page?a=b&token=${bob()}&c=100%` }, BOB);
  });

  it("an opaque token, a cookie and a password are admitted, with their identity", async () => {
    const { token, cookie } = given.session;
    await given.expectIdentity({ path: "/", headers: { "x-auth-token": token } }, ADMIN);
    await given.expectIdentity({ path: "/", headers: bearer(token) }, ADMIN);
    await given.expectIdentity({ path: "/", headers: { cookie: `a=b; ${cookie}` } }, ADMIN);
    await given.expectIdentity({ path: "/", headers: admin }, ADMIN);
  });

  it("no or a wrong credential is a 401 that says how to sign in, at Postern only", async () => {
    const direct = expectStatus(await given.postern.send({ path: "/v1/forward-auth" }), 401);
    const answer = await given.refused({ path: "/" }, 401);
    assert.equal(answer.headers["www-authenticate"], direct.headers["www-authenticate"]);
    assert.ok(answer.headers["www-authenticate"]);

    await given.refused({ path: "/", headers: bearer(forged()) }, 401);
    await given.refused({ path: `/?token=${forged()}` }, 401);
    await given.refused(
      { path: "/", headers: { "x-auth-token": "a205f1f3-c535-4507-87b8-e17db82efc61" } },
      401,
    );
    await given.refused(
      { path: "/", headers: { cookie: `__Host-postern=${"0".repeat(32)}` } },
      401,
    );
    await given.refused({ path: `/?token=${alice()}`, headers: bearer(forged()) }, 401);
    await given.refused({ method: "POST", path: "/", body: `token=${alice()}` }, 401);
    await given.refused({ method: "OPTIONS", path: "/" }, 401);
  });

  it("the cookie of an ended session is removed, also beside another credential", async (test) => {
    const over = { cookie: `__Host-postern=v1.${"A".repeat(40)}` };
    const refused = await given.refused({ path: "/", headers: over }, 401);
    const [taken] = refused.headers["set-cookie"] ?? [];
    assert.match(taken ?? "", /^__Host-postern=; Path=\/; Max-Age=0; /);

    test.after(() => (given.front.canned = undefined));
    given.front.canned = { status: 200, headers: { "set-cookie": taken, "x-auth-user": "alice" } };
    for (const path of ["/", "/reports/"]) {
      const passed = await given.proxy.send({ path });
      assert.deepEqual(passed.headers["set-cookie"].sort(), [taken, OF_APP], path);
    }
    given.front.canned = undefined;
    const { cookie } = given.session;
    const good = await given.proxy.send({ path: "/", headers: { cookie } });
    assert.deepEqual(good.headers["set-cookie"], [OF_APP]);
  });

  it("what a client says about itself never arrives, also where Postern says nothing", async () => {
    const { token, cookie } = given.session;
    const said = IDENTITY.flatMap((header) => [
      header,
      header.toLowerCase(),
      header.toUpperCase(),
      ...aliases(header),
    ]);
    // Envoy accepts at most 100 headers in a request.
    while (said.length > 0) {
      const spoofed = Object.fromEntries(
        said.splice(0, 40).map((header) => [header, ["root", "Administrator"]]),
      );
      await given.expectIdentity({ path: "/", headers: { ...spoofed, ...bearer(alice()) } }, ALICE);
      await given.expectIdentity({ path: "/", headers: { ...spoofed, ...bearer(bob()) } }, BOB);
      await given.expectIdentity({ path: `/?token=${bob()}`, headers: spoofed }, BOB);
      await given.expectIdentity(
        { path: "/", headers: { ...spoofed, "x-auth-token": token } },
        ADMIN,
      );
      await given.expectIdentity({ path: "/", headers: { ...spoofed, cookie } }, ADMIN);
      await given.expectIdentity(
        { path: "/reports/", headers: { ...spoofed, ...bearer(token) } },
        ADMIN,
      );
    }
  });

  it("nobody is named where Postern lets everybody through, as rules may say", async (test) => {
    test.after(() => (given.front.canned = undefined));
    const nobody = Object.fromEntries(IDENTITY.map((header) => [header, ""]));
    given.front.canned = { status: 200, headers: nobody };
    const spoofed = Object.fromEntries(IDENTITY.map((header) => [header, "root"]));
    for (const headers of [{}, spoofed]) {
      assert.deepEqual(identity(await given.arriving({ path: "/", headers })), {});
    }
  });

  it("a client's own claim header arrives only where the proxy cannot know its name", async () => {
    const names = ["X-Auth-Claim-Tenant", ...aliases("X-Auth-Claim-Tenant")];
    const headers = Object.fromEntries(names.map((header) => [header, "root"]));
    const told = identity(
      await given.arriving({ path: "/", headers: { ...headers, ...bearer(bob()) } }),
    );
    const kept = facts.keepsClaims ? { "X-Auth-Claim-Tenant": "root" } : {};
    assert.deepEqual(told, { ...BOB, "X-Auth-User-Id": given.ids.bob, ...kept });
  });

  it("no proxy reads placeholders of its own in what a client says, or Postern", async () => {
    const name = "{env.HOME} ${HOME} $host %[env(HOME)] %REQ(:path)% {http.request.host}";
    const own = "{env.HOME}$host%25{http.request.host}";
    const token = sign("abcd", claims("ivan", { name }));
    const path = `/page?a=${own}&token=${token}&b=${own}`;
    const received = await given.arriving({ path, headers: { cookie: `a=${own}` } });
    assert.equal(identity(received)["X-Auth-Name"], name.replaceAll("%", "%25"));
    assert.equal(received.url, facts.url(path, `/page?a=${own}&b=${own}`));
    assert.equal(received.headers.cookie, `a=${own}`);
    await given.refused({ path: `/page?a=${own}&token={env.HOME}` }, 401);
  });

  it("a user without roles has none, whatever the client says", async () => {
    const bare = await registerApp(given.postern, {
      name: "BARE",
      token_name: "bare",
      secret: "efgh",
      initroles: [],
    });
    const headers = {
      ...bearer(sign(bare.secret, claims("dave"))),
      "X-Auth-Roles": "Administrator",
    };
    const told = identity(await given.arriving({ path: "/", headers }));
    assert.equal(told["X-Auth-User"], "dave");
    assert.equal(told["X-Auth-Roles"] ?? "", "");
  });

  it("roles reach the application up to 4 KiB, and are left out beyond that", async () => {
    const numbers = (count) => Array.from({ length: count }, (_, number) => `${number}`);
    const roles = (count) => numbers(count).map((number) => number.padStart(100, "r"));
    const role_map = Object.fromEntries(
      numbers(200).map((number) => [number, number.padStart(100, "r")]),
    );
    const fieldmap = { username: "loginname", name: "name", email: "email", roles: "roles" };
    const app = {
      name: "ROLES",
      token_name: "roles",
      secret: "roles-secret",
      initroles: [],
      fieldmap,
      role_map,
    };
    await registerApp(given.postern, app);
    for (const [username, count] of [
      ["erin", 40],
      ["frank", 200],
    ]) {
      const token = sign(app.secret, {
        ...claims(username),
        iat: nowInSeconds(),
        roles: numbers(count),
      });
      const told = identity(await given.arriving({ path: "/", headers: bearer(token) }));
      assert.equal(told["X-Auth-User"], username);
      const expected = count === 40 ? [roles(count).join(","), undefined] : [undefined, "1"];
      assert.deepEqual([told["X-Auth-Roles"], told["X-Auth-Roles-Truncated"]], expected);
    }
  });

  it("a client cannot have what Postern says dropped as hop by hop", async () => {
    const names = IDENTITY.join(", ");
    for (const connection of [names, `close, ${names.toLowerCase()}`, ["close", ...IDENTITY]]) {
      const headers = { connection, ...bearer(alice()) };
      await given.expectIdentity({ path: "/", headers }, ALICE);
      const passed = given.app.received[0].headers.connection ?? "";
      assert.doesNotMatch(passed, /auth/i, "whoever stands behind would drop it");
    }
  });

  it("a page of another origin opens no WebSocket with somebody's cookie", async () => {
    const { cookie } = given.session;
    const from = (origin) => given.proxy.connect("/echo", { cookie, origin });
    assert.equal((await from("https://evil.example")).status, 403);
    assert.deepEqual(given.app.received, []);
    const { socket, status } = await from(`https://${APP_HOST}`);
    assert.equal(status, 101);
    socket.terminate();
  });

  it("a WebSocket is opened for whoever may, and for nobody else", async () => {
    for (const headers of [{}, bearer(forged())]) {
      assert.equal((await given.proxy.connect("/echo", headers)).status, 401);
    }
    assert.equal((await given.proxy.connect("/reports/echo", bearer(alice()))).status, 403);
    assert.deepEqual(given.app.received, []);
    const { socket, status } = await given.proxy.connect("/echo", {
      ...bearer(alice()),
      "x-auth-user": "root",
    });
    assert.equal(status, 101);
    socket.send("hello");
    const [data] = await once(socket, "message");
    assert.equal(String(data), "hello");
    socket.close();
    await once(socket, "close");
    const [received] = given.app.received;
    assert.deepEqual(identity(received), { ...ALICE, "X-Auth-User-Id": given.ids.alice });
    assert.equal(received.headers.authorization, undefined);
  });
});
