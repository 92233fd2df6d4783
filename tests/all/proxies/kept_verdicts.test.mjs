// nginx caches Postern's verdicts, as the example's comments say. Nobody gets another user's
// verdict.

import { it } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { expectStatus, sign } from "../../edge/support/client.mjs";
import { APP_HOST } from "../support/neighbours.mjs";
import {
  ADMIN,
  ALICE,
  BOB,
  CAROL,
  PAGE,
  alice,
  bearer,
  behindEach,
  bob,
  carol,
  claims,
  forged,
} from "./setup.mjs";

const KEPT_S = 3;
/** nginx counts whole seconds, and keeps an answer to the end of the last one. */
const OVER_MS = (KEPT_S + 1) * 1000 + 200;

behindEach(
  (given) => {
    /** How often Postern is asked meanwhile. */
    async function asked(happens) {
      const before = given.front.received.length;
      await happens();
      return given.front.received.length - before;
    }

    it("a kept verdict is asked for once, and asked for again when its time is over", async () => {
      const request = { path: "/kept?a=b", headers: bearer(alice()) };
      const three = async () => {
        for (let again = 0; again < 3; again += 1) await given.expectIdentity(request, ALICE);
      };
      assert.equal(await asked(three), 1);
      await sleep(OVER_MS);
      assert.equal(await asked(three), 1);
    });

    it("nobody gets another user's verdict, nor another user's cached answer", async () => {
      const path = "/shared";
      const { token, cookie } = given.session;
      for (let again = 0; again < 2; again += 1) {
        await given.expectIdentity({ path, headers: bearer(alice()) }, ALICE);
        await given.expectIdentity({ path, headers: bearer(bob()) }, BOB);
        await given.expectIdentity({ path, headers: { "x-auth-token": token } }, ADMIN);
        await given.expectIdentity({ path, headers: { cookie } }, ADMIN);
        for (const headers of [{}, bearer(forged()), { cookie: "a=b" }, { "x-auth-token": "a" }]) {
          await given.refused({ path, headers }, 401);
        }
        const { text } = expectStatus(
          await given.proxy.send({ path, headers: bearer(bob()) }),
          200,
        );
        assert.equal(text, "from the app for bob");
      }
    });

    it("one credential behind another's name is not taken for that one", async () => {
      const token = bob();
      await given.expectIdentity({ path: `/named?token=${token}` }, BOB);
      await given.refused({ path: "/named?token=a", headers: { cookie: token } }, 401);
      await given.expectIdentity({ path: `/named?token=${alice()}` }, ALICE);
      await given.refused({ path: "/named" }, 401);
    });

    it("another method, another URL and another question are asked about", async () => {
      const headers = bearer(alice());
      const same = async () => {
        await given.arriving({ path: "/x", headers });
        await given.arriving({ method: "POST", path: "/x", headers });
        await given.arriving({ path: "/x?y", headers });
        await given.refused({ path: "/reports/", headers }, 403);
        await given.expectIdentity({ path: "/reports/", headers: bearer(carol()) }, CAROL);
      };
      assert.equal(await asked(same), 5);
    });

    it("what a cookie may do for a page of its own origin, it may not do for another", async () => {
      const { cookie } = given.session;
      const post = (origin) => ({ method: "POST", path: "/form", headers: { cookie, origin } });
      await given.expectIdentity(post(`https://${APP_HOST}`), ADMIN);
      await given.refused(post("https://evil.example"), 403);
      await given.expectIdentity({ path: "/form", headers: { cookie } }, ADMIN);
      await given.refused(
        { method: "DELETE", path: "/form", headers: { cookie, "sec-fetch-site": "cross-site" } },
        403,
      );
    });

    it("a verdict that sets a cookie is not cached, and a page can still get one", async () => {
      const path = `/page?token=${bob()}`;
      const cookies = async (headers) => {
        const answer = expectStatus(await given.proxy.send({ path, headers }), 200);
        return answer.headers["set-cookie"].filter((set) => set.startsWith("__Host-postern=v1."));
      };
      assert.equal((await cookies({})).length, 0);
      const opened = [];
      const twice = async () => opened.push(...(await cookies(PAGE)), ...(await cookies(PAGE)));
      assert.equal(await asked(twice), 2);
      assert.equal(opened.length, 2);
      assert.equal(await asked(() => cookies({})), 0);
    });

    it("a refusal is not kept", async () => {
      const twice = async () => {
        await given.refused({ path: "/", headers: bearer(forged()) }, 401);
        await given.refused({ path: "/", headers: bearer(forged()) }, 401);
        await given.refused({ path: "/reports/", headers: bearer(alice()) }, 403);
        await given.refused({ path: "/reports/", headers: bearer(alice()) }, 403);
      };
      assert.equal(await asked(twice), 4);
    });

    it("a revoked token is refused once its verdict is over", async () => {
      const token = sign("abcd", claims("heidi"));
      const headers = bearer(token);
      await given.arriving({ path: "/revoked", headers });
      const answer = await given.postern.send({
        method: "POST",
        path: "/v1/revocations",
        json: { token },
      });
      assert.ok(answer.status < 300, answer.text);
      await sleep(OVER_MS);
      await given.refused({ path: "/revoked", headers }, 401);
    });
  },
  ["nginx"],
  { variables: { VERDICT_MAX_AGE_S: String(KEPT_S) }, replaced: { "#keep ": "" } },
);
