// The examples behind real proxies: sessions of browsers, from the first page until the sign-out.

import { it } from "node:test";
import assert from "node:assert/strict";
import { expectStatus, sessionOf, sign } from "../../edge/support/client.mjs";
import { ADMIN_PASSWORD } from "../../edge/support/workerd.mjs";
import { APP_HOST, OF_APP } from "../support/neighbours.mjs";
import { NAMES } from "../support/proxies.mjs";
import { CLAIMED, PAGE, behindEach, claims, expectOwnAddress, identity } from "./setup.mjs";

const origin = `https://${APP_HOST}`;

behindEach(
  (given, facts) => {
    const userOf = async (request) => identity(await given.arriving(request))["X-Auth-User"];

    it("a page opened by a token in its URL has its pictures until the sign-out", async () => {
      const token = sign("abcd", claims("grace"));
      const opened = await given.proxy.send({ path: `/page?a=b&token=${token}`, headers: PAGE });
      expectStatus(opened, facts.page);
      if (facts.page === 303) {
        assert.deepEqual([opened.headers.location, given.app.received], ["/page?a=b", []]);
      }
      const set = opened.headers["set-cookie"].find((one) => one !== OF_APP);
      assert.match(
        set,
        /^__Host-postern=v1\.[^;]+; Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=Lax$/,
      );
      const cookie = sessionOf(opened);
      const picture = { path: "/picture.png", headers: { cookie: `a=b; ${cookie}` } };
      assert.equal(await userOf(picture), "grace");
      assert.equal(
        given.app.received[0].headers.cookie,
        facts.keepsCookie ? `a=b; ${cookie}` : "a=b",
      );
      await given.refused({ path: "/reports/", headers: { cookie } }, 403);

      const out = await given.refused({ path: "/v1/sign-out", headers: { cookie } }, 200);
      assert.match(out.headers["set-cookie"][0], /^__Host-postern=; Path=\/; Max-Age=0; /);
      await given.refused(picture, 401);
      await given.refused({ path: `/page?token=${token}` }, 401);
    });

    it("users sign in and out at Postern's page, and no other origin's page does", async () => {
      await given.refused({ path: "/v1/sign-in", headers: PAGE }, 200);
      const form = { username: "admin", password: ADMIN_PASSWORD, return_to: "/page" };
      const headers = { "x-forwarded-for": CLAIMED };
      const posted = (from) => ({
        method: "POST",
        path: "/v1/sign-in",
        headers: { ...headers, origin: from },
        form,
      });
      await given.refused(posted("https://evil.example"), 403);
      const [asked] = given.front.received.slice(-1);
      expectOwnAddress(asked.headers);
      assert.equal(asked.headers.host, facts.host(given.front.address));
      const signedIn = await given.refused(posted(origin), 303);
      assert.equal(signedIn.headers.location, "/page");
      const cookie = sessionOf(signedIn);
      assert.equal(await userOf({ path: "/page", headers: { cookie } }), "admin");
      const out = (site) => ({
        method: "POST",
        path: "/v1/sign-out",
        headers: { cookie, "sec-fetch-site": site },
      });
      await given.refused(out("cross-site"), 403);
      await given.refused(out("same-origin"), 200);
      await given.refused({ path: "/page", headers: { cookie } }, 401);
    });

    it("a user without a session is sent to sign in, and would return to the page", async () => {
      const page = { path: "/page?a=b", headers: PAGE };
      if (facts.page === 303) {
        const sent = await given.refused(page, 302);
        assert.equal(sent.headers.location, "/v1/sign-in?return_to=%2Fpage%3Fa%3Db");
      } else {
        await given.refused(page, 401);
      }
    });

    it("nothing else of Postern is open at the application's name", async () => {
      for (const path of [
        "/v1/users",
        "/v1/verify",
        "/v1/sign-in/x",
        "/v1/sign-out%2F",
        "/v1/sign-in/../users",
        "/health",
      ]) {
        const { status } = await given.proxy.send({ path });
        // Envoy and Traefik refuse an escaped slash.
        assert.ok([401, 400].includes(status), `${path} ${status}`);
      }
      const asked = given.front.received.filter(({ url }) => !url.startsWith("/v1/forward-auth/"));
      assert.deepEqual(asked, []);
    });
  },
  NAMES,
  { variables: { PUBLIC_ORIGIN: origin } },
);
